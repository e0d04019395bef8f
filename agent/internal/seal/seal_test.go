package seal

import (
	"errors"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/headwater-iot/headwater/shared/record"
	"github.com/headwater-iot/headwater/shared/wire"
)

func mustNew(t testing.TB) *Sealer {
	t.Helper()
	s, err := New()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func header() wire.Header {
	return wire.Header{Device: "d", Epoch: 7, Boot: 9, First: 100, HasPromise: true, Promise: math.MaxInt64}
}

// open decodes a sealed batch.
func open(t interface{ Fatal(...any) }, b *Batch) (wire.Sealed, record.Body) {
	s, err := wire.ParseSealed(b.Sealed)
	if err != nil {
		t.Fatal(err)
	}
	var body record.Body
	if s.Kind == wire.KindReadings {
		dec, err := wire.NewDecoder()
		if err != nil {
			t.Fatal(err)
		}
		if err := dec.Readings(&s, &body); err != nil {
			t.Fatal(err)
		}
	}
	return s, body
}

// cellsOf draws a subset of four series, so that columns have holes.
func cellsOf(t *rapid.T) (cells []record.Cell) {
	mask := rapid.IntRange(1, 15).Draw(t, "series")
	for i, c := range []record.Cell{
		record.FloatCell("temp", "Cel", rapid.Float64().Draw(t, "temp")),
		record.IntCell("steps", "", rapid.Int64().Draw(t, "steps")),
		{Series: "text", Kind: record.Text, Text: rapid.String().Draw(t, "text")},
		record.FailedCell("fail", "Pa", record.Float),
	} {
		if mask&(1<<i) != 0 {
			cells = append(cells, c)
		}
	}
	return cells
}

// TestEveryCellTakesOneSeq holds sealing to a count of cells by series and time kind (I1, I4).
func TestEveryCellTakesOneSeq(t *testing.T) {
	sealer := mustNew(t)
	rapid.Check(t, func(t *rapid.T) {
		type key struct {
			series   string
			absolute bool
			time     int64
			unit     record.TimeUnit
		}
		want := map[key]int{}
		var rows []Row
		for i := range rapid.IntRange(1, 30).Draw(t, "rows") {
			row := record.Row{
				Sensor: rapid.SampledFrom([]string{"a", "b"}).Draw(t, "sensor"), Absolute: rapid.Bool().Draw(t, "absolute"),
				Unit: rapid.SampledFrom([]record.TimeUnit{record.Milli, record.Micro}).Draw(t, "unit"),
				Time: rapid.Int64Range(-maxTime, maxTime).Draw(t, "time"), Cells: cellsOf(t),
			}
			if err := Check(&row); err != nil {
				t.Fatal(err)
			}
			for _, c := range row.Cells {
				want[key{c.Series, row.Absolute, row.Time, row.Unit}]++
			}
			rows = append(rows, Row{Counter: uint64(i), Row: row})
		}
		batches, err := sealer.Seal(header(), rows)
		if err != nil {
			t.Fatal(err)
		}
		next, consumed := uint64(100), 0
		for i := range batches {
			s, body := open(t, &batches[i])
			if s.First != next || s.Absolute && s.HasPromise || s.Kind != wire.KindReadings {
				t.Fatalf("batch %d: %+v, want first %d", i, s.Header, next)
			}
			next = s.End()
			consumed += len(batches[i].Rows)
			for _, g := range body.Groups {
				for _, c := range g.Columns {
					for j := range c.Cells(len(g.Times)) {
						row := j
						if c.Rows != nil {
							row = int(c.Rows[j])
						}
						want[key{c.Series, s.Absolute, g.Times[row], g.Unit}]--
					}
				}
			}
		}
		for k, n := range want {
			if n != 0 {
				t.Fatalf("%+v: %d more cells than sealed", k, n)
			}
		}
		if consumed != len(rows) {
			t.Fatalf("%d of %d rows consumed", consumed, len(rows))
		}
	})
}

// bigRow does not compress.
func bigRow(counter int, bytes int) Row {
	rng := rand.New(rand.NewPCG(1, uint64(counter)))
	b := make([]byte, bytes)
	for i := range b {
		b[i] = byte(rng.Uint32())
	}
	return Row{Counter: uint64(counter), Row: record.Row{
		Sensor: "s", Unit: record.Milli, Time: int64(counter),
		Cells: []record.Cell{{Series: "b", Kind: record.Bytes, Text: string(b)}},
	}}
}

func TestTooLargeIsSplit(t *testing.T) {
	var rows []Row
	for i := range 10 {
		rows = append(rows, bigRow(i, 60<<10))
	}
	batches, err := mustNew(t).Seal(header(), rows)
	if err != nil {
		t.Fatal(err)
	}
	next := uint64(100)
	for i := range batches {
		s, _ := open(t, &batches[i])
		if s.First != next || s.Kind != wire.KindReadings {
			t.Fatalf("batch %d: %+v", i, s.Header)
		}
		next = s.End()
	}
	if len(batches) < 3 || next != 110 {
		t.Fatalf("%d batches up to %d", len(batches), next)
	}
}

// TestPromiseHoldsAcrossSplits: nothing in a later batch is older than an earlier one promised (I2).
func TestPromiseHoldsAcrossSplits(t *testing.T) {
	var rows []Row
	for i := range 10 {
		r := bigRow(i, 60<<10)
		r.Time = int64(1000 - i) // falling, so that a later batch is older
		rows = append(rows, r)
	}
	batches, err := mustNew(t).Seal(header(), rows)
	if err != nil {
		t.Fatal(err)
	}
	for i := range batches {
		for j := i + 1; j < len(batches); j++ {
			if batches[j].Base < batches[i].Promise {
				t.Fatalf("batch %d promised %d, and batch %d begins at %d", i, batches[i].Promise, j, batches[j].Base)
			}
		}
	}
}

func TestPoisonRowBecomesGap(t *testing.T) {
	good := func(i int) Row {
		return Row{Counter: uint64(i), Row: record.Row{Sensor: "s", Unit: record.Milli, Time: 5, Cells: []record.Cell{record.IntCell("n", "", 1)}}}
	}
	bad := good(1)
	bad.Cells = append(bad.Cells, record.IntCell(strings.Repeat("x", 300), "", 1)) // Check would refuse it
	batches, err := mustNew(t).Seal(header(), []Row{good(0), bad, good(2)})
	if err != nil {
		t.Fatal(err)
	}
	readings, gaps := uint64(0), uint64(0)
	for i := range batches {
		s, _ := open(t, &batches[i])
		if s.Kind == wire.KindGap {
			gaps += s.Count
			if g, err := wire.ParseGap(&s); err != nil || g.Reason != wire.Damaged || g.From != 5 || g.To != 6 {
				t.Fatalf("gap %+v, %v", g, err)
			}
			continue
		}
		readings += s.Count
	}
	if readings != 2 || gaps != 2 {
		t.Fatalf("%d readings, %d in gaps", readings, gaps)
	}
}

func TestCheckRefuses(t *testing.T) {
	good := record.Row{Sensor: "s", Unit: record.Milli, Cells: []record.Cell{record.IntCell("n", "", 1)}}
	if err := Check(&good); err != nil {
		t.Fatal(err)
	}
	many := make([]record.Cell, 20)
	for i := range many {
		many[i] = record.IntCell(string(rune('a'+i%19)), "", 1)
	}
	for name, change := range map[string]func(*record.Row){
		"sensor":     func(r *record.Row) { r.Sensor = "\xff" },
		"unit":       func(r *record.Row) { r.Unit = 4 },
		"time":       func(r *record.Row) { r.Time = math.MinInt64 },
		"no cells":   func(r *record.Row) { r.Cells = nil },
		"series":     func(r *record.Row) { r.Cells = []record.Cell{record.IntCell("", "", 1)} },
		"kind":       func(r *record.Row) { r.Cells = []record.Cell{{Series: "a"}} },
		"quality":    func(r *record.Row) { r.Cells = []record.Cell{{Series: "a", Kind: record.Int, Quality: 1 << 8}} },
		"text":       func(r *record.Row) { r.Cells = []record.Cell{{Series: "a", Kind: record.Text, Text: "\xff"}} },
		"long unit":  func(r *record.Row) { r.Cells = []record.Cell{record.IntCell("a", strings.Repeat("u", 256), 1)} },
		"twice":      func(r *record.Row) { r.Cells = append(r.Cells, r.Cells[0]) },
		"twice many": func(r *record.Row) { r.Cells = many },
	} {
		row := good
		change(&row)
		if err := Check(&row); !errors.Is(err, record.ErrRow) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestCheckedRowsSeal: a value at every edge of what Check allows (I4).
func TestCheckedRowsSeal(t *testing.T) {
	var cells []record.Cell
	for i, v := range []float64{0, math.Copysign(0, -1), math.NaN(), math.Inf(1), math.MaxFloat64, 5e-324} {
		cells = append(cells, record.FloatCell(strings.Repeat("f", i+1), "", v))
	}
	cells = append(cells,
		record.Cell{Series: "u", Kind: record.Uint, Uint: math.MaxUint64},
		record.Cell{Series: "t", Kind: record.Text},
		record.Cell{Series: "b", Kind: record.Bytes, Text: "\xff"},
		record.Cell{Series: "o", Kind: record.Bool, Int: 1, Quality: record.DeviceBits},
		record.Cell{Series: strings.Repeat("s", wire.MaxName), Unit: strings.Repeat("u", wire.MaxName), Kind: record.Int, Null: true},
	)
	for _, at := range []int64{-maxTime, 0, maxTime} {
		row := record.Row{Unit: record.Milli, Time: at, Cells: cells}
		if err := Check(&row); err != nil {
			t.Fatal(err)
		}
		batches, err := mustNew(t).Seal(header(), []Row{{Row: row}})
		if err != nil || len(batches) != 1 || batches[0].Cause != nil {
			t.Fatalf("time %d: %v, %+v", at, err, batches)
		}
	}
}
