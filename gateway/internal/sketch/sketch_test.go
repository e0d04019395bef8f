package sketch

import (
	"math"
	"math/big"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"

	"pgregory.net/rapid"
)

// all is every sketch of the same values.
type all struct {
	sum, squares Sum
	quantiles    *Quantiles
	distinct     Distinct
}

func of(values []float64) *all {
	a := &all{quantiles: NewQuantiles()}
	for _, v := range values {
		a.sum.Add(v)
		if math.Abs(v) < 1e150 {
			a.squares.AddSquare(v)
		}
		a.quantiles.Add(v)
		a.distinct.AddFloat(v)
	}
	return a
}

func (a *all) merge(b *all) {
	a.sum.Merge(&b.sum)
	a.squares.Merge(&b.squares)
	a.quantiles.Merge(b.quantiles)
	a.distinct.Merge(&b.distinct)
}

// seen is all that a caller can learn.
func (a *all) seen() [7]float64 {
	q := a.quantiles
	return [7]float64{a.sum.Float(), a.squares.Float(), q.Min(), q.Max(), q.At(0.05), q.At(0.95), float64(a.distinct.Count())}
}

func TestAnyOrderAnySplit(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		values := rapid.SliceOfN(rapid.Float64(), 1, 300).Draw(t, "values")
		if n := rapid.SampledFrom([]int{0, 0, 5000, 20_000}).Draw(t, "more"); n > 0 { // beyond what Distinct counts one by one
			r := rand.New(rand.NewPCG(1, uint64(n)))
			for range n {
				values = append(values, r.NormFloat64())
			}
		}
		want := of(values).seen()
		r := rand.New(rand.NewPCG(2, rapid.Uint64().Draw(t, "seed")))
		r.Shuffle(len(values), func(i, j int) { values[i], values[j] = values[j], values[i] })
		var parts []*all
		for left := values; len(left) > 0; {
			n := 1 + r.IntN(len(left))
			parts, left = append(parts, of(left[:n])), left[n:]
		}
		for len(parts) > 1 { // a tree of any form
			i := r.IntN(len(parts) - 1)
			parts[i].merge(parts[i+1])
			parts = slices.Delete(parts, i+1, i+2)
		}
		if got := parts[0].seen(); got != want {
			t.Fatalf("%v in another order, want %v", got, want)
		}
	})
}

func TestSumIsExact(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		values := rapid.SliceOf(rapid.OneOf(rapid.Float64(), rapid.Just(math.MaxFloat64), rapid.Just(-math.MaxFloat64),
			rapid.Just(math.SmallestNonzeroFloat64), rapid.Float64Range(-1, 1))).Draw(t, "values")
		var s, squares Sum
		want, wantSquares := new(big.Rat), new(big.Rat)
		for _, v := range values {
			r := new(big.Rat)
			r.SetFloat64(v)
			s.Add(v)
			want.Add(want, r)
			if a := math.Abs(v); a < 1e150 && (a > 1e-140 || a == 0) {
				squares.AddSquare(v)
				wantSquares.Add(wantSquares, r.Mul(r, r))
			}
		}
		s.carry() // as after 2^30 additions
		if got, _ := s.Big().Rat(nil); got.Cmp(want) != 0 {
			t.Fatalf("sum of %v is %v, want %v", values, got, want)
		}
		if got, _ := squares.Big().Rat(nil); got.Cmp(wantSquares) != 0 {
			t.Fatalf("sum of squares of %v is %v, want %v", values, got, wantSquares)
		}
	})
}

func TestQuantiles(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		values := rapid.SliceOfN(rapid.Float64Range(-1e308, 1e308), 1, 200).Draw(t, "values")
		p := rapid.Float64Range(0, 1).Draw(t, "p")
		got := of(values).quantiles.At(p)
		slices.Sort(values)
		want := values[int(p*float64(len(values)-1))]
		if math.Abs(got-want) > RelativeError*(1+1e-9)*math.Abs(want)+1e-300 {
			t.Fatalf("At(%v) is %v, want %v", p, got, want)
		}
	})
	if v := NewQuantiles().At(0.5); !math.IsNaN(v) {
		t.Errorf("the median of nothing is %v", v)
	}
}

func TestDistinct(t *testing.T) {
	for _, n := range []int{0, 1, 100, DistinctExact, DistinctExact + 1, 50_000, 500_000} {
		var numbers, texts Distinct
		for range 2 {
			for i := range n {
				numbers.AddFloat(20 + float64(i)/100)
				texts.AddText("value " + strconv.Itoa(i))
			}
		}
		for name, d := range map[string]*Distinct{"numbers": &numbers, "texts": &texts} {
			got := d.Count()
			allowed := 4 * DistinctError * float64(n) // four standard errors
			if n <= DistinctExact {
				allowed = 0
			}
			if math.Abs(float64(got)-float64(n)) > allowed {
				t.Errorf("%d of %d %s", got, n, name)
			}
			var empty Distinct
			if empty.Merge(d); empty.Count() != got {
				t.Errorf("%d of %d %s when merged into nothing, and %d before", empty.Count(), n, name, got)
			}
		}
	}
	var d Distinct
	for _, v := range []float64{0, math.Copysign(0, -1), math.NaN(), -math.NaN()} {
		d.AddFloat(v)
	}
	if got := d.Count(); got != 2 {
		t.Errorf("both zeros and both NaN are %d numbers, want 2", got)
	}
}

func BenchmarkAdd(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 1))
	values := make([]float64, 1<<16)
	for i := range values {
		values[i] = math.Round(2000+100*r.NormFloat64()) / 100
	}
	for name, add := range map[string]func(*all, float64){
		"sum":       func(a *all, v float64) { a.sum.Add(v) },
		"square":    func(a *all, v float64) { a.squares.AddSquare(v) },
		"quantiles": func(a *all, v float64) { a.quantiles.Add(v) },
		"distinct":  func(a *all, v float64) { a.distinct.AddFloat(v) },
	} {
		b.Run(name, func(b *testing.B) {
			a := of(nil)
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				add(a, values[i&(1<<16-1)])
			}
		})
	}
}
