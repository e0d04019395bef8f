package land_test

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/headwater-iot/headwater/gateway/internal/decision"
	"github.com/headwater-iot/headwater/gateway/internal/land"
	"github.com/headwater-iot/headwater/gateway/internal/land/landtest"
	"github.com/headwater-iot/headwater/gateway/internal/table"
	"github.com/headwater-iot/headwater/shared/seqset"
	"github.com/headwater-iot/headwater/shared/wire"
)

// decider is a river on which held readings are decided.
type decider struct {
	*river
	heard []decision.Outcome
}

func newDecider(t *testing.T, s land.Settings) *decider {
	d := &decider{river: newRiver(t, s)}
	d.cfg.Kept = d.lake
	d.cfg.Decided = func(x decision.Outcome) { d.heard = append(d.heard, x) }
	d.restart()
	return d
}

// settings begins a new life of the gateway with other rules.
func (d *decider) settings(s land.Settings) {
	d.cfg.Settings = s
	d.restart()
}

// decide logs a decision on seqs of epoch 1.
func (d *decider) decide(verb decision.Verb, seqs ...seqset.Range) {
	d.t.Helper()
	set := seqset.Of(seqs...)
	d.logged(decision.Quarantine{Verb: verb, ID: fmt.Sprint(len(d.log.Entries())), Device: "probe-1", Epoch: 1, Flat: set.Flat()})
}

func (d *decider) logged(q decision.Quarantine) {
	d.t.Helper()
	b, err := q.Append(nil)
	if err != nil {
		d.t.Fatal(err)
	}
	d.log.Append(land.KindReplay, "probe-1", now+day, b)
}

// fates tells the rows of quarantine, a line each, and the readings and figures of epoch 1.
func (d *decider) fates() string {
	tables := d.lake.Tables()
	var lines []string
	for _, q := range tables.Quarantine {
		line := fmt.Sprintf("[%d,%d) %s %s", q.From, q.To, q.Reason, q.Fate)
		if len(q.Bytes) > 0 {
			line += " bytes"
		}
		lines = append(lines, line)
	}
	slices.Sort(lines)
	var seqs seqset.Set
	rows := uint64(0)
	for i := range tables.Readings {
		for _, seq := range tables.Readings[i].Seq {
			seqs.Add(seq, seq+1)
			rows++
		}
	}
	c := tables.Cursors[table.Key{Device: "probe-1", Epoch: 1}]
	return strings.Join(append(lines, fmt.Sprintf("readings %v, %d twice", seqs.Ranges(), rows-seqs.Count()),
		fmt.Sprintf("landed %d quarantined %d", c.Landed, c.Quarantined)), "\n")
}

func (d *decider) expectFates(lines ...string) {
	d.t.Helper()
	if got, want := d.fates(), strings.Join(lines, "\n"); got != want {
		d.t.Errorf("the tables hold\n%s\nwant\n%s", got, want)
	}
}

func (d *decider) expectHeard(want ...decision.Outcome) {
	d.t.Helper()
	if len(d.heard) != len(want) {
		d.t.Fatalf("heard %+v", d.heard)
	}
	for i, w := range want {
		got := d.heard[i]
		w.ID = got.ID
		if fmt.Sprint(w) != fmt.Sprint(got) {
			d.t.Errorf("decision %d became %+v, want %+v", i, got, w)
		}
	}
	d.heard = nil
}

// hours returns readings of epoch 1, an hour apart, the first of them so many hours before now.
func (d *decider) hours(first uint64, rows int, before int64) []byte {
	return landtest.Readings(d.t, synced(), header(1, first, at(-before*3600)), 1, rows, 3600_000)
}

