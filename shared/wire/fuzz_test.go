package wire

import (
	"bytes"
	"maps"
	"reflect"
	"slices"
	"testing"

	"github.com/headwater-iot/headwater/shared/record"
)

// seeds adds the structures of the given names.
func seeds(f *testing.F, names ...string) {
	f.Helper()
	all := structures(f)
	for _, name := range names {
		f.Add(all[name].bytes)
	}
}

// FuzzParseSealed puts the CRC right itself: a fuzzer that has to guess it finds nothing behind it.
func FuzzParseSealed(f *testing.F) {
	seeds(f, "sealed readings", "sealed readings, absolute, promise", "sealed gap", "sealed end")
	f.Fuzz(func(t *testing.T, b []byte) {
		_, _ = ParseSealed(b)
		if len(b) < 4 {
			return
		}
		b = reseal(bytes.Clone(b))
		s, err := ParseSealed(b)
		if err != nil {
			return
		}
		again, err := AppendSealed(nil, s.Header, s.Body)
		if err != nil || !bytes.Equal(again, b) {
			t.Fatalf("%x was written again as %x: %v", b, again, err)
		}
	})
}

func FuzzParseEnvelope(f *testing.F) {
	all := structures(f)
	for _, name := range []string{"envelope", "envelope without anchor"} {
		_, n, err := parseEnvelope(all[name].bytes)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(all[name].bytes[:n-4]) // the envelope alone: its CRC is put right below
	}
	sealed := all["sealed end"].bytes
	f.Fuzz(func(t *testing.T, head []byte) {
		_, _, _ = ParseEnvelope(head)
		b := append(appendCRC(bytes.Clone(head), 0), sealed...)
		a, s, err := ParseEnvelope(b)
		if err == nil && !bytes.Equal(AppendEnvelope(nil, a, s.Raw), b) {
			t.Fatalf("%x was read as %+v, which writes something else", b, a)
		}
	})
}

// asMessage puts magic, type and CRC around what the fuzzer makes.
func asMessage(typ byte, body []byte) []byte {
	return appendCRC(append([]byte{'H', 'M', version, typ}, body...), 0)
}

// inner is the body of a message.
func inner(b []byte) []byte { return b[4 : len(b)-4] }

// sameMessage compares by bytes, to which nil and empty lists are one.
func sameMessage(a, b any) bool {
	x, err1 := dialect.enc.Marshal(a)
	y, err2 := dialect.enc.Marshal(b)
	return err1 == nil && err2 == nil && bytes.Equal(x, y)
}

func FuzzParseHello(f *testing.F) {
	f.Add(inner(structures(f)["hello"].bytes))
	f.Fuzz(func(t *testing.T, b []byte) {
		h, err := ParseHello(asMessage(typeHello, b))
		if err != nil {
			return
		}
		again, err := AppendHello(nil, h)
		if err != nil {
			t.Fatalf("write again what was read: %v", err)
		}
		back, err := ParseHello(again)
		if err != nil || !sameMessage(h, back) {
			t.Fatalf("%+v came back as %+v: %v", h, back, err)
		}
	})
}

func FuzzParseAck(f *testing.F) {
	f.Add(inner(structures(f)["ack"].bytes))
	f.Fuzz(func(t *testing.T, b []byte) {
		a, err := ParseAck(asMessage(typeAck, b))
		if err != nil {
			return
		}
		for i := range a.Epochs {
			_, _ = a.Epochs[i].StoredSet(), a.Epochs[i].LandedSet()
		}
		again, err := AppendAck(nil, a)
		if err != nil {
			t.Fatalf("write again what was read: %v", err)
		}
		back, err := ParseAck(again)
		if err != nil || !sameMessage(a, back) {
			t.Fatalf("%+v came back as %+v: %v", a, back, err)
		}
	})
}

func FuzzParseNack(f *testing.F) {
	f.Add(inner(structures(f)["nack"].bytes))
	f.Fuzz(func(t *testing.T, b []byte) {
		n, err := ParseNack(asMessage(typeNack, b))
		if err != nil {
			return
		}
		again, err := AppendNack(nil, n)
		if err != nil {
			t.Fatalf("write again what was read: %v", err)
		}
		if back, err := ParseNack(again); err != nil || *back != *n {
			t.Fatalf("%+v came back as %+v: %v", n, back, err)
		}
	})
}

func FuzzParseGap(f *testing.F) {
	s, err := ParseSealed(structures(f)["sealed gap"].bytes)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(s.Body)
	f.Fuzz(func(t *testing.T, b []byte) {
		s := Sealed{Header: header(), Body: b}
		s.Kind, s.Count = KindGap, 1
		g, err := ParseGap(&s)
		if err != nil {
			return
		}
		again, err := AppendGap(nil, s.Header, g)
		if err != nil {
			t.Fatalf("write again what was read: %v", err)
		}
		if s, err = ParseSealed(again); err != nil {
			t.Fatal(err)
		}
		if back, err := ParseGap(&s); err != nil || !reflect.DeepEqual(back, g) && len(g.Series) > 0 {
			t.Fatalf("%+v came back as %+v: %v", g, back, err)
		}
	})
}

// FuzzReadings feeds the decoder CBOR without zstd, which is where its own code is, and zstd frames as they come.
func FuzzReadings(f *testing.F) {
	e, _ := newCodec(f)
	bodies := formBodies()
	for _, name := range slices.Sorted(maps.Keys(bodies)) {
		f.Add(bytes.Clone(e.appendBody(nil, header().Base, bodies[name])), uint32(bodies[name].Readings()), false)
	}
	s := seal(f, e, header(), pumpRig(60).batches(60, 1)[0])
	f.Add(bytes.Clone(s.Body), uint32(s.Count), true)
	_, d := newCodec(f)
	f.Fuzz(func(t *testing.T, b []byte, count uint32, inflate bool) {
		s := Sealed{Header: header(), Body: b}
		s.Kind, s.Count = KindReadings, uint64(count)
		if inflate {
			s.Codec = Zstd
		}
		var got, back record.Body
		if d.Readings(&s, &got) != nil {
			return
		}
		if got.Readings() != int(count) {
			t.Fatalf("%d readings under a header of %d", got.Readings(), count)
		}
		if count == 0 {
			return // no header says so
		}
		raw, err := e.AppendReadings(nil, s.Header, &got)
		if err != nil {
			t.Skip() // too large once written plainly
		}
		again, err := ParseSealed(raw)
		if err != nil {
			t.Fatal(err)
		}
		if err := d.Readings(&again, &back); err != nil {
			t.Fatal(err)
		}
		if x := diff(&got, &back); x != "" {
			t.Fatal(x)
		}
	})
}
