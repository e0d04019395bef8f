package wiretest

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/fxamacker/cbor/v2"
	"github.com/klauspost/compress/zstd"

	"github.com/headwater-iot/headwater/shared/record"
)

// Sizes adds up bytes of the same readings in several encodings.
type Sizes struct {
	readings                                 int
	wire, body, floor, json, jsonZstd, senml float64
	zstd                                     *zstd.Encoder
}

// NewSizes returns an empty sum.
func NewSizes(tb testing.TB) *Sizes {
	tb.Helper()
	z, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1))
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = z.Close() })
	return &Sizes{zstd: z}
}

// Add adds a batch of numbers without holes: as published, envelope included, and its compressed body alone.
func (s *Sizes) Add(tb testing.TB, batch *record.Body, wire, body int) {
	tb.Helper()
	j := asJSON(tb, batch)
	s.readings += batch.Readings()
	s.wire += float64(wire)
	s.body += float64(body)
	s.floor += FloorBits(batch) / 8
	s.json += float64(len(j))
	s.jsonZstd += float64(len(s.zstd.EncodeAll(j, nil)))
	s.senml += float64(len(asSenML(tb, batch)))
}

// Report reports bytes per reading, not times:
//
//	wire     envelope, header and body: what is published and stored
//	body     the zstd frame alone
//	floor    FloorBits of the same batches
//	json     one object per row; json-zstd the same through zstd's default
//	senml    RFC 8428 in CBOR, names and units in base fields where they can be
func (s *Sizes) Report(b *testing.B) {
	b.ReportMetric(0, "ns/op")
	for _, x := range []struct {
		name  string
		bytes float64
	}{{"wire", s.wire}, {"body", s.body}, {"floor", s.floor}, {"json", s.json}, {"json-zstd", s.jsonZstd}, {"senml", s.senml}} {
		b.ReportMetric(x.bytes/float64(s.readings), fmt.Sprintf("%s_B/reading", x.name))
	}
	b.ReportMetric(s.wire/s.floor, "wire/floor")
	b.ReportMetric(s.body/s.floor, "body/floor")
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
