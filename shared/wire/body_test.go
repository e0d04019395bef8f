package wire

import (
	"bytes"
	"fmt"
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/headwater-iot/headwater/shared/record"
)

// header returns a valid header for a readings batch of a test.
func header() Header {
	return Header{Device: "pump-7", Epoch: 0x1122334455667788, Boot: 0x99aabbccddeeff00, First: 1000, Base: 86_400_000}
}

// normal returns what a body says, spelled as a decoder spells it.
func normal(b *record.Body) *record.Body {
	out := &record.Body{Groups: slices.Clone(b.Groups)}
	for i := range out.Groups {
		g := &out.Groups[i]
		g.Columns = slices.Clone(g.Columns)
		for j := range g.Columns {
			g.Columns[j] = normalColumn(g.Columns[j], len(g.Times))
		}
	}
	return out
}

func normalColumn(c record.Column, rows int) record.Column {
	if len(c.Rows) == rows {
		c.Rows = nil
	}
	if !slices.Contains(c.Null, true) {
		c.Null = nil
	}
	if !slices.ContainsFunc(c.Qual, func(q record.Quality) bool { return q != 0 }) {
		c.Qual = nil
	}
	return c
}

// diff returns the first difference of two bodies, "" for none. Floats are compared by their bits.
func diff(a, b *record.Body) string {
	a, b = normal(a), normal(b)
	if len(a.Groups) != len(b.Groups) {
		return fmt.Sprintf("%d groups and %d", len(a.Groups), len(b.Groups))
	}
	for i := range a.Groups {
		x, y := &a.Groups[i], &b.Groups[i]
		if x.Unit != y.Unit || !slices.Equal(x.Times, y.Times) || len(x.Columns) != len(y.Columns) {
			return fmt.Sprintf("group %d: unit, times or columns: %v and %v", i, x, y)
		}
		for j := range x.Columns {
			if d := diffColumn(&x.Columns[j], &y.Columns[j]); d != "" {
				return fmt.Sprintf("group %d, column %d: %s", i, j, d)
			}
		}
	}
	return ""
}

func diffColumn(a, b *record.Column) string {
	sameFloat := func(x, y float64) bool { return math.Float64bits(x) == math.Float64bits(y) }
	switch {
	case a.Series != b.Series || a.Unit != b.Unit || a.Kind != b.Kind:
		return fmt.Sprintf("%s %s %d and %s %s %d", a.Series, a.Unit, a.Kind, b.Series, b.Unit, b.Kind)
	case (a.Rows == nil) != (b.Rows == nil) || !slices.Equal(a.Rows, b.Rows):
		return fmt.Sprintf("rows %v and %v", a.Rows, b.Rows)
	case !slices.Equal(a.Null, b.Null):
		return fmt.Sprintf("nulls %v and %v", a.Null, b.Null)
	case !slices.Equal(a.Qual, b.Qual):
		return fmt.Sprintf("qualities %v and %v", a.Qual, b.Qual)
	case !slices.EqualFunc(a.Floats, b.Floats, sameFloat):
		return fmt.Sprintf("floats %v and %v", a.Floats, b.Floats)
	case !slices.Equal(a.Ints, b.Ints) || !slices.Equal(a.Uints, b.Uints) || !slices.Equal(a.Bools, b.Bools):
		return fmt.Sprintf("integers or booleans %v and %v", a, b)
	case !slices.Equal(a.Texts, b.Texts) || !slices.EqualFunc(a.Blobs, b.Blobs, bytes.Equal):
		return fmt.Sprintf("texts or blobs %q %q and %q %q", a.Texts, a.Blobs, b.Texts, b.Blobs)
	}
	return ""
}

// seal encodes body or ends the test.
func seal(t testing.TB, e *Encoder, h Header, body *record.Body) Sealed {
	t.Helper()
	raw, err := e.AppendReadings(nil, h, body)
	if err != nil {
		t.Fatalf("seal: %v", err)
	}
	s, err := ParseSealed(raw)
	if err != nil {
		t.Fatalf("parse what was sealed: %v", err)
	}
	return s
}

func newCodec(t testing.TB) (*Encoder, *Decoder) {
	t.Helper()
	e, err := NewEncoder()
	if err != nil {
		t.Fatal(err)
	}
	d, err := NewDecoder()
	if err != nil {
		t.Fatal(err)
	}
	return e, d
}

// drawInts draws integers of the shapes that choose a form: free, small, walking, climbing.
func drawInts(t *rapid.T, n int) []int64 {
	out := make([]int64, n)
	shape := rapid.IntRange(0, 4).Draw(t, "shape")
	extremes := []int64{math.MinInt64, math.MaxInt64, 0, -1, 1, math.MinInt64 + 1, 1 << 53, -(1 << 53), 127, 128, -128, -129, 32767, 32768}
	free, few := rapid.Int64(), rapid.Int64Range(-1000, 1000)
	at, step := free.Draw(t, "start"), few.Draw(t, "step")
	for i := range out {
		switch shape {
		case 0:
			out[i] = free.Draw(t, "free")
		case 1:
			out[i] = few.Draw(t, "few")
		case 2:
			at += few.Draw(t, "walk")
			out[i] = at
		case 3:
			at += step
			out[i] = at
		default:
			out[i] = rapid.SampledFrom(extremes).Draw(t, "extreme")
		}
	}
	return out
}

