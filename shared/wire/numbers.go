package wire

import (
	"encoding/binary"
	"math"
	"math/bits"
	"slices"
)

// Forms of a list of integers, see BODY.md, section 3.
// Numbers are v[i] = base + factor*x[i], and the form says how d spells x.
const (
	formOffset = iota // x = d
	formDelta         // x[0] = 0, and d is the differences of neighbours
	formDelta2        // x[0] = 0, x[1] = step, and d is the differences of differences
)

// Tags of RFC 8746, all little-endian.
const (
	tagInt8    = 72
	tagInt16   = 77
	tagInt32   = 78
	tagInt64   = 79
	tagFloat32 = 85
	tagFloat64 = 86
)

// maxScale keeps 10^k exact as a double and decimal integers below 2^53 useful.
const maxScale = 15

// maxExact bounds the integers that a double holds exactly.
const maxExact = 1 << 53

func zigzag(v int64) uint64   { return uint64(v<<1) ^ uint64(v>>63) }
func unzigzag(u uint64) int64 { return int64(u>>1) ^ -int64(u&1) }

// forecast is the choice of a spelling for one list of integers.
type forecast struct {
	form   int
	bits   int // estimated size
	base   int64
	factor int64
}

// choose divides v, which is not empty, by what its differences have in common and estimates each form
// by the sum of the lengths of its zigzag numbers. A real entropy estimate costs eight times as much and
// chooses within 1 % of the same size. It leaves x in v.
func choose(v []int64) forecast {
	lo, hi := slices.Min(v), slices.Max(v)
	f := forecast{base: v[0], factor: 1}
	if spread := uint64(hi) - uint64(lo); spread <= math.MaxInt64 {
		f.factor = common(v)
		// The middle of the range keeps offsets in the narrowest type.
		f.base = lo + int64(spread/2)/f.factor*f.factor
	}
	offset, delta, delta2 := 0, 0, 0
	prev, step := int64(0), int64(0)
	for i := range v {
		x := v[i] - f.base
		if f.factor > 1 {
			x /= f.factor
		}
		v[i] = x
		offset += bits.Len64(zigzag(x))
		if i > 0 {
			d := x - prev
			delta += bits.Len64(zigzag(d))
			if i > 1 {
				delta2 += bits.Len64(zigzag(d - step))
			}
			step = d
		}
		prev = x
	}
	n := len(v)
	f.bits = offset + n
	if n > 1 && delta+n-1 < f.bits {
		f.form, f.bits = formDelta, delta+n-1
	}
	if n > 2 && delta2+n-2 < f.bits {
		f.form, f.bits = formDelta2, delta2+n-2
	}
	if f.form != formOffset {
		f.base += f.factor * v[0]
	}
	return f
}

// common returns the greatest common divisor of the differences of v, 1 if there are none: the step of a
// converter (1/1024 % is 9,765,625 in ten decimals) or of a clock that ticks in whole seconds.
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
		if g == 1 {
			break
		}
	}
	return int64(max(g, 1))
}

// appendNumbers appends what choose made of a list: x in v, and f. It overwrites v.
func appendNumbers(dst []byte, v []int64, f forecast, scale int) []byte {
	dst = appendHead(dst, majArray, uint64(5+f.form/formDelta2))
	dst = append(dst, byte(f.form), byte(scale))
	dst = appendInt(dst, f.factor)
	dst = appendInt(dst, f.base)
	if f.form >= formDelta {
		v = differences(v)
	}
	if f.form == formDelta2 {
		dst = appendInt(dst, v[0])
		v = differences(v)
	}
	return appendIntegers(dst, v)
}

// differences replaces v by the differences of neighbours.
func differences(v []int64) []int64 {
	for i := range len(v) - 1 {
		v[i] = v[i+1] - v[i]
	}
	return v[:len(v)-1]
}

// appendIntegers appends integers as null (all zero), or as the one of typed array, varints and Rice codes
// that ends up smallest after zstd.
func appendIntegers(dst []byte, v []int64) []byte {
	var all uint64
	varints := 0
	for _, x := range v {
		u := zigzag(x)
		all |= u
		varints += (bits.Len64(u|1) + 6) / 7
	}
	if all == 0 {
		return append(dst, cborNull)
	}
	from := len(dst)
	tag, width := narrowest(all)
	if varints < width*len(v) {
		dst = appendHead(dst, majBytes, uint64(varints))
		for _, x := range v {
			dst = appendZZ(dst, x)
		}
	} else {
		dst = appendHead(dst, majTag, tag)
		dst = appendHead(dst, majBytes, uint64(width*len(v)))
		dst = appendTyped(dst, v, width)
	}
	if shift, size := riceSize(v, all); size < deflated(dst[from:]) {
		return appendRice(dst[:from], v, shift, size)
	}
	return dst
}

func appendTyped(dst []byte, v []int64, width int) []byte {
	for _, x := range v {
		switch width {
		case 1:
			dst = append(dst, byte(x))
		case 2:
			dst = binary.LittleEndian.AppendUint16(dst, uint16(x))
		case 4:
			dst = binary.LittleEndian.AppendUint32(dst, uint32(x))
		default:
			dst = binary.LittleEndian.AppendUint64(dst, uint64(x))
		}
	}
	return dst
}

// What zstd pays beyond the entropy of a column alone, fitted on the recordings of BODY.md: one Huffman table
// serves all columns of a body, and each byte value in use takes room in it.
const (
	mixedTable = 1.25
	tableBits  = 6
)

