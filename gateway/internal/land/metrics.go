package land

import "github.com/headwater-iot/headwater/shared/meter"

// counters are the places where a reading can leave the flow, and some that watch the work.
type counters struct {
	reg        *meter.Registry
	readings   *meter.Counter
	duplicates *meter.Counter
	conflicts  *meter.Counter
	records    *meter.Counter
	groups     *meter.Counter
	forks      *meter.Counter
	unheard    *meter.Counter
	cursors    *meter.Gauge
}

func newCounters(r *meter.Registry) counters {
	return counters{
		reg:        r,
		readings:   r.Counter("headwater_land_readings_total", "Readings landed, counted when their commit succeeded."),
		duplicates: r.Counter("headwater_land_duplicates_total", "Readings clipped because their seq was closed before."),
		conflicts:  r.Counter("headwater_land_conflicts_total", "Batches with other bytes under seqs that a batch had before."),
		records:    r.Counter("headwater_land_records_total", "Log records landed, of any kind."),
		groups:     r.Counter("headwater_land_groups_total", "Groups of records that were committed."),
		forks:      r.Counter("headwater_land_forks_total", "Hellos that showed two epochs with one predecessor."),
		unheard:    r.Counter("headwater_land_unheard_epochs_total", "Epochs of hellos that named more than anybody needs."),
		cursors:    r.Gauge("headwater_land_cursors", "Cursors in memory: epochs that may still change."),
	}
}

// rows counts what a commit took in, once it has succeeded.
func (c *counters) rows(t *tally) {
	c.readings.Add(t.landed)
	c.duplicates.Add(t.duplicates)
	c.conflicts.Add(t.conflicts)
	c.records.Add(t.records)
	c.forks.Add(t.forks)
	c.unheard.Add(t.unheard)
	c.groups.Inc()
	for reason, n := range t.quarantined {
		c.reg.Counter("headwater_land_quarantined_total", "Readings quarantined, by reason.", "reason", reason).Add(n.readings)
		c.reg.Counter("headwater_land_quarantined_records_total", "Log records with readings quarantined, or that could not be read, by reason.",
			"reason", reason).Add(n.records)
	}
	c.missing(t.gaps, "false")
	c.missing(t.presumed, "true")
}

// missing counts readings that will not come, as far as anybody knows.
func (c *counters) missing(byReason map[string]uint64, presumed string) {
	for reason, n := range byReason {
		c.reg.Counter("headwater_land_gap_seqs_total", "Readings that an agent gave up, or that are presumed lost, by reason.",
			"reason", reason, "presumed", presumed).Add(n)
	}
}

// tally is what one group did.
type tally struct {
	landed, duplicates, conflicts, records, forks, unheard uint64
	quarantined                                            map[string]rejected
	gaps, presumed                                         map[string]uint64
}

type rejected struct{ readings, records uint64 }

func newTally() tally {
	return tally{quarantined: map[string]rejected{}, gaps: map[string]uint64{}, presumed: map[string]uint64{}}
}
