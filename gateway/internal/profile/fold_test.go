package profile

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/headwater-iot/headwater/gateway/internal/table"
	"github.com/headwater-iot/headwater/shared/record"
)

// sample draws a reading of any kind.
func sample(t *rapid.T) table.Sample {
	s := table.Sample{
		Unit: rapid.SampledFrom([]string{"Cel", "Cel", "Cel", "K", ""}).Draw(t, "unit"), Number: math.NaN(),
		Contract: rapid.SampledFrom([]string{"", "a@1"}).Draw(t, "contract"),
		Quality:  record.Quality(rapid.SampledFrom([]int{0, 0, 1, 256}).Draw(t, "quality")),
	}
	switch rapid.IntRange(0, 9).Draw(t, "kind") {
	case 0:
		s.Null = true
	case 1:
		s.Content = rapid.SampledFrom([]string{"", "open", "shut"}).Draw(t, "text")
	case 2:
		s.Content, s.Number = "9007199254740993", 9007199254740992
	case 3:
		s.Number, s.Exact = rapid.SampledFrom([]float64{math.NaN(), math.Inf(1), math.Inf(-1), 1e200}).Draw(t, "special"), true
	default:
		s.Number, s.Exact = rapid.Float64Range(-1e3, 1e3).Draw(t, "number"), true
	}
	return s
}

func fold(samples []table.Sample) *Fold {
	f := NewFold()
	for i := range samples {
		f.Add(&samples[i])
	}
	return f
}

func TestAnyOrderAnySplit(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		samples := rapid.SliceOfN(rapid.Custom(sample), 1, 200).Draw(t, "samples")
		want := fold(samples).Row()
		r := rand.New(rand.NewPCG(1, rapid.Uint64().Draw(t, "seed")))
		r.Shuffle(len(samples), func(i, j int) { samples[i], samples[j] = samples[j], samples[i] })
		var parts []*Fold
		for left := samples; len(left) > 0; {
			n := 1 + r.IntN(len(left))
			parts, left = append(parts, fold(left[:n])), left[n:]
		}
		for len(parts) > 1 {
			i := r.IntN(len(parts) - 1)
			parts[i].Merge(parts[i+1])
			parts = slices.Delete(parts, i+1, i+2)
		}
		if diff := cmp.Diff(want, parts[0].Row(), cmpopts.EquateNaNs()); diff != "" {
			t.Fatalf("another order gives another row:\n%s", diff)
		}
	})
}

func TestRowOfKnownReadings(t *testing.T) {
	number := func(v float64, unit string) table.Sample { return table.Sample{Number: v, Exact: true, Unit: unit} }
	big := number(1e8+1, "Cel")
	big.Quality = record.ContractRange
	for name, c := range map[string]struct {
		samples []table.Sample
		want    table.Profile
	}{
		"numbers that cancel": {
			[]table.Sample{number(1e8, "Cel"), big, number(1e8+2, "Cel"), {Null: true, Number: math.NaN(), Unit: "Cel"}},
			table.Profile{Unit: "Cel", Count: 4, Nulls: 1, Flagged: 1, Numbers: 3, Min: 1e8, Max: 1e8 + 2, Mean: 1e8 + 1, StdDev: 1, P05: 1e8, P50: 1e8 + 1, P95: 1e8 + 1, Distinct: 3},
		},
		"texts": {
			[]table.Sample{{Content: "on", Number: math.NaN()}, {Content: "off", Number: math.NaN(), Contract: "a@1"}, {Content: "on", Number: math.NaN()}},
			table.Profile{Count: 3, Min: math.NaN(), Max: math.NaN(), Mean: math.NaN(), StdDev: math.NaN(), P05: math.NaN(), P50: math.NaN(), P95: math.NaN(), Distinct: 2},
		},
		"no number, one, and a number without a square": {
			[]table.Sample{number(math.NaN(), "V"), number(math.Inf(1), "V"), number(1e160, "V"), number(1e160, "V")},
			table.Profile{Unit: "V", Count: 4, Numbers: 2, Min: 1e160, Max: 1e160, Mean: 1e160, StdDev: math.NaN(), P05: 1e160, P50: 1e160, P95: 1e160, Distinct: 3},
		},
		"units that changed": {
			[]table.Sample{number(20, "Cel"), number(293.15, "K")},
			table.Profile{Count: 2, Numbers: 2, Min: 20, Max: 293.15, Mean: 156.575, StdDev: 193.1532, P05: 20, P50: 20, P95: 20, Distinct: 2},
		},
	} {
		c.want.Drift = math.NaN()
		if diff := cmp.Diff(c.want, fold(c.samples).Row(), cmpopts.EquateNaNs(), cmpopts.EquateApprox(1e-3, 0)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestDrift(t *testing.T) {
	day := func(p05, p50, p95 float64) *table.Profile { return &table.Profile{P05: p05, P50: p50, P95: p95} }
	none := math.NaN()
	for name, c := range map[string]struct {
		before, now *table.Profile
		want        float64
	}{
		"half the spread up":           {day(18, 20, 22), day(20, 22, 24), 0.5},
		"the same":                     {day(18, 20, 22), day(0, 20, 90), 0},
		"from a constant":              {day(20, 20, 20), day(22, 22, 22), 2 / 0.022},
		"from nothing, and to nothing": {day(0, 0, 0), day(0, 0, 0), 0},
		"from zero":                    {day(0, 0, 0), day(-5, -5, -5), -1000},
		"no number then":               {day(none, none, none), day(1, 2, 3), none},
		"no number now":                {day(1, 2, 3), day(none, none, none), none},
	} {
		if got := drift(c.now, c.before); !cmp.Equal(got, c.want, cmpopts.EquateNaNs(), cmpopts.EquateApprox(1e-12, 0)) {
			t.Errorf("%s: drift is %v, want %v", name, got, c.want)
		}
	}
}
