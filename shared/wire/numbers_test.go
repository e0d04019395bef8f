package wire

import (
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// TestEverySpellingOfIntegersIsRead writes the same integers in each way a body may hold them, whatever
// the encoder would have chosen.
func TestEverySpellingOfIntegersIsRead(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		bound := int64(1) << rapid.IntRange(0, 62).Draw(t, "bits")
		want := rapid.SliceOfN(rapid.Int64Range(-bound, bound-1), 1, 50).Draw(t, "integers")
		var all uint64
		for _, x := range want {
			all |= zigzag(x)
		}
		var varints []byte
		for _, x := range want {
			varints = appendZZ(varints, x)
		}
		spellings := map[string][]byte{
			"chosen":  appendIntegers(nil, want),
			"varints": append(appendHead(nil, majBytes, uint64(len(varints))), varints...),
		}
		_, least := narrowest(all)
		for tag, width := range map[uint64]int{tagInt8: 1, tagInt16: 2, tagInt32: 4, tagInt64: 8} {
			if width >= least {
				b := appendHead(appendHead(nil, majTag, tag), majBytes, uint64(width*len(want)))
				spellings["typed"+string(rune('0'+width))] = appendTyped(b, want, width)
			}
		}
		shift := rapid.IntRange(0, maxShift).Draw(t, "shift")
		size := 0
		for _, x := range want {
			if q := zigzag(x) >> shift; q < riceLimit {
				size += int(q) + 1 + shift
			} else {
				size += riceLimit + 1 + 64
			}
		}
		spellings["rice"] = appendRice(nil, want, shift, size)
		if best, n := riceSize(want, all); n != math.MaxInt {
			spellings["best rice"] = appendRice(nil, want, best, n)
		}
		for name, b := range spellings {
			r, got := items{b: b}, make([]int64, len(want))
			r.integers(got)
			if r.err != nil || r.off != len(b) || !slices.Equal(got, want) {
				t.Fatalf("%s: %v came back as %v, %d of %d bytes: %v", name, want, got, r.off, len(b), r.err)
			}
		}
	})
}

// TestDecimalFindsTheFewestDigits holds the search for a scale to values whose digits are known.
func TestDecimalFindsTheFewestDigits(t *testing.T) {
	for name, c := range map[string]struct {
		v         []float64
		tolerance int64
		scale     int
		ok        bool
	}{
		"whole":                     {[]float64{1, -2, 3e15}, 0, 0, true},
		"rescaled":                  {[]float64{1, 0.5, 0.25}, 0, 2, true},
		"a thousandth":              {[]float64{0.001, 1234.567}, 0, 3, true},
		"1/1024":                    {[]float64{1.0 / 1024}, 0, 10, true},
		"2^53":                      {[]float64{1 << 53}, 0, 0, false},
		"rescaled past 2^53":        {[]float64{9e15, 0.1}, 0, 0, false},
		"minus zero":                {[]float64{math.Copysign(0, -1)}, 0, 0, false},
		"NaN":                       {[]float64{math.NaN()}, maxUlps, 0, false},
		"infinity":                  {[]float64{math.Inf(-1)}, maxUlps, 0, false},
		"noise":                     {[]float64{74.93588199999998}, maxUlps, 6, true},
		"minus zero near a decimal": {[]float64{math.Copysign(0, -1)}, maxUlps, 0, false},
		"tiny":                      {[]float64{5e-324}, 0, 0, false},
	} {
		ints, ulps := make([]int64, len(c.v)), make([]int64, len(c.v))
		scale, ok := decimal(ints, ulps, c.v, c.tolerance)
		if ok != c.ok || ok && scale != c.scale {
			t.Errorf("%s: scale %d, %v, want %d, %v", name, scale, ok, c.scale, c.ok)
			continue
		}
		for i, x := range c.v {
			back := math.Float64frombits(math.Float64bits(float64(ints[i])/powers[scale]) + uint64(ulps[i]))
			if ok && math.Float64bits(back) != math.Float64bits(x) {
				t.Errorf("%s: %v came back as %v", name, x, back)
			}
		}
	}
}
