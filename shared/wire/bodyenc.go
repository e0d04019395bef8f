package wire

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/bits"
	"unicode/utf8"

	"github.com/headwater-iot/headwater/shared/record"
)

// checkBody refuses what BODY.md cannot carry, before a byte is written.
func checkBody(body *record.Body) error {
	columns := len(body.Groups)
	for i := range body.Groups {
		g := &body.Groups[i]
		columns += len(g.Columns)
		if g.Unit != record.Milli && g.Unit != record.Micro {
			return fmt.Errorf("%w: group %d has time unit %d", ErrFormat, i, g.Unit)
		}
		cells := 0
		for j := range g.Columns {
			c := &g.Columns[j]
			if err := checkColumn(c, len(g.Times)); err != nil {
				return fmt.Errorf("%w: series %q: %w", ErrFormat, c.Series, err)
			}
			cells += c.Cells(len(g.Times))
		}
		if cells < len(g.Times) {
			return fmt.Errorf("%w: group %d has a row without a reading", ErrFormat, i)
		}
	}
	if columns > MaxColumns {
		return fmt.Errorf("%w: more than %d groups and columns", ErrTooLarge, MaxColumns)
	}
	return nil
}

func checkColumn(c *record.Column, rows int) error {
	cells := c.Cells(rows)
	switch {
	case len(c.Series) == 0 || len(c.Series) > MaxName || len(c.Unit) > MaxName:
		return fmt.Errorf("name of 1 to %d bytes, unit of at most %[1]d", MaxName)
	case !utf8.ValidString(c.Series) || !utf8.ValidString(c.Unit):
		return fmt.Errorf("name or unit is not UTF-8")
	case valuesOf(c) != cells:
		return fmt.Errorf("%d values of kind %d for %d cells", valuesOf(c), c.Kind, cells)
	case c.Null != nil && len(c.Null) != cells:
		return fmt.Errorf("%d null marks for %d cells", len(c.Null), cells)
	case c.Qual != nil && len(c.Qual) != cells:
		return fmt.Errorf("%d qualities for %d cells", len(c.Qual), cells)
	}
	for i, row := range c.Rows {
		if int64(row) >= int64(rows) || i > 0 && row <= c.Rows[i-1] {
			return fmt.Errorf("row %d is out of range or order", row)
		}
	}
	for _, q := range c.Qual {
		if q&^record.DeviceBits != 0 {
			return fmt.Errorf("quality %#x has bits a device may not set", q)
		}
	}
	for _, s := range c.Texts {
		if !utf8.ValidString(s) {
			return fmt.Errorf("text %q is not UTF-8", s)
		}
	}
	return nil
}

// valuesOf returns the number of values, -1 for an unknown kind.
func valuesOf(c *record.Column) int {
	switch c.Kind {
	case record.Float:
		return len(c.Floats)
	case record.Int:
		return len(c.Ints)
	case record.Uint:
		return len(c.Uints)
	case record.Text:
		return len(c.Texts)
	case record.Bool:
		return len(c.Bools)
	case record.Bytes:
		return len(c.Blobs)
	}
	return -1
}

func (e *Encoder) appendBody(dst []byte, base int64, body *record.Body) []byte {
	dst = append(dst, majMap|1, majText|1, 'g')
	dst = appendHead(dst, majArray, uint64(len(body.Groups)))
	for i := range body.Groups {
		dst = e.appendGroup(dst, base, &body.Groups[i])
	}
	return dst
}

// ticks returns ms in the unit of a group. It wraps: subtracting it and adding it again is exact.
func ticks(ms int64, unit record.TimeUnit) int64 {
	if unit == record.Micro {
		return ms * 1000
	}
	return ms
}

func (e *Encoder) appendGroup(dst []byte, base int64, g *record.Group) []byte {
	dst = append(dst, majArray|4, byte(g.Unit))
	dst = appendHead(dst, majUint, uint64(len(g.Times)))
	zero := ticks(base, g.Unit)
	e.ints = e.ints[:0]
	for _, t := range g.Times {
		e.ints = append(e.ints, t-zero)
	}
	dst = e.appendInts(dst)
	dst = appendHead(dst, majArray, uint64(len(g.Columns)))
	for i := range g.Columns {
		dst = e.appendColumn(dst, len(g.Times), &g.Columns[i])
	}
	return dst
}