func drawFloats(t *rapid.T, n int) []float64 {
	out := make([]float64, n)
	shape := rapid.IntRange(0, 4).Draw(t, "shape")
	scale := powers[rapid.IntRange(0, maxScale).Draw(t, "scale")]
	odd := []float64{
		math.NaN(), math.Inf(1), math.Inf(-1), math.Copysign(0, -1), 0, math.MaxFloat64, math.SmallestNonzeroFloat64,
		math.Float64frombits(0x7ff0000000000001), math.Float64frombits(0xfff8deadbeef0001), 1 << 53, 1<<53 - 1, 0.1, 1e15, 1e-15,
	}
	for i := range out {
		switch shape {
		case 0:
			out[i] = math.Float64frombits(rapid.Uint64().Draw(t, "bits"))
		case 1:
			out[i] = float64(rapid.Int64Range(-1<<54, 1<<54).Draw(t, "integer")) / scale
		case 2:
			out[i] = float64(rapid.Int64Range(-9999, 9999).Draw(t, "integer")) / scale
		case 3:
			out[i] = float64(rapid.Float32().Draw(t, "single"))
		default:
			out[i] = rapid.SampledFrom(odd).Draw(t, "odd")
		}
	}
	return out
}

func drawColumn(t *rapid.T, rows int) record.Column {
	c := record.Column{
		Series: rapid.StringN(1, 20, MaxName).Draw(t, "series"),
		Unit:   rapid.SampledFrom([]string{"", "Cel", "%RH", "Pa"}).Draw(t, "unit"),
		Kind:   record.ValueKind(rapid.IntRange(int(record.Float), int(record.Bytes)).Draw(t, "kind")),
	}
	if rapid.Bool().Draw(t, "sparse") {
		c.Rows = []uint32{}
		for i := range rows {
			if rapid.Bool().Draw(t, "present") {
				c.Rows = append(c.Rows, uint32(i))
			}
		}
	}
	n := c.Cells(rows)
	if rapid.Bool().Draw(t, "nullable") {
		c.Null = rapid.SliceOfN(rapid.Bool(), n, n).Draw(t, "null")
	}
	if rapid.Bool().Draw(t, "doubted") {
		c.Qual = make([]record.Quality, n)
		for i := range c.Qual {
			c.Qual[i] = record.Quality(rapid.SampledFrom([]int{0, 0, 0, 1, 2, 255}).Draw(t, "quality"))
		}
	}
	drawValues(t, &c, n)
	return c
}

func drawValues(t *rapid.T, c *record.Column, n int) {
	null := func(i int) bool { return c.Null != nil && c.Null[i] }
	switch c.Kind {
	case record.Float:
		c.Floats = drawFloats(t, n)
	case record.Int:
		c.Ints = drawInts(t, n)
	case record.Uint:
		for _, x := range drawInts(t, n) {
			c.Uints = append(c.Uints, uint64(x))
		}
	case record.Text:
		words := rapid.SliceOfN(rapid.StringN(0, 12, -1), 1, 5).Draw(t, "words")
		for range n {
			c.Texts = append(c.Texts, rapid.SampledFrom(words).Draw(t, "text"))
		}
	case record.Bool:
		c.Bools = rapid.SliceOfN(rapid.Bool(), n, n).Draw(t, "bools")
	case record.Bytes:
		for range n {
			c.Blobs = append(c.Blobs, rapid.SliceOfN(rapid.Byte(), 0, 9).Draw(t, "blob"))
		}
	}
	for i := range n {
		if !null(i) {
			continue
		}
		switch c.Kind {
		case record.Float:
			c.Floats[i] = 0
		case record.Int:
			c.Ints[i] = 0
		case record.Uint:
			c.Uints[i] = 0
		case record.Text:
			c.Texts[i] = ""
		case record.Bool:
			c.Bools[i] = false
		case record.Bytes:
			c.Blobs[i] = nil
		}
	}
}

func drawBody(t *rapid.T) *record.Body {
	b := &record.Body{}
	for range rapid.IntRange(1, 3).Draw(t, "groups") {
		rows := rapid.IntRange(1, 40).Draw(t, "rows")
		g := record.Group{Unit: rapid.SampledFrom([]record.TimeUnit{record.Milli, record.Micro}).Draw(t, "unit")}
		g.Times = drawInts(t, rows)
		// One full column, so that every row has a reading.
		full := record.Column{Series: "full", Kind: record.Int, Ints: drawInts(t, rows)}
		g.Columns = []record.Column{full}
		for range rapid.IntRange(0, 4).Draw(t, "columns") {
			g.Columns = append(g.Columns, drawColumn(t, rows))
		}
		b.Groups = append(b.Groups, g)
	}
	return b
}

func TestAnyBodyComesBackBitForBit(t *testing.T) {
	e, d := newCodec(t)
	var out record.Body // reused, so that leftovers of one body would show in the next
	rapid.Check(t, func(rt *rapid.T) {
		body := drawBody(rt)
		h := header()
		h.Base = rapid.Int64().Draw(rt, "base")
		s := seal(t, e, h, body)
		if err := d.Readings(&s, &out); err != nil {
			rt.Fatalf("open: %v", err)
		}
		if x := diff(body, &out); x != "" {
			rt.Fatal(x)
		}
	})
}