func TestReplayLandsWhatMayLandNow(t *testing.T) {
	d := newDecider(t, land.Settings{MaxAge: 30 * time.Minute})
	d.batch(d.hours(0, 6, 5)) // 5, 4, 3, 2, 1 and 0 hours old
	d.land()
	d.expectFates("[0,5) too_old held bytes", "readings [{5 6}], 0 twice", "landed 1 quarantined 5")

	d.settings(land.Settings{MaxAge: 150 * time.Minute})
	d.decide(decision.Replay, seqset.Range{From: 1, To: 5})
	d.land()
	d.expectFates("[0,3) too_old held bytes", "[3,5) too_old replayed", "readings [{3 6}], 0 twice", "landed 3 quarantined 3")
	d.expectHeard(decision.Outcome{Landed: 2, Held: map[string]uint64{land.TooOld: 2}})
	run := d.lake.Tables().Readings[1]
	if run.Received != now || run.EventTime[0] != now-2*3600*second || run.Floats[0] != landtest.Value(1, 3) {
		t.Errorf("a replayed run is not what it would have been: %+v", run)
	}

	d.settings(land.Settings{})
	d.decide(decision.Replay, seqset.Range{From: 0, To: 100})
	d.land()
	d.expectFates("[0,3) too_old replayed bytes", "[3,5) too_old replayed", "readings [{0 6}], 0 twice", "landed 6 quarantined 0")
	d.expectHeard(decision.Outcome{Landed: 3, Elsewhere: 97, Held: none()})
}

// TestReplayIsJudgedByTheContractInForce: what breaks it stays held and says what it breaks now, be the rule one that gives
// readings up; what is only flagged lands. What the rules remember of later readings is left alone.
func TestReplayIsJudgedByTheContractInForce(t *testing.T) {
	d := newDecider(t, land.Settings{})
	version := 0
	apply := func(action string, maximum int) {
		version++
		v := fmt.Sprintf("1.0.%d", version)
		d.river.decide(decision.Apply, v, contractOf(v, "logicalType: number", fmt.Sprintf("logicalTypeOptions: {minimum: 0, maximum: %d}", maximum),
			"customProperties: [{property: onViolation, value: "+action+"}, {property: maxRate, value: {change: 1000, per: 1s}}]"))
	}
	apply("quarantine", 5)
	d.values(0, 0, 1000, 1, 9, 20, 30)
	d.values(4, 10_000, 1000, 2, 3)
	d.land()
	d.expectFates("[1,4) contract held bytes", "readings [{0 1} {4 6}], 0 twice", "landed 3 quarantined 3")
	remembered := string(d.cursor(1).SeriesState)

	apply("drop_with_gap", 10)
	d.decide(decision.Replay, seqset.Range{From: 1, To: 4})
	d.land()
	d.expectFates("[1,2) contract replayed bytes", "[2,4) contract held", "readings [{0 2} {4 6}], 0 twice", "landed 4 quarantined 2")
	d.expectHeard(decision.Outcome{Landed: 1, Held: map[string]uint64{land.Contract: 2}})
	for _, q := range d.lake.Tables().Quarantine {
		if q.Fate == table.FateHeld && (q.Contract != "c@1.0.2" || q.Rule != "range") {
			t.Errorf("it says that it breaks %s of %s", q.Rule, q.Contract)
		}
	}
	apply("flag", 25)
	d.decide(decision.Replay, seqset.Range{From: 2, To: 4})
	d.land()
	d.expectFates("[1,2) contract replayed bytes", "[2,4) contract replayed", "readings [{0 6}], 0 twice", "landed 6 quarantined 0")
	if got := d.readings(); got[2] != "2 20 0 c@1.0.3" || got[3] != "3 30 4 c@1.0.3" {
		t.Errorf("readings %q", got)
	}
	if len(d.lake.Tables().Gaps) != 0 || remembered == "" || string(d.cursor(1).SeriesState) != remembered {
		t.Errorf("a replay gave readings up, or changed what the rules remember")
	}
}

// TestDecisionsAreCarriedOutOnce: the same one twice, overlapping ones, in one group or in several.
func TestDecisionsAreCarriedOutOnce(t *testing.T) {
	for _, together := range []bool{true, false} {
		d := newDecider(t, land.Settings{MaxAge: 30 * time.Minute})
		step := func() {
			if !together {
				d.land()
				d.restart()
			}
		}
		d.batch(d.hours(0, 4, 5))
		d.batch(d.hours(4, 4, 5))
		d.land()
		d.settings(land.Settings{})
		d.decide(decision.Replay, seqset.Range{From: 0, To: 3})
		step()
		d.decide(decision.Replay, seqset.Range{From: 0, To: 3})
		step()
		d.decide(decision.Replay, seqset.Range{From: 2, To: 5})
		step()
		d.decide(decision.Discard, seqset.Range{From: 4, To: 6})
		step()
		d.decide(decision.Replay, seqset.Range{From: 4, To: 6})
		d.land()
		d.expectFates("[0,3) too_old replayed bytes", "[3,4) too_old replayed", "[4,5) too_old replayed bytes",
			"[5,6) too_old discarded", "[6,8) too_old held", "readings [{0 5}], 0 twice", "landed 5 quarantined 3")
		d.expectHeard(
			decision.Outcome{Landed: 3, Held: none()}, decision.Outcome{Elsewhere: 3, Held: none()},
			decision.Outcome{Landed: 2, Elsewhere: 1, Held: none()}, decision.Outcome{Discarded: 1, Elsewhere: 1, Held: none()},
			decision.Outcome{Elsewhere: 2, Held: none()},
		)
	}
}

