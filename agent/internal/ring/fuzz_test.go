package ring

import (
	"bytes"
	"math"
	"reflect"
	"testing"

	"github.com/headwater-iot/headwater/shared/record"
	"github.com/headwater-iot/headwater/shared/seqset"
)

func sampleRow() record.Row {
	return record.Row{Sensor: "bme280", Unit: record.Milli, Time: 1234, Cells: []record.Cell{
		record.FloatCell("temperature", "Cel", 21.5),
		record.IntCell("steps", "", math.MinInt64),
		{Series: "count", Kind: record.Uint, Uint: math.MaxUint64},
		{Series: "door", Kind: record.Text, Text: "open"},
		{Series: "on", Kind: record.Bool, Int: 1},
		{Series: "raw", Kind: record.Bytes, Text: "\x00\xff"},
		record.FailedCell("pressure", "Pa", record.Float),
	}}
}

func TestRowRoundTrip(t *testing.T) {
	for _, row := range []record.Row{
		sampleRow(),
		{Sensor: "csv", Absolute: true, Unit: record.Micro, Time: -1, Cells: []record.Cell{
			record.FloatCell("x", "", math.Copysign(0, -1)), record.FloatCell("y", "", math.Inf(1)),
		}},
	} {
		got, err := ParseRow(AppendRow(nil, &row))
		if err != nil || !reflect.DeepEqual(got, row) {
			t.Fatalf("got %+v, %v; want %+v", got, err, row)
		}
	}
}

// FuzzRow: what is read encodes to the same bytes.
func FuzzRow(f *testing.F) {
	row := sampleRow()
	f.Add(AppendRow(nil, &row))
	f.Add([]byte{})
	f.Add([]byte{1, 6, 0, 0, 0})
	f.Add([]byte{0, 3, 0x80, 0, 0, 0}) // a long spelling of 0
	f.Fuzz(func(t *testing.T, b []byte) {
		row, err := ParseRow(b)
		if err != nil {
			return
		}
		if again := AppendRow(nil, &row); !bytes.Equal(again, b) {
			t.Fatalf("%x reads as %+v, which writes %x", b, row, again)
		}
	})
}

// FuzzBatch: what is read encodes to the same bytes.
func FuzzBatch(f *testing.F) {
	f.Add(AppendBatch(nil, &Batch{Rows: seqset.Of(seqset.Range{From: 1, To: 5}, seqset.Range{From: 9, To: 10}), To: -4, Sealed: []byte("HW")}))
	f.Add([]byte{0, 0})
	f.Add([]byte{2, 1, 1, 2, 1, 0})
	f.Fuzz(func(t *testing.T, p []byte) {
		b, err := ParseBatch(p)
		if err != nil {
			return
		}
		if again := AppendBatch(nil, &b); !bytes.Equal(again, p) {
			t.Fatalf("%x reads as %+v, which writes %x", p, b, again)
		}
	})
}

// FuzzRecover: any memory is a ring that can be read, appended to and read again.
func FuzzRecover(f *testing.F) {
	r := small(512)
	r.SetHeader(Header{Device: "d", Epoch: 7, Boot: 9})
	for i := range uint64(3) {
		_, _ = r.Append(Row, i, 1, []byte("payload"), 0)
	}
	f.Add(r.mem[headerBytes:], r.mem[:2*slotBytes])
	f.Add([]byte{}, []byte("HWR1"))
	f.Fuzz(func(t *testing.T, data, head []byte) {
		r := small(512)
		copy(r.data, data)
		copy(r.mem[:headerBytes], head)
		found := r.Recover()
		if r.Used() > r.Cap() {
			t.Fatalf("%d of %d bytes used", r.Used(), r.Cap())
		}
		for _, e := range found.Entries {
			r.Release(e.Pos)
		}
		for _, e := range found.Damaged {
			r.Release(e.Pos)
		}
		if r.Used() != 0 {
			t.Fatalf("all released, and %d bytes used", r.Used())
		}
		pos, err := r.Append(Row, 1, 1, []byte("x"), 0)
		if err != nil {
			t.Fatal(err)
		}
		if p, err := r.Payload(pos); err != nil || string(p) != "x" {
			t.Fatalf("payload %q, %v", p, err)
		}
	})
}