func (e *Encoder) appendColumn(dst []byte, rows int, c *record.Column) []byte {
	dst = append(dst, majArray|7)
	dst = appendText(dst, c.Series)
	dst = appendText(dst, c.Unit)
	dst = append(dst, byte(c.Kind))
	dst = appendPresence(dst, rows, c)
	dst = appendBits(dst, c.Null)
	dst = appendQuality(dst, c.Qual)
	return e.appendValues(dst, c)
}

// appendPresence appends the bitmap of the rows that have a cell, or null for all.
func appendPresence(dst []byte, rows int, c *record.Column) []byte {
	if c.Cells(rows) == rows {
		return append(dst, cborNull)
	}
	size := (rows + 7) / 8
	dst = appendHead(dst, majBytes, uint64(size))
	from := len(dst)
	dst = append(dst, make([]byte, size)...)
	for _, row := range c.Rows {
		dst[from+int(row/8)] |= 1 << (row % 8)
	}
	return dst
}

// appendBits appends a bitmap, or null if no bit is set.
func appendBits(dst []byte, set []bool) []byte {
	start := len(dst)
	size := (len(set) + 7) / 8
	dst = appendHead(dst, majBytes, uint64(size))
	from := len(dst)
	dst = append(dst, make([]byte, size)...)
	some := false
	for i, on := range set {
		if on {
			dst[from+i/8] |= 1 << (i % 8)
			some = true
		}
	}
	if !some {
		return append(dst[:start], cborNull)
	}
	return dst
}

// appendQuality appends runs of equal qualities, or null if all are good.
func appendQuality(dst []byte, q []record.Quality) []byte {
	runs, bad := 0, false
	for i := range q {
		if i == 0 || q[i] != q[i-1] {
			runs++
		}
		bad = bad || q[i] != 0
	}
	if !bad {
		return append(dst, cborNull)
	}
	dst = appendHead(dst, majArray, uint64(2*runs))
	for i := 0; i < len(q); {
		j := i + 1
		for j < len(q) && q[j] == q[i] {
			j++
		}
		dst = appendHead(dst, majUint, uint64(j-i))
		dst = appendHead(dst, majUint, uint64(q[i]))
		i = j
	}
	return dst
}

// valid appends to dst the values of the cells that are not null.
func valid[T any](dst, v []T, null []bool) []T {
	if null == nil {
		return append(dst, v...)
	}
	for i, x := range v {
		if !null[i] {
			dst = append(dst, x)
		}
	}
	return dst
}

func (e *Encoder) appendValues(dst []byte, c *record.Column) []byte {
	switch c.Kind {
	case record.Float:
		e.floats = valid(e.floats[:0], c.Floats, c.Null)
		return e.appendFloats(dst, e.floats)
	case record.Int:
		e.ints = valid(e.ints[:0], c.Ints, c.Null)
		return e.appendInts(dst)
	case record.Uint:
		e.ints = e.ints[:0]
		for i, x := range c.Uints {
			if c.Null == nil || !c.Null[i] {
				e.ints = append(e.ints, int64(x)) // modulo 2^64, and back
			}
		}
		return e.appendInts(dst)
	case record.Bool:
		return appendBools(dst, valid(nil, c.Bools, c.Null))
	case record.Text:
		return e.appendTexts(dst, valid(nil, c.Texts, c.Null))
	}
	return appendBlobs(dst, valid(nil, c.Blobs, c.Null))
}

// appendInts appends e.ints, and uses them up.
func (e *Encoder) appendInts(dst []byte) []byte {
	if len(e.ints) == 0 {
		return append(dst, cborNull)
	}
	return appendNumbers(dst, e.ints, choose(e.ints), 0)
}

