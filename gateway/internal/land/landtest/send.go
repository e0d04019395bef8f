package landtest

import (
	"github.com/headwater-iot/headwater/shared/record"
	"github.com/headwater-iot/headwater/shared/wire"
)

// TB is a test, or a try of a property.
type TB interface {
	Helper()
	Fatal(args ...any)
}

// Sync returns a synced anchor: monotonic 0 was at wall, us.
func Sync(wall int64) wire.Anchor {
	return wire.Anchor{State: wire.Synced, Generation: 1, Wall: wall, Monotonic: 0, Uncertainty: 500}
}

// Value is what a test's device reads under a seq, so that a row that landed names its origin.
func Value(epoch record.Epoch, seq uint64) float64 { return float64(uint64(epoch)<<20 + seq) }

// Readings returns the envelope of rows of one or more columns, `s0`, `s1` and so on, whose values are Value. The
// device time of row i is base + i*step, ms.
func Readings(t TB, a wire.Anchor, h wire.Header, columns, rows int, step int64) []byte {
	t.Helper()
	g := record.Group{Unit: record.Milli}
	for i := range rows {
		g.Times = append(g.Times, h.Base+int64(i)*step)
	}
	seq := h.First
	for c := range columns {
		col := record.Column{Series: "s" + string(rune('0'+c%10)) + string(rune('a'+c/10)), Unit: "Cel", Kind: record.Float}
		for range rows {
			col.Floats = append(col.Floats, Value(h.Epoch, seq))
			seq++
		}
		g.Columns = append(g.Columns, col)
	}
	return Body(t, a, h, &record.Body{Groups: []record.Group{g}})
}

// Body returns the envelope of a body.
func Body(t TB, a wire.Anchor, h wire.Header, body *record.Body) []byte {
	t.Helper()
	enc, err := wire.NewEncoder()
	if err != nil {
		t.Fatal(err)
	}
	sealed, err := enc.AppendReadings(nil, h, body)
	if err != nil {
		t.Fatal(err)
	}
	return wire.AppendEnvelope(nil, a, sealed)
}

// Gap returns the envelope of a gap over n seqs.
func Gap(t TB, a wire.Anchor, h wire.Header, n uint64, g wire.Gap) []byte {
	t.Helper()
	h.Count = n
	sealed, err := wire.AppendGap(nil, h, g)
	if err != nil {
		t.Fatal(err)
	}
	return wire.AppendEnvelope(nil, a, sealed)
}

// End returns the envelope of the end of an epoch; h.First is its final seq.
func End(t TB, a wire.Anchor, h wire.Header) []byte {
	t.Helper()
	sealed, err := wire.AppendEnd(nil, h)
	if err != nil {
		t.Fatal(err)
	}
	return wire.AppendEnvelope(nil, a, sealed)
}

// Hello returns the message of a hello.
func Hello(t TB, h *wire.Hello) []byte {
	t.Helper()
	b, err := wire.AppendHello(nil, h)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
