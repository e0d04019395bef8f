package sketch

import (
	"math"

	"github.com/DataDog/sketches-go/ddsketch"
	"github.com/DataDog/sketches-go/ddsketch/mapping"
	"github.com/DataDog/sketches-go/ddsketch/store"
)

// RelativeError of a quantile. At 1 %, the usual one, all air pressures of a day would be the same.
const RelativeError = 0.001

// Quantiles counts values in buckets whose bounds grow by a constant factor: the DDSketch of Masson, Rim and Lee
// (2019), of any width, because one that collapses buckets depends on the order of what it was given.
type Quantiles struct {
	dd       *ddsketch.DDSketch
	min, max float64
}

// NewQuantiles returns an empty sketch.
func NewQuantiles() *Quantiles {
	m, err := mapping.NewCubicallyInterpolatedMapping(RelativeError)
	if err != nil {
		panic("sketch: " + err.Error()) // constant input
	}
	return &Quantiles{
		dd:  ddsketch.NewDDSketchFromStoreProvider(m, store.BufferedPaginatedStoreConstructor),
		min: math.Inf(1), max: math.Inf(-1),
	}
}

// Add adds a finite v.
func (q *Quantiles) Add(v float64) {
	q.min, q.max = min(q.min, v), max(q.max, v)
	limit := q.dd.MaxIndexableValue() // 1.2e308: what is beyond counts as that
	if err := q.dd.Add(max(-limit, min(v, limit))); err != nil {
		panic("sketch: " + err.Error())
	}
}

// Merge adds all that was added to other.
func (q *Quantiles) Merge(other *Quantiles) {
	q.min, q.max = min(q.min, other.min), max(q.max, other.max)
	if err := q.dd.MergeWith(other.dd); err != nil {
		panic("sketch: " + err.Error()) // one mapping for all
	}
}

// Min and Max are exact; infinite while there is nothing.
func (q *Quantiles) Min() float64 { return q.min }

// Max is the greatest value.
func (q *Quantiles) Max() float64 { return q.max }

// At returns the value of rank floor(p*(n-1)), within RelativeError; 0 <= p <= 1. Of nothing it returns NaN. The
// library's own GetValueAtQuantile takes the next rank up among negative values.
func (q *Quantiles) At(p float64) float64 {
	n := q.dd.GetCount()
	if n == 0 {
		return math.NaN()
	}
	rank := math.Floor(p * (n - 1))
	negative, zero := q.dd.GetNegativeValueStore(), q.dd.GetZeroCount()
	below := negative.TotalCount()
	v := 0.0
	switch {
	case rank < below:
		v = -q.dd.Value(negative.KeyAtRank(below - 1 - rank))
	case rank >= below+zero:
		v = q.dd.Value(q.dd.GetPositiveValueStore().KeyAtRank(rank - below - zero))
	}
	return max(q.min, min(v, q.max))
}
