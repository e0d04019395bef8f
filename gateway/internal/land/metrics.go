package land

import (
	"github.com/headwater-iot/headwater/gateway/internal/contract"
	"github.com/headwater-iot/headwater/gateway/internal/contract/words"
	"github.com/headwater-iot/headwater/shared/meter"
)

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
	lacking    *meter.Gauge
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
		lacking:    r.Gauge("headwater_contract_lacking_series", "Series that contracts require and devices do not announce; `contract list` names them."),
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
	for b, n := range t.verdicts {
		c.reg.Counter("headwater_contract_verdicts_total", "Readings that break a rule of their contract, by the rule that decided and what it did; "+words.Meaning("late")+".",
			"rule", string(b.rule), "action", b.action.String()).Add(n)
	}
	for b, n := range t.shadow {
		c.reg.Counter("headwater_contract_shadow_total", "Readings that would break a rule of a contract in shadow, by the rule and what it would have done.",
			"rule", string(b.rule), "action", b.action.String()).Add(n)
	}
	for outcome, n := range t.replayed {
		c.reg.Counter("headwater_quarantine_replayed_total", "Held readings that were decided on, by what became of them: landed, present (in readings before), held, discarded.",
			"outcome", outcome).Add(n)
	}
	c.missing(t.gaps, "false")
	c.missing(t.presumed, "true")
}

// missing counts readings that will not come, as far as anybody knows.
func (c *counters) missing(byReason map[string]uint64, presumed string) {
	for reason, n := range byReason {
		c.reg.Counter("headwater_land_gap_seqs_total", "Readings that an agent or a contract gave up, or that are presumed lost, by reason.",
			"reason", reason, "presumed", presumed).Add(n)
	}
}

// tally is what one group did.
type tally struct {
	landed, duplicates, conflicts, records, forks, unheard uint64
	quarantined                                            map[string]rejected
	gaps, presumed                                         map[string]uint64
	replayed                                               map[string]uint64
	verdicts, shadow                                       map[rulebreak]uint64
}

// What becomes of held readings that are decided on.
const (
	replayedLanded    = "landed"
	replayedPresent   = "present"
	replayedHeld      = "held"
	replayedDiscarded = "discarded"
)

type rejected struct{ readings, records uint64 }

func newTally() tally {
	return tally{quarantined: map[string]rejected{}, gaps: map[string]uint64{}, presumed: map[string]uint64{}, replayed: map[string]uint64{}, verdicts: map[rulebreak]uint64{}, shadow: map[rulebreak]uint64{}}
}

// broken counts readings that do not land because of a rule.
func (t *tally) broken(r contract.Rule, a contract.Action, n uint64) {
	t.verdicts[rulebreak{r, a}] += n
}

// flags counts the cells of a stretch that land flagged.
func (t *tally) flags(fates []contract.Fate, from, to int) {
	for _, f := range part(fates, from, to) {
		if f.Rule != "" {
			t.verdicts[rulebreak{f.Rule, f.Action}]++
		}
	}
}

// shadows counts what a contract in shadow would do.
func (t *tally) shadows(j *judgement) {
	if j == nil {
		return
	}
	for b, n := range j.counted {
		t.shadow[b] += n
	}
}
