package wire

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/bits"

	"github.com/headwater-iot/headwater/shared/record"
)

// bodyReader reads the CBOR of a body into a record.Body, reusing its memory.
type bodyReader struct {
	items
	ints, ulps []int64 // scratch
	base       int64   // ms, of the header
	count      int     // readings, of the header
	seen       int     // readings so far
	columns    int     // groups and columns so far
}

// room returns s with length n, keeping its memory where that is large enough.
func room[T any](s []T, n int) []T {
	if cap(s) < n || s == nil {
		return make([]T, n)
	}
	return s[:n]
}

func (r *bodyReader) body(out *record.Body) {
	if r.limited(majMap, 1, "body") != 1 || string(r.text("key")) != "g" {
		r.fail("body is not a map of one key g")
		return
	}
	n := r.counted(r.array("groups"))
	out.Groups = room(out.Groups, n)
	for i := range out.Groups {
		r.group(&out.Groups[i])
		if r.err != nil {
			return
		}
	}
	if r.seen != r.count {
		r.fail("header and body disagree on the number of readings")
	}
	if r.off != len(r.b) {
		r.fail("bytes behind the body")
	}
}

// counted bounds groups and columns, whose Go structs are larger than their bytes.
func (r *bodyReader) counted(n int) int {
	if r.columns += n; r.columns > MaxColumns {
		if r.err == nil {
			r.err = fmt.Errorf("%w: body: more than %d groups and columns", ErrTooLarge, MaxColumns)
		}
	}
	if r.err != nil {
		return 0
	}
	return n
}

func (r *bodyReader) group(g *record.Group) {
	r.arrayOf(4, "group")
	g.Unit = record.TimeUnit(r.limited(majUint, int(record.Micro), "time unit"))
	if g.Unit != record.Milli && g.Unit != record.Micro {
		r.fail("time unit")
	}
	// A row has a reading at least, so the header's count bounds what is set aside here.
	rows := r.limited(majUint, r.count-r.seen, "rows")
	if r.err != nil {
		return
	}
	g.Times = room(g.Times, rows)
	r.whole(g.Times)
	zero := ticks(r.base, g.Unit)
	for i := range g.Times {
		g.Times[i] += zero
	}
	before := r.seen
	n := r.counted(r.array("columns"))
	g.Columns = room(g.Columns, n)
	for i := range g.Columns {
		r.column(&g.Columns[i], rows)
		if r.err != nil {
			return
		}
	}
	if r.seen-before < rows {
		r.fail("row without a reading")
	}
}

// whole reads integers that are not scaled.
func (r *bodyReader) whole(dst []int64) {
	if r.numbers(dst) != 0 {
		r.fail("scale of a whole number")
	}
}

func (r *bodyReader) column(c *record.Column, rows int) {
	r.arrayOf(7, "column")
	r.name(&c.Series, 1)
	r.name(&c.Unit, 0)
	c.Kind = record.ValueKind(r.limited(majUint, int(record.Bytes), "kind"))
	cells := r.presence(c, rows)
	if r.seen += cells; r.seen > r.count {
		r.fail("more readings than the header says")
	}
	if r.err != nil {
		return
	}
	values := r.nulls(c, cells)
	r.quality(c, cells)
	if r.err == nil {
		r.values(c, cells, values)
	}
}

// name reads a short text into s, without an allocation when s has it already from the last batch.
func (r *bodyReader) name(s *string, least int) {
	b := r.text("name")
	if len(b) < least || len(b) > MaxName {
		r.fail("name of wrong length")
		return
	}
	if *s != string(b) {
		*s = string(b)
	}
}

// bitmap reads n bits and how many are set. Bits behind the last are zero.
func (r *bodyReader) bitmap(n int, what string) (b []byte, set int) {
	b = r.bytes(what)
	if len(b) != (n+7)/8 || n%8 != 0 && b[len(b)-1]>>(n%8) != 0 {
		r.fail(what + " of another length")
		return nil, 0
	}
	for _, x := range b {
		set += bits.OnesCount8(x)
	}
	return b, set
}

