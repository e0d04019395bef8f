package wire

import (
	"testing"

	"github.com/headwater-iot/headwater/shared/record"
)

// BenchmarkSeal and BenchmarkOpen report ns per reading of 8 numeric series.
func BenchmarkSeal(b *testing.B) {
	eachSize(b, func(b *testing.B, bodies []*record.Body) {
		e, _ := newCodec(b)
		var dst []byte
		readings := 0
		b.ReportAllocs()
		for b.Loop() {
			body := bodies[readings/bodies[0].Readings()%len(bodies)]
			h := header()
			h.Base = body.Groups[0].Times[0]
			var err error
			if dst, err = e.AppendReadings(dst[:0], h, body); err != nil {
				b.Fatal(err)
			}
			readings += body.Readings()
		}
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(readings), "ns/reading")
	})
}

func BenchmarkOpen(b *testing.B) {
	eachSize(b, func(b *testing.B, bodies []*record.Body) {
		e, d := newCodec(b)
		var sealed []Sealed
		for _, body := range bodies {
			h := header()
			h.Base = body.Groups[0].Times[0]
			sealed = append(sealed, seal(b, e, h, body))
		}
		var out record.Body
		readings, i := 0, 0
		b.ReportAllocs()
		for b.Loop() {
			s := &sealed[i%len(sealed)]
			if err := d.Readings(s, &out); err != nil {
				b.Fatal(err)
			}
			readings += int(s.Count)
			i++
		}
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(readings), "ns/reading")
	})
}

func eachSize(b *testing.B, f func(*testing.B, []*record.Body)) {
	rig := pumpRig(20_000)
	for _, size := range []struct {
		name string
		rows int
	}{{"rows=10", 10}, {"rows=60", 60}, {"rows=300", 300}, {"rows=1000", 1000}} {
		bodies := rig.batches(size.rows, 16)
		b.Run(size.name, func(b *testing.B) { f(b, bodies) })
	}
}
