package contract

import (
	"math"
	"testing"

	"github.com/headwater-iot/headwater/shared/record"
)

// batch is what one batch of a series has, and what should become of it.
type batch struct {
	seconds []int64
	col     *record.Column
	want    string
}

func TestStatefulRules(t *testing.T) {
	rate := ext("maxRate", "{change: 60, per: 1m}")
	hold := ext("maxRate", "{change: 60, per: 1m}", "onViolation", "quarantine")
	stuck := ext("stuck", "10s")
	atMost := ext("atMost", "{count: 2, per: 10s}", "onViolation", "drop_with_gap")
	nan := math.NaN()
	for _, tt := range []struct {
		name, series string
		batches      []batch
	}{
		{"rate, as fast as allowed", "logicalType: number, " + rate, []batch{{[]int64{0, 1, 3}, floats("", 21.7, 22.7, 24.7), ". . ."}}},
		{"rate, but for the last bits", "logicalType: number, " + ext("maxRate", "{change: 0.1, per: 1s}"), []batch{{[]int64{0, 1, 2}, floats("", 0.3, 0.4, 0.51), ". . rate/flag"}}},
		{"rate, both ways", "logicalType: number, " + rate, []batch{{[]int64{0, 1, 2}, floats("", 0, 1.5, 0), ". rate/flag rate/flag"}}},
		{"rate across batches", "logicalType: number, " + rate, []batch{
			{[]int64{0}, floats("", 0), "."},
			{[]int64{1}, floats("", 2), "rate/flag"},
			{[]int64{100}, floats("", 50), "."},
		}},
		{"rate of integers", "logicalType: integer, " + rate, []batch{{[]int64{0, 1, 2}, ints(5, 6, 8), ". . rate/flag"}}},
		{"rate after conversion", "logicalType: number, " + ext("unit", "Cel", "maxRate", "{change: 1, per: 1s}"), []batch{
			{[]int64{0}, floats("Cel", 20), "."},
			{[]int64{1}, floats("K", 293.65), "."},
		}},
		{"a quarantined value moves nothing", "logicalType: number, " + hold, []batch{
			{[]int64{0, 1}, floats("", 0, 9), ". rate/quarantine"},
			{[]int64{2}, floats("", 2), "."},
			{[]int64{3, 20}, floats("", 12, 12), "rate/quarantine ."},
		}},
		{"a value out of range moves nothing", "logicalType: number, logicalTypeOptions: {maximum: 100}, " + rate, []batch{
			{[]int64{0, 1, 2}, floats("", 20, 850, 21), ". range/flag ."},
		}},
		{"a value in another unit moves nothing", "logicalType: number, " + ext("unit", "Cel", "maxRate", "{change: 1, per: 1s}"), []batch{
			{[]int64{0}, floats("Cel", 20), "."},
			{[]int64{1}, floats("Pa", 101325), "unit/flag"},
			{[]int64{2}, floats("Cel", 20), "."},
		}},
		{"NaN, infinity and null move nothing", "logicalType: number, " + rate, []batch{
			{[]int64{0, 1, 2, 3, 4}, nulls(floats("", 0, nan, math.Inf(1), 0, 1), 3), ". . . . ."},
		}},
		{"older than the state", "logicalType: number, " + rate, []batch{
			{[]int64{100}, floats("", 0), "."},
			{[]int64{10, 11, 12}, floats("", 500, 501, 510), ". . rate/flag"},
			{[]int64{101}, floats("", 1), "."},
		}},
		{"the same time twice", "logicalType: number, " + rate, []batch{{[]int64{5, 5, 5}, floats("", 0, 100, 200), ". . ."}}},
		{"stuck", "logicalType: number, " + stuck, []batch{
			{[]int64{0, 5, 9}, floats("", 1, 1, 1), ". . ."},
			{[]int64{10, 11, 12}, floats("", 1, 2, 2), "stuck/flag . ."},
			{[]int64{21}, floats("", 2), "stuck/flag"},
		}},
		{"stuck boolean", "logicalType: boolean, " + stuck, []batch{{[]int64{0, 9, 18, 28}, bools(true, false, false, false), ". . . stuck/flag"}, {[]int64{29}, bools(false), "stuck/flag"}}},
		{"stuck and held", "logicalType: number, " + ext("stuck", "10s", "onViolation", "quarantine"), []batch{
			{[]int64{0, 10, 20, 21}, floats("", 1, 1, 1, 2), ". stuck/quarantine stuck/quarantine ."},
		}},
		{"at most", "logicalType: number, " + atMost, []batch{
			{[]int64{0, 1, 2}, floats("", 1, 2, 3), ". . excess/drop_with_gap"},
			{[]int64{9, 10}, floats("", 4, 5), "excess/drop_with_gap ."},
		}},
		{"at most, at one instant", "logicalType: number, " + atMost, []batch{{[]int64{3, 3, 3}, floats("", 1, 1, 1), ". . excess/drop_with_gap"}}},
		{"at most, of texts, nulls and NaN", atMost, []batch{
			{[]int64{0, 1}, nulls(texts("a", ""), 1), ". ."},
			{[]int64{2}, floats("", nan), "excess/drop_with_gap"},
		}},
		{"at most, before 1970", atMost, []batch{{[]int64{-1, -2, -10, -11}, ints(1, 1, 1, 1), ". . excess/drop_with_gap ."}}},
		{"at most, of a backlog", atMost, []batch{
			{[]int64{100, 101}, ints(1, 1), ". ."},
			{[]int64{1, 2, 3}, ints(1, 1, 1), ". . excess/drop_with_gap"},
			{[]int64{102}, ints(1), "excess/drop_with_gap"},
		}},
	} {
		t.Run(tt.name, func(t *testing.T) { play(t, of(t, tt.series), tt.batches) })
	}
}

