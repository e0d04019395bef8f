package wire

import (
	"encoding/binary"
	"math"
	"math/bits"
)

// Forms of a list of integers, see BODY.md, section 3.
const (
	formOffset = iota // v[i] = base + d[i]
	formDelta         // v[i] = v[i-1] + d[i-1], v[0] = base
	formDelta2        // the same of the differences, the first of which is step
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

// forecast is the choice of a form for one list of integers.
type forecast struct {
	form int
	bits int   // estimated size
	base int64 // formOffset only
}

// choose estimates each form by the sum of the lengths of its zigzag numbers. A real entropy
// estimate costs eight times as much and chooses within 1 % of the same size.
func choose(v []int64) forecast {
	lo, hi := v[0], v[0]
	var delta, delta2 int
	prev, step := v[0], int64(0)
	for i, x := range v {
		lo, hi = min(lo, x), max(hi, x)
		if i == 0 {
			continue
		}
		d := x - prev
		if i > 1 {
			delta2 += bits.Len64(zigzag(d - step))
		}
		delta += bits.Len64(zigzag(d))
		prev, step = x, d
	}
	// The middle of the range keeps offsets in the narrowest type; the difference cannot overflow a uint64.
	base := lo + int64((uint64(hi)-uint64(lo))/2)
	offset := 0
	for _, x := range v {
		offset += bits.Len64(zigzag(x - base))
	}
	n := len(v)
	best := forecast{formOffset, offset + n, base}
	if n > 1 && delta+n-1 < best.bits {
		best = forecast{formDelta, delta + n - 1, v[0]}
	}
	if n > 2 && delta2+n-2 < best.bits {
		best = forecast{formDelta2, delta2 + n - 2, v[0]}
	}
	return best
}

// appendNumbers appends v, which is not empty, in the form f. It overwrites v.
func appendNumbers(dst []byte, v []int64, f forecast, scale int) []byte {
	size := uint64(4)
	if f.form == formDelta2 {
		size = 5
	}
	dst = appendHead(dst, majArray, size)
	dst = append(dst, byte(f.form), byte(scale))
	dst = appendInt(dst, f.base)
	switch f.form {
	case formOffset:
		for i := range v {
			v[i] -= f.base
		}
	case formDelta:
		v = differences(v)
	case formDelta2:
		v = differences(v)
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

// appendIntegers appends integers as null (all zero), the narrowest typed array, or varints.
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
	tag, width := narrowest(all)
	if varints < width*len(v) {
		dst = appendHead(dst, majBytes, uint64(varints))
		for _, x := range v {
			dst = appendZZ(dst, x)
		}
		return dst
	}
	dst = appendHead(dst, majTag, tag)
	dst = appendHead(dst, majBytes, uint64(width*len(v)))
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
	if want := 4 + form/formDelta2; n != want || form >= len(dst) {
		r.fail("numbers of another shape")
		return 0
	}
	base, step := r.integer("base"), int64(0)
	if form == formDelta2 {
		step = r.integer("step")
	}
	r.integers(dst[form:])
	if r.err != nil {
		return 0
	}
	switch form {
	case formOffset:
		for i := range dst {
			dst[i] += base
		}
	case formDelta:
		dst[0] = base
		accumulate(dst)
	case formDelta2:
		dst[0], dst[1] = base, step
		accumulate(dst[1:])
		accumulate(dst)
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

// decimal fills ints with numbers of which v[i] == ints[i]/10^scale bit for bit, for the smallest scale that
// does. It reports false where there is none: NaN, infinities, -0, and what needs more than 53 bits.
func decimal(ints []int64, v []float64) (scale int, ok bool) {
	largest := 0.0
	for i, x := range v {
		if math.Float64bits(x) == 1<<63 {
			return 0, false
		}
		was := scale
		n, ok := 0.0, false
		for ; scale <= maxScale; scale++ {
			n = math.RoundToEven(x * powers[scale])
			if !(math.Abs(n) < maxExact) {
				return 0, false
			}
			if ok = n/powers[scale] == x; ok {
				break
			}
		}
		if !ok {
			return 0, false
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
		ints[i] = int64(n)
	}
	return scale, true
}

func rescale(v []int64, by int64) {
	for i := range v {
		v[i] *= by
	}
}
