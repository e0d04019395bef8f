package wiretest

import (
	"math"
	"math/bits"
	"slices"

	"github.com/headwater-iot/headwater/shared/record"
)

// FloorBits is what an ideal arithmetic coder with an adaptive order-0 model would need for the times and
// values of body: for each column the best of its decimal integers (with corrections, if any) as
// they are, their differences and second differences, and its raw bytes. Names, headers and the choice itself are free, so nothing that has
// to be decoded without knowing the answer reaches it.
func FloorBits(body *record.Body) float64 {
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
	for _, tolerance := range []int64{0, 63} { // sums and means of decimals end up that far beside one
		if decimal(ints, ulps, v, tolerance) {
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
	base, factor := centre(ints)
	known := firstCost(base) + firstCost(factor) // what was taken out is known at a price
	best := math.Inf(1)
	for form := 0; form <= 2 && form < len(v); form++ {
		d, head := append([]int64(nil), ints...), known
		for range form {
			head += firstCost(d[0])
			d = differences(d)
		}
		best = min(best, head+modelCost(d, true), head+modelCost(d, false))
	}
	return best
}

// centre takes the common factor out of v and moves it to the middle of its range, unless its differences are
// smaller; then the base is where v begins.
func centre(v []int64) (base, factor int64) {
	first, lo, hi := v[0], slices.Min(v), slices.Max(v)
	base, factor = first, 1
	if spread := uint64(hi) - uint64(lo); spread <= math.MaxInt64 {
		factor = common(v)
		base = lo + int64(spread/2)/factor*factor
	}
	for i := range v {
		v[i] = (v[i] - base) / factor
	}
	d := append([]int64(nil), v...)
	offset := length(d)
	for range min(2, len(v)-1) {
		d = differences(d)
		if length(d) < offset {
			return first, factor
		}
	}
	return base, factor
}

// length is the sum of the lengths of the numbers.
func length(v []int64) (n int) {
	for _, x := range v {
		n += bits.Len64(zigzag(x)) + 1
	}
	return n
}

func zigzag(v int64) uint64 { return uint64(v<<1) ^ uint64(v>>63) }

func differences(v []int64) []int64 {
	for i := range len(v) - 1 {
		v[i] = v[i+1] - v[i]
	}
	return v[:len(v)-1]
}

// common returns the greatest common divisor of the differences of v, 1 if there are none.
func common(v []int64) int64 {
	g := uint64(0)
	for _, x := range v {
		d := uint64(x - v[0])
		if x < v[0] {
			d = -d
		}
		for d != 0 {
			g, d = d, g%d
		}
	}
	return int64(max(g, 1))
}

// decimal finds the smallest scale at which every v[i] is the double ints[i]/10^scale, give or take ulps[i] units
// in the last place, at most tolerance.
func decimal(ints, ulps []int64, v []float64, tolerance int64) bool {
scales:
	for scale := range 16 {
		ten := math.Pow10(scale)
		for i, x := range v {
			n := math.RoundToEven(x * ten)
			off := int64(math.Float64bits(x) - math.Float64bits(n/ten))
			switch {
			case math.Float64bits(x) == 1<<63, !(math.Abs(n) < 1<<53):
				return false
			case off < -tolerance || off > tolerance:
				continue scales
			}
			ints[i], ulps[i] = int64(n), off
		}
		return true
	}
	return false
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