// TestDecisionBehindItsBatch: read from the start, a log holds the batch and the decision in one group.
func TestDecisionBehindItsBatch(t *testing.T) {
	d := newDecider(t, land.Settings{MaxAge: 30 * time.Minute})
	d.batch(d.hours(0, 4, 5))
	d.decide(decision.Discard, seqset.Range{From: 1, To: 2})
	d.decide(decision.Replay, seqset.Range{From: 0, To: 4})
	if n := d.land(); n != 3 {
		t.Errorf("%d groups; each has to wait for the one before it", n)
	}
	d.expectFates("[0,1) too_old held bytes", "[1,2) too_old discarded", "[2,4) too_old held", "readings [], 0 twice", "landed 0 quarantined 4")
}

// TestReplayOfWhatIsThere: a seq that stands in readings is not landed again, whoever put it there.
func TestReplayOfWhatIsThere(t *testing.T) {
	d := newDecider(t, land.Settings{MaxAge: 30 * time.Minute})
	d.batch(d.hours(0, 4, 5))
	d.land()
	m, _, _ := d.lake.Marks(t.Context())
	if err := d.lake.Commit(t.Context(), &table.Commit{Expect: m, Marks: m, Readings: []table.Run{{Device: "probe-1", Epoch: 1, Seq: []uint64{1}, EventTime: []int64{now}}}}); err != nil {
		t.Fatal(err)
	}
	d.settings(land.Settings{})
	d.decide(decision.Replay, seqset.Range{From: 0, To: 4})
	d.land()
	d.expectFates("[0,4) too_old replayed bytes", "readings [{0 4}], 0 twice", "landed 4 quarantined 0")
	d.expectHeard(decision.Outcome{Landed: 3, Present: 1, Held: none()})
}

func TestWhatCannotBeReadStaysHeld(t *testing.T) {
	d := newDecider(t, land.Settings{})
	h := header(1, 0, at(-10))
	h.Kind, h.Count, h.Codec = wire.KindReadings, 4, wire.Zstd
	sealed, err := wire.AppendSealed(nil, h, []byte("no zstd frame"))
	if err != nil {
		t.Fatal(err)
	}
	d.batch(wire.AppendEnvelope(nil, synced(), sealed))
	d.batch([]byte("HE but not quite"))
	d.batch(landtest.End(t, synced(), header(1, 6, at(0))))
	d.batch(landtest.Readings(t, synced(), header(1, 4, at(-10)), 1, 4, 1000))
	d.land()
	d.decide(decision.Replay, seqset.Range{From: 0, To: 8})
	d.logged(decision.Quarantine{Verb: decision.Discard, ID: "row", Record: &decision.Place{Log: d.log.ID, Offset: 1}})
	d.land()
	d.expectFates("[0,0) malformed discarded bytes", "[0,4) unreadable held bytes", "[6,8) beyond_end held bytes",
		"readings [{4 6}], 0 twice", "landed 2 quarantined 6")
	d.expectHeard(decision.Outcome{Elsewhere: 2, Held: map[string]uint64{land.Unreadable: 4, land.BeyondEnd: 2}}, decision.Outcome{Rows: 1, Held: none()})

	d.decide(decision.Discard, seqset.Range{From: 0, To: 8})
	d.land()
	d.expectFates("[0,0) malformed discarded bytes", "[0,4) unreadable discarded bytes", "[6,8) beyond_end discarded bytes",
		"readings [{4 6}], 0 twice", "landed 2 quarantined 6")
}