// deflated estimates the bits that zstd makes of b.
func deflated(b []byte) int {
	var count [256]int
	for _, x := range b {
		count[x]++
	}
	n := float64(len(b))
	entropy, distinct := n*math.Log2(n), 0
	for _, c := range count {
		if c > 1 {
			entropy -= float64(c) * math.Log2(float64(c))
		}
		if c > 0 {
			distinct++
		}
	}
	return int(mixedTable*entropy) + tableBits*distinct
}

// narrowest returns the typed array for integers whose zigzag numbers are or-ed in all.
func narrowest(all uint64) (tag uint64, width int) {
	switch n := bits.Len64(all); {
	case n <= 8:
		return tagInt8, 1
	case n <= 16:
		return tagInt16, 2
	case n <= 32:
		return tagInt32, 4
	}
	return tagInt64, 8
}

// numbers reads a list of len(dst) integers and the scale it was written with.
func (r *items) numbers(dst []int64) (scale int) {
	if len(dst) == 0 {
		if !r.null() {
			r.fail("numbers of nothing")
		}
		return 0
	}
	n := r.array("numbers")
	form := r.limited(majUint, formDelta2, "form")
	scale = r.limited(majUint, maxScale, "scale")
	if n != 5+form/formDelta2 || form >= len(dst) {
		r.fail("numbers of another shape")
		return 0
	}
	factor, base := r.integer("factor"), r.integer("base")
	if factor < 1 {
		r.fail("factor below 1")
	}
	step := int64(0)
	if form == formDelta2 {
		step = r.integer("step")
	}
	r.integers(dst[form:])
	if r.err != nil {
		return 0
	}
	switch form {
	case formDelta:
		dst[0] = 0
		accumulate(dst)
	case formDelta2:
		dst[0], dst[1] = 0, step
		accumulate(dst[1:])
		accumulate(dst)
	}
	for i := range dst {
		dst[i] = base + factor*dst[i]
	}
	return scale
}

func accumulate(v []int64) {
	sum := v[0]
	for i := 1; i < len(v); i++ {
		sum += v[i]
		v[i] = sum
	}
}

// integers reads len(dst) integers.
func (r *items) integers(dst []int64) {
	switch {
	case r.null():
		clear(dst)
	case r.peek() == majArray|2:
		r.rice(dst)
	case r.peek()&0xe0 == majBytes:
		r.varints(dst)
	default:
		r.typed(dst)
	}
}

// varints reads minimal zigzag varints, exactly as many as dst takes.
func (r *items) varints(dst []int64) {
	b := r.bytes("varints")
	off := 0
	for i := range dst {
		if off < len(b) && b[off] < 0x80 {
			dst[i] = unzigzag(uint64(b[off]))
			off++
			continue
		}
		u, n := binary.Uvarint(b[min(off, len(b)):])
		if n <= 0 || b[off+n-1] == 0 {
			r.fail("varint")
			return
		}
		dst[i] = unzigzag(u)
		off += n
	}
	if off != len(b) {
		r.fail("bytes behind the varints")
	}
}

// typed reads an RFC 8746 array of signed integers.
func (r *items) typed(dst []int64) {
	tag := r.head(majTag, "typed array")
	b := r.bytes("typed array")
	width := 0
	switch tag {
	case tagInt8:
		width = 1
	case tagInt16:
		width = 2
	case tagInt32:
		width = 4
	case tagInt64:
		width = 8
	}
	if width == 0 || len(b) != width*len(dst) {
		r.fail("typed array of another type or length")
		return
	}
	switch width {
	case 1:
		for i := range dst {
			dst[i] = int64(int8(b[i]))
		}
	case 2:
		for i := range dst {
			dst[i] = int64(int16(binary.LittleEndian.Uint16(b[2*i:])))
		}
	case 4:
		for i := range dst {
			dst[i] = int64(int32(binary.LittleEndian.Uint32(b[4*i:])))
		}
	default:
		for i := range dst {
			dst[i] = int64(binary.LittleEndian.Uint64(b[8*i:]))
		}
	}
}

// powers holds 10^0 to 10^maxScale; each is exact.
var powers = [maxScale + 1]float64{1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15} // read only

// maxUlps is how far a value may lie from the decimal number it is coded as. Sums and means of decimal
// numbers end up a few units in the last place away from one; further off the correction stops paying.
const maxUlps = 63

// decimal finds the smallest scale at which every v[i] is the double ints[i]/10^scale, or lies at most
// tolerance units in the last place beside it; ulps[i] says how many. It reports false where there is no
// such scale: NaN, infinities, -0, and what needs more than 53 bits.
func decimal(ints, ulps []int64, v []float64, tolerance int64) (scale int, ok bool) {
	largest := 0.0
	for i, x := range v {
		if math.Float64bits(x) == 1<<63 {
			return 0, false
		}
		was := scale
		n, off := 0.0, int64(0)
		for ; ; scale++ {
			if scale > maxScale {
				return 0, false
			}
			n = math.RoundToEven(x * powers[scale])
			if !(math.Abs(n) < maxExact) {
				return 0, false
			}
			// Doubles of one sign are ordered as their bits are; a distance across 0 is far beyond any tolerance.
			off = int64(math.Float64bits(x) - math.Float64bits(n/powers[scale]))
			if -tolerance <= off && off <= tolerance {
				break
			}
		}
		if scale > was {
			// i/10^k and 10i/10^(k+1) are one real number and division rounds correctly, so what was
			// verified stays true as long as the larger integer is exact.
			if largest *= powers[scale-was]; largest >= maxExact {
				return 0, false
			}
			rescale(ints[:i], int64(powers[scale-was]))
		}
		largest = max(largest, math.Abs(n))
		ints[i], ulps[i] = int64(n), off
	}
	return scale, true
}

func rescale(v []int64, by int64) {
	for i := range v {
		v[i] *= by
	}
}
