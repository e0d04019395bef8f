package log

import (
	"errors"

	"github.com/headwater-iot/headwater/shared/meter"
)

// counters are the log's metrics.
type counters struct {
	records, bytes, groups *meter.Counter
	full, share            *meter.Counter
	broken, torn           *meter.Counter
}

func newCounters(m *meter.Registry, l *Log) counters {
	m.GaugeFunc("headwater_log_bytes", "Bytes of all segments.", func() float64 { return float64(l.Stats().Bytes) })
	m.GaugeFunc("headwater_log_segments", "Segments of the log.", func() float64 { return float64(l.Stats().Segments) })
	m.GaugeFunc("headwater_log_unlanded_bytes", "Bytes of records that have not landed.", func() float64 { return float64(l.Unlanded()) })
	refused := func(reason string) *meter.Counter {
		return m.Counter("headwater_log_refused_total", "Records that were not appended; their devices keep them.", "reason", reason)
	}
	return counters{
		records: m.Counter("headwater_log_records_total", "Records appended and fsynced."),
		bytes:   m.Counter("headwater_log_appended_bytes_total", "Bytes appended and fsynced."),
		groups:  m.Counter("headwater_log_syncs_total", "Groups of records: one fsync each."),
		full:    refused("full"),
		share:   refused("share"),
		broken:  refused("failed"),
		torn:    m.Counter("headwater_log_torn_tails_total", "Torn writes cut off at start; none was ever acknowledged."),
	}
}

func (c *counters) appended(records, bytes int) {
	c.records.Add(uint64(records))
	c.bytes.Add(uint64(bytes))
	c.groups.Inc()
}

func (c *counters) failed(err error, records int) {
	switch {
	case errors.Is(err, ErrFull):
		c.full.Add(uint64(records))
	case errors.Is(err, ErrShare):
		c.share.Add(uint64(records))
	default:
		c.broken.Add(uint64(records))
	}
}
