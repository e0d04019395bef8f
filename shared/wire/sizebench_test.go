package wire

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/fxamacker/cbor/v2"
	"github.com/klauspost/compress/zstd"

	"github.com/headwater-iot/headwater/shared/record"
)

// maxBatches bounds what one measurement encodes; they are spread over the whole recording.
const maxBatches = 60

// BenchmarkBytesPerReading reports sizes per reading, not times:
//
//	wire     envelope, header and body: what is published and stored
//	body     the zstd frame alone
//	floor    floorBits of the same batches
//	json     one object per row; json-zstd the same through zstd's default
//	senml    RFC 8428 in CBOR, names and units in base fields where they can be
//
// go test ./shared/wire -run '^$' -bench BytesPerReading -benchtime 1x
func BenchmarkBytesPerReading(b *testing.B) {
	measure := func(b *testing.B, d *dataset) {
		for _, rows := range []int{10, 60, 300, 1000} {
			b.Run(fmt.Sprintf("rows=%d", rows), func(b *testing.B) { measureSizes(b, d.batches(rows, maxBatches)) })
		}
	}
	b.Run("pump_rig_8", func(b *testing.B) { measure(b, pumpRig(20_000)) })
	for _, f := range nabFiles {
		b.Run(f.name, func(b *testing.B) { measure(b, nab(b, f.name, f.series, f.unit)) })
	}
}

type sizes struct{ wire, body, floor, json, jsonZstd, senml float64 }

func measureSizes(b *testing.B, batches []*record.Body) {
	if len(batches) == 0 {
		b.Skip("recording is shorter than one batch")
	}
	e, d := newCodec(b)
	z, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1))
	if err != nil {
		b.Fatal(err)
	}
	defer z.Close()
	var sum sizes
	readings := 0.0
	for b.Loop() {
		sum, readings = sizes{}, 0
		for i, body := range batches {
			h := header()
			h.Base, h.First, h.HasPromise = body.Groups[0].Times[0], uint64(i*body.Readings()), true
			h.Promise = h.Base + 1000
			s := seal(b, e, h, body)
			var back record.Body
			if err := d.Readings(&s, &back); err != nil {
				b.Fatal(err)
			}
			if x := diff(body, &back); x != "" {
				b.Fatal(x)
			}
			env := AppendEnvelope(nil, Anchor{State: Synced, Generation: 1, Wall: 1.79e15, Monotonic: 86_400_000_000, Uncertainty: 20_000}, s.Raw)
			sum.wire += float64(len(env))
			sum.body += float64(len(s.Body))
			sum.floor += floorBits(body) / 8
			j := asJSON(b, body)
			sum.json += float64(len(j))
			sum.jsonZstd += float64(len(z.EncodeAll(j, nil)))
			sum.senml += float64(len(asSenML(b, body)))
			readings += float64(body.Readings())
		}
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(sum.wire/readings, "wire_B/reading")
	b.ReportMetric(sum.body/readings, "body_B/reading")
	b.ReportMetric(sum.floor/readings, "floor_B/reading")
	b.ReportMetric(sum.json/readings, "json_B/reading")
	b.ReportMetric(sum.jsonZstd/readings, "json-zstd_B/reading")
	b.ReportMetric(sum.senml/readings, "senml_B/reading")
	b.ReportMetric(sum.wire/sum.floor, "wire/floor")
	b.ReportMetric(sum.body/sum.floor, "body/floor")
}

// asJSON writes what a plain publisher sends: one object per row.
func asJSON(tb testing.TB, body *record.Body) []byte {
	tb.Helper()
	var out []byte
	for _, g := range body.Groups {
		for i, t := range g.Times {
			row := map[string]any{"device": "pump-7", "ts": t}
			for _, c := range g.Columns {
				row[c.Series] = c.Floats[i]
			}
			b, err := json.Marshal(row)
			if err != nil {
				tb.Fatal(err)
			}
			out = append(append(out, b...), '\n')
		}
	}
	return out
}

// asSenML writes a SenML pack in CBOR: bn -2, bt -3, n 0, u 1, v 2, t 6.
func asSenML(tb testing.TB, body *record.Body) []byte {
	tb.Helper()
	var pack []map[int]any
	for _, g := range body.Groups {
		for i, t := range g.Times {
			for _, c := range g.Columns {
				r := map[int]any{0: c.Series, 2: c.Floats[i], 6: float64(t-g.Times[0]) / 1000}
				if c.Unit != "" {
					r[1] = c.Unit
				}
				pack = append(pack, r)
			}
		}
	}
	pack[0][-2], pack[0][-3] = "urn:dev:pump-7:", float64(body.Groups[0].Times[0])/1000
	eo := cbor.CoreDetEncOptions()
	m, err := eo.EncMode()
	if err != nil {
		tb.Fatal(err)
	}
	out, err := m.Marshal(pack)
	if err != nil {
		tb.Fatal(err)
	}
	return out
}
