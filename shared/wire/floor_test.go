package wire

import (
	"math"
	"math/bits"
	"slices"

	"github.com/headwater-iot/headwater/shared/record"
)

// floorBits is what an ideal arithmetic coder with an adaptive order-0 model would need for the times and
// values of body: for each column the best of its decimal integers (with corrections, if any) as
// they are, their differences and second differences, and its raw bytes. Names, headers and the choice itself are free, so nothing that has
// to be decoded without knowing the answer reaches it.
func floorBits(body *record.Body) float64 {
	sum := 0.0
	for i := range body.Groups {
		g := &body.Groups[i]
		sum += integerFloor(g.Times)
		for j := range g.Columns {
			sum += floatFloor(g.Columns[j].Floats)
		}
	}
	return sum
}

func floatFloor(v []float64) float64 {
	best := byteFloor(v)
	ints, ulps := make([]int64, len(v)), make([]int64, len(v))
	for _, tolerance := range []int64{0, maxUlps} {
		if _, ok := decimal(ints, ulps, v, tolerance); ok {
			cost := integerFloor(ints)
			if slices.ContainsFunc(ulps, func(u int64) bool { return u != 0 }) {
				cost += min(modelCost(ulps, true), modelCost(ulps, false))
			}
			best = min(best, cost)
		}
	}
	return best
}

func integerFloor(v []int64) float64 {
	ints := append([]int64(nil), v...)
	f := choose(ints) // takes the common factor out and centres; what it took out is known at a price
	known := firstCost(f.base) + firstCost(f.factor)
	best := math.Inf(1)
	for form := formOffset; form <= formDelta2 && form < len(v); form++ {
		d, head := append([]int64(nil), ints...), known
		for range form {
			head += firstCost(d[0])
			d = differences(d)
		}
		best = min(best, head+modelCost(d, true), head+modelCost(d, false))
	}
	return best
}

// firstCost is about an Elias delta code of a number nothing is known of.
func firstCost(x int64) float64 {
	n := float64(bits.Len64(zigzag(x)) + 1)
	return n + 2*math.Log2(n)
}

// modelCost codes d with a two-sided geometric distribution of running width, with one chance in fifty kept
// for an Elias code, so that the first of a kind costs its length and no more. With frequencies, counts are
// mixed in as "seen before, or else one of those".
func modelCost(d []int64, frequencies bool) float64 {
	seen := map[int64]float64{}
	width, total, cost := 1.0, 0.0, 0.0
	for _, x := range d {
		m := width / (total + 1)
		theta := (math.Sqrt(1+m*m) - 1) / m
		p := 0.98*(1-theta)/(1+theta)*math.Pow(theta, math.Abs(float64(x))) + 0.02*math.Exp2(-firstCost(x))
		if frequencies && total > 0 {
			distinct := float64(len(seen))
			p = seen[x]/(total+distinct) + distinct/(total+distinct)*p
		}
		cost -= math.Log2(p)
		seen[x]++
		total++
		width += math.Abs(float64(x))
	}
	return cost
}

// byteFloor codes each of the eight bytes of a double by the counts of that byte so far.
func byteFloor(v []float64) float64 {
	cost := 0.0
	for k := range 8 {
		var seen [256]float64
		distinct := 0.0
		for i, x := range v {
			b := byte(math.Float64bits(x) >> (8 * k))
			n := float64(i)
			if i > 0 {
				cost -= math.Log2(seen[b]/(n+distinct) + distinct/(n+distinct)/256)
			} else {
				cost += 8
			}
			if seen[b] == 0 {
				distinct++
			}
			seen[b]++
		}
	}
	return cost
}
