package contract

import (
	"testing"

	"github.com/headwater-iot/headwater/shared/record"
)

// column is 300 readings a second apart that break nothing.
func column(unit string) Cells {
	col := floats(unit)
	for i := range 300 {
		col.Floats = append(col.Floats, 20+float64(i%100)/100)
	}
	return Cells{Column: col, Event: every(300), Received: 300e6}
}

// singles is a column whose values were single precision once: their decimals are long.
func singles(unit string) Cells {
	cells := column(unit)
	for i, v := range cells.Floats {
		cells.Floats[i] = float64(float32(v))
	}
	return cells
}

// TestJudgeAllocatesNothing where nothing is broken and nothing is converted.
func TestJudgeAllocatesNothing(t *testing.T) {
	c := of(t, typical, extra("allowedLateness", "30d"), extra("futureSkew", "10m"))
	cells := column("Cel")
	var v Verdict
	if n := testing.AllocsPerRun(20, func() { var s State; v = c.Judge(cells, &s) }); n != 0 || v.Fates != nil {
		t.Errorf("%v allocations, fates %v", n, v.Fates)
	}
}

const typical = `logicalType: number, required: true, logicalTypeOptions: {minimum: -40, maximum: 85},
customProperties: [{property: unit, value: Cel}, {property: maxRate, value: {change: 5, per: 1s}}, {property: stuck, value: 1h}]`

func BenchmarkJudge(b *testing.B) {
	for _, bb := range []struct {
		name, series string
		custom       []string
		cells        Cells
	}{
		{"unknown", "", nil, Cells{Column: &record.Column{Series: "y", Kind: record.Float, Floats: make([]float64, 300)}, Event: every(300)}},
		{"range", "logicalType: number, logicalTypeOptions: {minimum: -40, maximum: 85}", nil, column("")},
		{"typical", typical, []string{extra("allowedLateness", "30d"), extra("futureSkew", "10m")}, column("Cel")},
		{"converted", "logicalType: number, " + ext("unit", "K"), nil, column("Cel")},
		{"converted from float32", "logicalType: number, " + ext("unit", "Pa"), nil, singles("hPa")},
		{"enum", "logicalType: number, " + ext("enum", "[1, 2, 3, 20]"), nil, column("")},
	} {
		b.Run(bb.name, func(b *testing.B) {
			c := of(b, bb.series, bb.custom...)
			b.ReportAllocs()
			for b.Loop() {
				var s State
				c.Judge(bb.cells, &s)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/300, "ns/cell")
		})
	}
}
