package contract

import (
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"testing"

	"github.com/headwater-iot/headwater/shared/record"
)

// TestEveryCellHasOneFate judges random columns by random contracts: a cell has one fate, its bits say which rules it
// broke, nothing of the batch changes, and judging again gives the same.
func TestEveryCellHasOneFate(t *testing.T) {
	r := rand.New(rand.NewPCG(2026, 4))
	broken := map[Rule]int{}
	for range 1000 {
		c := randomContract(t, r)
		col, event := randomColumn(r)
		before := fmt.Sprintf("%+v", col)
		var state, again State
		cells := Cells{Column: col, Event: event, Received: 500e6}
		for range 2 { // the second time with what the first left
			v, w := c.Judge(cells, &state), c.Judge(cells, &again)
			if !reflect.DeepEqual(v.Fates, w.Fates) || !reflect.DeepEqual(v.Quality, w.Quality) || state != again {
				t.Fatal("judged twice, with two results")
			}
			for i := range col.Cells(len(event)) {
				f, q := fateOf(v, i), bitsOf(v, i)&^record.ContractMasked
				if f.Rule == "" && (f.Action != Flag || q != 0) || f.Rule != "" && q&f.Rule.Bit() == 0 {
					t.Fatalf("cell %d: %+v with bits %x", i, f, q)
				}
				broken[f.Rule]++
			}
		}
		if fmt.Sprintf("%+v", col) != before {
			t.Fatal("the batch was changed")
		}
	}
	for _, rule := range Rules() {
		if broken[rule] == 0 && rule != RuleAnomaly { // that needs a hundred calm readings first: TestAnomaly
			t.Errorf("nothing broke %s: the test is too tame", rule)
		}
	}
}

func randomContract(t *testing.T, r *rand.Rand) *Contract {
	t.Helper()
	pick := func(words ...string) string { return words[r.IntN(len(words))] }
	action := func() string { return pick("flag", "quarantine", "drop_with_gap") }
	own := []string{"onViolation", action(), "atMost", "{count: " + pick("3", "30") + ", per: 20s}"}
	if r.IntN(2) == 0 {
		own = append(own, "actions", "{late: "+action()+", excess: "+action()+", type: "+action()+"}")
	}
	series := pick("", "required: true, ")
	switch r.IntN(3) {
	case 0:
		own = append(own, "unit", pick("Cel", "K", "m"), "maxRate", "{change: "+pick("1", "50")+", per: 1s}", "stuck", "5s", "anomaly", "{threshold: 2}")
		series += "logicalType: " + pick("number", "integer") + ", logicalTypeOptions: {minimum: -10, maximum: 310}, "
		if r.IntN(3) == 0 {
			own = append(own, "enum", "[1, 2, 20, 293]")
		}
	case 1:
		series += "logicalType: string, logicalTypeOptions: {pattern: '^a', maxLength: 2}, "
		own = append(own, "enum", "[a, ab, b]", "pii", pick("hash", "mask"))
	case 2:
		series += "logicalType: boolean, "
		own = append(own, "stuck", "5s")
	}
	return of(t, series+ext(own...), extra("unknownSeries", pick("land", "flag", "quarantine")), extra("allowedLateness", "450s"),
		extra("futureSkew", "10s"), extra("onLate", action()), extra("onFuture", action()))
}

func randomColumn(r *rand.Rand) (*record.Column, []int64) {
	n := 1 + r.IntN(200)
	event := make([]int64, n)
	at := r.Int64N(400e6)
	for i := range event {
		at += r.Int64N(4e6) - 1e6
		event[i] = at
	}
	col := &record.Column{Series: []string{"x", "x", "x", "y"}[r.IntN(4)], Unit: []string{"Cel", "K", "", "m"}[r.IntN(4)], Kind: record.ValueKind(1 + r.IntN(6)), Null: make([]bool, n)}
	if r.IntN(2) == 0 {
		for i := range n {
			if r.IntN(2) == 0 {
				col.Rows = append(col.Rows, uint32(i))
			}
		}
		n = len(col.Rows)
		if col.Null = make([]bool, n); n == 0 {
			col.Rows = []uint32{}
		}
	}
	v := 20.0
	for i := range n {
		if r.IntN(3) > 0 {
			v += math.Round(r.NormFloat64()*100) / 100
		}
		switch x := math.Round(v); col.Kind {
		case record.Float:
			col.Floats = append(col.Floats, []float64{v, v, v, x, math.NaN(), math.Inf(1), 1e300}[r.IntN(7)])
		case record.Int:
			col.Ints = append(col.Ints, []int64{int64(x), int64(x), math.MaxInt64 - int64(i)}[r.IntN(3)])
		case record.Uint:
			col.Uints = append(col.Uints, []uint64{20, uint64(i), math.MaxUint64}[r.IntN(3)])
		case record.Text:
			col.Texts = append(col.Texts, []string{"a", "ab", "abc", "b", "\xff"}[r.IntN(5)])
		case record.Bool:
			col.Bools = append(col.Bools, r.IntN(9) > 0)
		case record.Bytes:
			col.Blobs = append(col.Blobs, []byte{byte(i)})
		}
		col.Null[i] = r.IntN(10) == 0
	}
	return col, event
}