// appendFloats appends v as decimal integers where that is exact, as decimal integers with corrections, or
// as they are: whichever is estimated to be smallest.
func (e *Encoder) appendFloats(dst []byte, v []float64) []byte {
	if len(v) == 0 {
		return append(dst, cborNull)
	}
	e.ints, e.ulps = room(e.ints, len(v)), room(e.ulps, len(v))
	narrow := allFloat32(v)
	raw := 64 * len(v)
	if narrow {
		raw = 32 * len(v)
	}
	best, scale, ok := forecast{bits: raw}, 0, false
	if scale, ok = decimal(e.ints, e.ulps, v, 0); ok {
		if best = choose(e.ints); scale <= plainScale && best.bits < raw {
			return appendNumbers(dst, e.ints, best, scale)
		}
	}
	e.near = room(e.near, len(v))
	if scale, ok := decimal(e.near, e.ulps, v, maxUlps); ok {
		if f := choose(e.near); f.bits+bitsOf(e.ulps) < min(raw, best.bits) {
			dst = append(dst, majArray|2)
			dst = appendNumbers(dst, e.near, f, scale)
			return appendIntegers(dst, e.ulps)
		}
	}
	if ok && best.bits < raw {
		return appendNumbers(dst, e.ints, best, scale)
	}
	return appendRaw(dst, v, narrow)
}

// plainScale is the number of decimals a driver may well mean; only beyond it are the digits looked at as noise.
const plainScale = 8

// bitsOf is the estimate of choose for integers as they are.
func bitsOf(v []int64) int {
	n := len(v)
	for _, x := range v {
		n += bits.Len64(zigzag(x))
	}
	return n
}

func appendRaw(dst []byte, v []float64, narrow bool) []byte {
	if narrow {
		dst = appendHead(dst, majTag, tagFloat32)
		dst = appendHead(dst, majBytes, uint64(4*len(v)))
		for _, x := range v {
			dst = binary.LittleEndian.AppendUint32(dst, math.Float32bits(float32(x)))
		}
		return dst
	}
	dst = appendHead(dst, majTag, tagFloat64)
	dst = appendHead(dst, majBytes, uint64(8*len(v)))
	for _, x := range v {
		dst = binary.LittleEndian.AppendUint64(dst, math.Float64bits(x))
	}
	return dst
}

// allFloat32 reports whether v is exact in single precision. A NaN never is: what a conversion does
// to its payload depends on the processor.
func allFloat32(v []float64) bool {
	for _, x := range v {
		if float64(float32(x)) != x {
			return false
		}
	}
	return true
}

// appendBools appends a bitmap, also of all false.
func appendBools(dst []byte, v []bool) []byte {
	if len(v) == 0 {
		return append(dst, cborNull)
	}
	size := (len(v) + 7) / 8
	dst = appendHead(dst, majBytes, uint64(size))
	from := len(dst)
	dst = append(dst, make([]byte, size)...)
	for i, on := range v {
		if on {
			dst[from+i/8] |= 1 << (i % 8)
		}
	}
	return dst
}

// appendTexts appends a list of texts, or where that is shorter a list of the distinct ones and
// the number of each value in it.
func (e *Encoder) appendTexts(dst []byte, v []string) []byte {
	if len(v) == 0 {
		return append(dst, cborNull)
	}
	index := make(map[string]int64, 16)
	var words []string
	size, distinct := 0, 0
	e.ints = e.ints[:0]
	for _, s := range v {
		n, known := index[s]
		if !known {
			n = int64(len(words))
			index[s] = n
			words = append(words, s)
			distinct += len(s) + 1
		}
		size += len(s) + 1
		e.ints = append(e.ints, n)
	}
	f := choose(e.ints)
	if distinct+f.bits/8+8 >= size {
		return appendTextList(dst, v)
	}
	dst = append(dst, majArray|2)
	dst = appendTextList(dst, words)
	return appendNumbers(dst, e.ints, f, 0)
}

func appendTextList(dst []byte, v []string) []byte {
	dst = appendHead(dst, majArray, uint64(len(v)))
	for _, s := range v {
		dst = appendText(dst, s)
	}
	return dst
}

func appendBlobs(dst []byte, v [][]byte) []byte {
	if len(v) == 0 {
		return append(dst, cborNull)
	}
	dst = appendHead(dst, majArray, uint64(len(v)))
	for _, b := range v {
		dst = appendHead(dst, majBytes, uint64(len(b)))
		dst = append(dst, b...)
	}
	return dst
}