// TestReplayOfManyDays lands in parts, as such a batch does.
func TestReplayOfManyDays(t *testing.T) {
	d := newDecider(t, land.Settings{MaxAge: time.Hour})
	d.batch(landtest.Readings(t, synced(), header(1, 0, at(-200*86400)), 1, 200, 86400_000))
	d.batch(landtest.Readings(t, synced(), header(1, 200, at(-5*86400)), 1, 5, 86400_000))
	d.land()
	d.settings(land.Settings{})
	d.decide(decision.Replay, seqset.Range{From: 0, To: 205})
	if n := d.land(); n < 4 {
		t.Errorf("%d groups", n)
	}
	d.expectFates("[0,61) too_old replayed bytes", "[122,183) too_old replayed", "[183,200) too_old replayed", "[200,205) too_old replayed bytes",
		"[61,122) too_old replayed",
		"readings [{0 205}], 0 twice", "landed 205 quarantined 0")
	d.expectHeard(decision.Outcome{Landed: 205, Held: none()})
}

func TestDecisionOfALaterVersionStopsLanding(t *testing.T) {
	d := newDecider(t, land.Settings{})
	d.log.Append(land.KindReplay, "probe-1", now, []byte{0xa0})
	if _, err := d.try(); !errors.Is(err, land.ErrKind) {
		t.Errorf("%v, want ErrKind", err)
	}
}

// TestEveryHeldReadingHasOneFate: whatever is decided, in whatever order, by gateways of whatever rules that restart and
// whose commits fail, a reading stands in readings once, or in quarantine as held or discarded, and the figures agree.
func TestEveryHeldReadingHasOneFate(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		d := newDecider(t, land.Settings{MaxAge: time.Hour})
		next := uint64(0)
		for range rapid.IntRange(2, 12).Draw(rt, "steps") {
			switch rapid.IntRange(0, 4).Draw(rt, "step") {
			case 0, 1:
				rows := rapid.IntRange(1, 6).Draw(rt, "rows")
				d.batch(d.hours(next, rows, int64(rapid.IntRange(0, 6).Draw(rt, "old"))))
				next += uint64(rows)
			case 2, 3:
				from := rapid.Uint64Range(0, next+1).Draw(rt, "from")
				verb := rapid.SampledFrom([]decision.Verb{decision.Replay, decision.Replay, decision.Discard}).Draw(rt, "verb")
				d.decide(verb, seqset.Range{From: from, To: from + rapid.Uint64Range(1, 8).Draw(rt, "n")})
			case 4:
				d.land()
				d.settings(land.Settings{MaxAge: time.Duration(rapid.IntRange(0, 6).Draw(rt, "age")) * time.Hour})
			}
		}
		d.land()
		if err := oneFate(d.lake.Tables(), next); err != nil {
			rt.Fatalf("%v\n%s", err, d.fates())
		}
	})
}

func oneFate(tables landtest.Tables, next uint64) error {
	landed := map[uint64]int{}
	for i := range tables.Readings {
		for _, seq := range tables.Readings[i].Seq {
			landed[seq]++
		}
	}
	fates := map[uint64]string{}
	stay := uint64(0)
	for _, q := range tables.Quarantine {
		if q.Count != q.To-q.From || q.Count == 0 {
			return fmt.Errorf("row %+v", q)
		}
		for seq := q.From; seq < q.To; seq++ {
			if fates[seq] != "" {
				return fmt.Errorf("seq %d stands in quarantine twice", seq)
			}
			fates[seq] = q.Fate
		}
		if q.Fate != table.FateReplayed {
			stay += q.Count
		}
	}
	for seq := range next {
		if want := fates[seq] == "" || fates[seq] == table.FateReplayed; (landed[seq] == 1) != want || landed[seq] > 1 {
			return fmt.Errorf("seq %d landed %d times and its fate in quarantine is %q", seq, landed[seq], fates[seq])
		}
	}
	for key, c := range maps.All(tables.Cursors) {
		if c.Landed != uint64(len(landed)) || c.Quarantined != stay || c.Closed.Count() != next {
			return fmt.Errorf("cursor %v says landed %d, quarantined %d of %d; want %d and %d of %d", key, c.Landed, c.Quarantined, c.Closed.Count(),
				len(landed), stay, next)
		}
	}
	return nil
}

func none() map[string]uint64 { return map[string]uint64{} }