// play judges batches one after the other, and each a second time to see that only the state moved.
func play(t *testing.T, c *Contract, batches []batch) {
	t.Helper()
	var state State
	for i, b := range batches {
		event := make([]int64, len(b.seconds))
		for k, s := range b.seconds {
			event[k] = s * 1_000_000
		}
		before := state
		got := story(c.Judge(Cells{Column: b.col, Event: event, Received: 0}, &state), len(event))
		again := story(c.Judge(Cells{Column: b.col, Event: event, Received: 0}, &before), len(event))
		if got != b.want || again != got || before != state {
			t.Errorf("batch %d: got  %s\nwant %s\nagain %s", i, got, b.want, again)
		}
	}
}

// TestFutureMovesNothing: one reading of the year 2106 must not make all that follow old.
func TestFutureMovesNothing(t *testing.T) {
	c := of(t, "logicalType: number, "+ext("maxRate", "{change: 1, per: 1s}", "atMost", "{count: 9, per: 1s}"), extra("futureSkew", "1m"))
	var state State
	col := floats("", 0, 0, 50)
	v := c.Judge(Cells{Column: col, Event: []int64{0, 4291747200e6, 1e6}, Received: 2e6}, &state)
	if got := story(v, 3); got != ". future/flag rate/flag" {
		t.Error(got)
	}
}

// TestNoState: a contract whose state is lost, or is not kept, still judges what one cell says.
func TestNoState(t *testing.T) {
	c := of(t, "logicalType: number, logicalTypeOptions: {maximum: 1}, "+ext("stuck", "1s"))
	if got := story(c.Judge(Cells{Column: floats("", 1, 2), Event: every(2)}, nil), 2); got != ". range/flag" {
		t.Error(got)
	}
}

func TestAnomaly(t *testing.T) {
	c := of(t, "logicalType: number, "+ext("anomaly", "{threshold: 6}", "onViolation", "quarantine"))
	var values []float64
	for i := range 400 {
		values = append(values, math.Sin(float64(i)/3)+0.01*float64(i%7))
	}
	values[300] = 25 // a spike, and back
	var state State
	flagged := 0
	for from := 0; from < len(values); from += 40 { // across batches
		event := make([]int64, 40)
		for k := range event {
			event[k] = int64(from+k) * 1_000_000
		}
		v := c.Judge(Cells{Column: floats("", values[from:from+40]...), Event: event}, &state)
		for k := range event {
			if f := fateOf(v, k); f != (Fate{}) || bitsOf(v, k) != 0 {
				flagged++
				if i := from + k; i != 300 || f != (Fate{Flag, RuleAnomaly}) || bitsOf(v, k) != record.ContractAnomaly {
					t.Errorf("reading %d: %v", i, f)
				}
			}
		}
	}
	if flagged != 1 {
		t.Errorf("%d readings flagged, want the spike, and not the way back", flagged)
	}
	var fresh State
	fresh.learn(1, 6)
	fresh.learn(math.MaxFloat64, 6)
	if fresh.Mean != 1 || fresh.Variance != 0 {
		t.Errorf("an absurd step spoiled what was learned: %+v", fresh)
	}
}

// TestVoidRowsMoveNothing: a reading of tomorrow, which landing rejects or flags, must not make all of today's old.
func TestVoidRowsMoveNothing(t *testing.T) {
	c, err := Parse("climate.odcs.yaml", []byte(climate))
	if err != nil {
		t.Fatal(err)
	}
	const minute = 60_000_000
	col := &record.Column{Series: "temperature", Unit: "Cel", Kind: record.Float, Floats: []float64{10, 80, 20}}
	cells := Cells{Column: col, Event: []int64{0, 1e12, minute}, Void: []bool{false, true, false}}
	var s State
	got := c.Judge(cells, &s)
	if s.Event != minute || s.Value != 20 {
		t.Errorf("state %+v, want the third reading", s)
	}
	if got.Fates == nil || got.Fates[2].Rule != RuleRate || got.Fates[1].Rule != "" {
		t.Errorf("fates %+v, want the third alone to move too fast", got.Fates)
	}
}
