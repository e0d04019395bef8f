package profile

import (
	"math"
	"math/big"

	"github.com/headwater-iot/headwater/gateway/internal/sketch"
	"github.com/headwater-iot/headwater/gateway/internal/table"
)

// squareLimit is up to where the square of a number is one.
const squareLimit = 1e150

// Fold is a profile in the making. It belongs to one goroutine at a time.
type Fold struct {
	count, nulls, flagged, numbers int64
	huge                           bool // a number has no square
	sum, squares                   sketch.Sum
	quantiles                      *sketch.Quantiles
	distinct                       sketch.Distinct
	unit, contract                 single
}

// NewFold returns the profile of no reading.
func NewFold() *Fold { return &Fold{quantiles: sketch.NewQuantiles()} }

// Add adds a reading.
func (f *Fold) Add(s *table.Sample) {
	f.count++
	if s.Quality != 0 {
		f.flagged++
	}
	f.unit.see(s.Unit)
	f.contract.see(s.Contract)
	if s.Null {
		f.nulls++
		return
	}
	if s.Exact {
		f.distinct.AddFloat(s.Number)
	} else {
		f.distinct.AddText(s.Content)
	}
	if math.IsNaN(s.Number) || math.IsInf(s.Number, 0) {
		return
	}
	f.numbers++
	f.sum.Add(s.Number)
	f.quantiles.Add(s.Number)
	if math.Abs(s.Number) > squareLimit {
		f.huge = true
	} else {
		f.squares.AddSquare(s.Number)
	}
}

// Merge adds the readings of other.
func (f *Fold) Merge(other *Fold) {
	f.count += other.count
	f.nulls += other.nulls
	f.flagged += other.flagged
	f.numbers += other.numbers
	f.huge = f.huge || other.huge
	f.sum.Merge(&other.sum)
	f.squares.Merge(&other.squares)
	f.quantiles.Merge(other.quantiles)
	f.distinct.Merge(&other.distinct)
	f.unit.merge(other.unit)
	f.contract.merge(other.contract)
}

// Row returns the figures; whoever asks adds the key, and what the row was made from.
func (f *Fold) Row() table.Profile {
	r := table.Profile{
		Unit: f.unit.text(), Contract: f.contract.text(),
		Count: f.count, Nulls: f.nulls, Flagged: f.flagged, Numbers: f.numbers,
		Min: math.NaN(), Max: math.NaN(), Mean: f.mean(), StdDev: f.deviation(),
		P05: f.quantiles.At(0.05), P50: f.quantiles.At(0.5), P95: f.quantiles.At(0.95),
		Distinct: f.distinct.Count(), Drift: math.NaN(),
	}
	if f.numbers > 0 {
		r.Min, r.Max = f.quantiles.Min(), f.quantiles.Max()
	}
	return r
}

func (f *Fold) mean() float64 {
	if f.numbers == 0 {
		return math.NaN()
	}
	// Division rounds to 53 bits, the only rounding there is.
	v, _ := new(big.Float).SetPrec(53).Quo(f.sum.Big(), count(f.numbers)).Float64()
	return v
}

// deviation is the sample standard deviation, sqrt((squares - sum²/n) / (n-1)), without the cancellation that it is
// known for: both terms are exact.
func (f *Fold) deviation() float64 {
	if f.numbers < 2 || f.huge {
		return math.NaN()
	}
	const exact = 5000 // bits; a sum has 2200, and its square twice as many
	n, sum := count(f.numbers), f.sum.Big()
	wide := func() *big.Float { return new(big.Float).SetPrec(exact) }
	spread := wide().Sub(wide().Mul(n, f.squares.Big()), wide().Mul(sum, sum)) // n times the sum of squared deviations
	variance, _ := spread.Quo(spread, wide().Mul(n, count(f.numbers-1))).Float64()
	return math.Sqrt(max(0, variance))
}

func count(n int64) *big.Float { return new(big.Float).SetInt64(n) }

// single is a text that all readings have, or nothing.
type single struct {
	value   string
	seen    bool
	several bool
}

func (s *single) see(v string) {
	switch {
	case !s.seen:
		s.value, s.seen = string([]byte(v)), true // v is a view
	case s.value != v:
		s.several = true
	}
}

func (s *single) merge(other single) {
	if other.seen {
		s.see(other.value)
	}
	s.several = s.several || other.several
}

func (s *single) text() string {
	if s.several {
		return ""
	}
	return s.value
}

// driftDays is how far back the row lies that one is compared with: a week has its own pattern.
const driftDays = 7

// drift says how far the median of a day moved from that of before, in units of the spread it had then. A spread within
// the error of the quantiles says nothing, so it counts as that error.
func drift(now, before *table.Profile) float64 {
	move := now.P50 - before.P50
	if move == 0 {
		return 0
	}
	return move / max(before.P95-before.P05, sketch.RelativeError*max(math.Abs(now.P50), math.Abs(before.P50)))
}