// presence reads which rows have a cell and returns how many do.
func (r *bodyReader) presence(c *record.Column, rows int) int {
	if r.null() {
		c.Rows = nil
		return rows
	}
	b, cells := r.bitmap(rows, "presence")
	if cells >= rows {
		r.fail("presence of every row")
	}
	if r.err != nil {
		return 0
	}
	c.Rows = room(c.Rows, cells)[:0]
	for i, x := range b {
		for ; x != 0; x &= x - 1 {
			c.Rows = append(c.Rows, uint32(8*i+bits.TrailingZeros8(x)))
		}
	}
	return cells
}

// nulls reads which cells are null and returns how many are not.
func (r *bodyReader) nulls(c *record.Column, cells int) int {
	if r.null() {
		c.Null = nil
		return cells
	}
	b, set := r.bitmap(cells, "nulls")
	if set == 0 {
		r.fail("nulls without a null")
		return 0
	}
	c.Null = room(c.Null, cells)
	for i := range c.Null {
		c.Null[i] = b[i/8]>>(i%8)&1 == 1
	}
	return cells - set
}

func (r *bodyReader) quality(c *record.Column, cells int) {
	if r.null() {
		c.Qual = nil
		return
	}
	runs := r.array("quality")
	if r.err != nil || runs%2 != 0 || runs > 2*cells {
		r.fail("quality is not pairs")
		return
	}
	c.Qual = room(c.Qual, cells)
	at, bad := 0, false
	last := -1
	for range runs / 2 {
		run := r.limited(majUint, cells-at, "run of qualities")
		q := r.limited(majUint, int(record.DeviceBits), "quality")
		if run == 0 || q == last {
			r.fail("empty or repeated run of qualities")
			return
		}
		for range run {
			c.Qual[at] = record.Quality(q)
			at++
		}
		last = q
		bad = bad || q != 0
	}
	if at != cells || !bad {
		r.fail("qualities of another number of cells")
	}
}

// spread moves the first values of v to the cells that are not null, in place from the back.
func spread[T any](v []T, values int, null []bool) {
	if null == nil {
		return
	}
	var zero T
	for i := len(v) - 1; i >= 0; i-- {
		if null[i] {
			v[i] = zero
			continue
		}
		values--
		v[i] = v[values]
	}
}

// values reads the values of a column; the slices of other kinds are emptied, their memory kept.
func (r *bodyReader) values(c *record.Column, cells, values int) {
	c.Floats, c.Ints, c.Uints = c.Floats[:0], c.Ints[:0], c.Uints[:0]
	c.Texts, c.Bools, c.Blobs = c.Texts[:0], c.Bools[:0], c.Blobs[:0]
	switch c.Kind {
	case record.Float:
		c.Floats = room(c.Floats, cells)
		r.floats(c.Floats[:values])
		spread(c.Floats, values, c.Null)
	case record.Int:
		c.Ints = room(c.Ints, cells)
		r.whole(c.Ints[:values])
		spread(c.Ints, values, c.Null)
	case record.Uint:
		r.ints = room(r.ints, values)
		r.whole(r.ints)
		c.Uints = room(c.Uints, cells)
		for i, x := range r.ints {
			c.Uints[i] = uint64(x)
		}
		spread(c.Uints, values, c.Null)
	case record.Bool:
		c.Bools = room(c.Bools, cells)
		r.bools(c.Bools[:values])
		spread(c.Bools, values, c.Null)
	case record.Text:
		c.Texts = room(c.Texts, cells)
		r.texts(c.Texts[:values])
		spread(c.Texts, values, c.Null)
	case record.Bytes:
		c.Blobs = room(c.Blobs, cells)
		r.blobs(c.Blobs[:values])
		spread(c.Blobs, values, c.Null)
	default:
		r.fail("kind")
	}
}

// nothing takes the null that stands for no values.
func (r *bodyReader) nothing(n int) bool {
	if n == 0 && !r.null() {
		r.fail("values of nothing")
	}
	return n == 0
}

