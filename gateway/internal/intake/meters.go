package intake

import (
	"github.com/headwater-iot/headwater/shared/health"
	"github.com/headwater-iot/headwater/shared/meter"
	"github.com/headwater-iot/headwater/shared/wire"
)

// clones stands until the gateway is started again: a person has to find the second card.
var clones = &health.Condition{
	Code: "device-cloned", Severity: health.Warning,
	Title: "Two devices share one identity: other readings came under the same sequence numbers",
}

// flow is what becomes of one kind of message: received = appended + duplicates + refused + withheld.
type flow struct {
	received, appended, duplicates, withheld *meter.Counter
	refused                                  func(reason string) *meter.Counter
}

type counters struct {
	batch, hello flow
	readings     map[wire.Kind]*meter.Counter // read only
	bytes        *meter.Counter
	conflicts    *meter.Counter
	acks, unsent *meter.Counter
	nacks        func(reason string) *meter.Counter
}

func newCounters(m *meter.Registry) counters {
	byReason := func(name, help string, more ...string) func(string) *meter.Counter {
		return func(reason string) *meter.Counter {
			return m.Counter(name, help, append([]string{"reason", reason}, more...)...)
		}
	}
	flowOf := func(message string) flow {
		count := func(name, help string) *meter.Counter { return m.Counter(name, help, "message", message) }
		return flow{
			received:   count("headwater_intake_received_total", "Messages that came in."),
			appended:   count("headwater_intake_appended_total", "Messages fsynced in the log."),
			duplicates: count("headwater_intake_duplicates_total", "Messages that were in the log or the lake already."),
			withheld:   count("headwater_intake_withheld_total", "Messages not acknowledged to the broker; their senders come again."),
			refused:    byReason("headwater_intake_refused_total", "Messages refused.", "message", message),
		}
	}
	readings := map[wire.Kind]*meter.Counter{}
	for _, kind := range []wire.Kind{wire.KindReadings, wire.KindGap, wire.KindEnd} {
		readings[kind] = m.Counter("headwater_intake_seqs_total", "Sequence numbers of appended batches.", "kind", kind.String())
	}
	return counters{
		batch: flowOf("batch"), hello: flowOf("hello"), readings: readings,
		bytes:     m.Counter("headwater_intake_bytes_total", "Bytes of appended batches."),
		conflicts: m.Counter("headwater_intake_conflicts_total", "Batches with other bytes under the same sequence numbers."),
		acks:      m.Counter("headwater_intake_acks_total", "Acks sent."),
		unsent:    m.Counter("headwater_intake_unsent_total", "Acks and nacks that could not be sent."),
		nacks:     byReason("headwater_intake_nacks_total", "Nacks sent."),
	}
}