func (r *bodyReader) floats(dst []float64) {
	if r.peek()&0xe0 == majTag {
		r.rawFloats(dst)
		return
	}
	corrected := r.peek() == majArray|2
	if corrected {
		r.off++
	}
	r.ints = room(r.ints, len(dst))
	scale := r.numbers(r.ints)
	by := powers[scale]
	var wide uint64
	for i, x := range r.ints {
		wide |= uint64(x+maxExact) >> 54
		dst[i] = float64(x) / by
	}
	if wide != 0 {
		r.fail("decimal number beyond 53 bits")
	}
	if corrected {
		r.correct(dst)
	}
}

// correct moves doubles by a number of units in the last place each.
func (r *bodyReader) correct(dst []float64) {
	r.ulps = room(r.ulps, len(dst))
	r.integers(r.ulps)
	for i, u := range r.ulps {
		if u < -maxUlps || u > maxUlps {
			r.fail("correction out of bounds")
			return
		}
		dst[i] = math.Float64frombits(math.Float64bits(dst[i]) + uint64(u))
	}
}

func (r *bodyReader) rawFloats(dst []float64) {
	tag := r.head(majTag, "floats")
	b := r.bytes("floats")
	switch {
	case len(dst) == 0:
		r.fail("values of nothing")
	case tag == tagFloat64 && len(b) == 8*len(dst):
		for i := range dst {
			dst[i] = math.Float64frombits(binary.LittleEndian.Uint64(b[8*i:]))
		}
	case tag == tagFloat32 && len(b) == 4*len(dst):
		for i := range dst {
			dst[i] = float64(math.Float32frombits(binary.LittleEndian.Uint32(b[4*i:])))
		}
	default:
		r.fail("floats of another type or length")
	}
}

func (r *bodyReader) bools(dst []bool) {
	if r.nothing(len(dst)) {
		return
	}
	b, _ := r.bitmap(len(dst), "booleans")
	for i := range b {
		for j := 8 * i; j < min(8*i+8, len(dst)); j++ {
			dst[j] = b[i]>>(j%8)&1 == 1
		}
	}
}

func (r *bodyReader) texts(dst []string) {
	if r.nothing(len(dst)) {
		return
	}
	n := r.array("texts")
	if n != 2 || r.peek()&0xe0 != majArray {
		if n != len(dst) {
			r.fail("another number of texts")
			return
		}
		r.textList(dst)
		return
	}
	distinct := r.array("distinct texts")
	if distinct > len(dst) {
		r.fail("more distinct texts than values")
		return
	}
	words := make([]string, distinct)
	r.textList(words)
	r.ints = room(r.ints, len(dst))
	r.whole(r.ints)
	for i, n := range r.ints {
		if n < 0 || n >= int64(len(words)) {
			r.fail("number of a text out of bounds")
			return
		}
		dst[i] = words[n]
	}
}

// textList reads texts that share one copy of their bytes: an allocation per column, not per value.
func (r *bodyReader) textList(dst []string) {
	from := r.off
	scan := *r
	for range dst {
		scan.text("text")
	}
	if scan.err != nil {
		r.fail("text")
		return
	}
	all := string(r.b[from:scan.off])
	for i := range dst {
		n := len(r.text("text"))
		dst[i] = all[r.off-from-n : r.off-from]
	}
}

// blobs reads byte strings that share one copy of their bytes.
func (r *bodyReader) blobs(dst [][]byte) {
	if r.nothing(len(dst)) {
		return
	}
	if r.array("byte strings") != len(dst) {
		r.fail("another number of byte strings")
		return
	}
	from := r.off
	scan := *r
	for range dst {
		scan.bytes("byte string")
	}
	if scan.err != nil {
		r.fail("byte string")
		return
	}
	all := append([]byte(nil), r.b[from:scan.off]...)
	for i := range dst {
		n := len(r.bytes("byte string"))
		end := r.off - from
		dst[i] = all[end-n : end : end]
	}
}
