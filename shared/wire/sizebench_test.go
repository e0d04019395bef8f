package wire

import (
	"fmt"
	"testing"

	"github.com/headwater-iot/headwater/shared/record"
	"github.com/headwater-iot/headwater/shared/wire/wiretest"
)

// maxBatches bounds what one measurement encodes; they are spread over the whole recording.
const maxBatches = 60

// BenchmarkBytesPerReading reports sizes per reading, not times; see wiretest.Report.
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

func measureSizes(b *testing.B, batches []*record.Body) {
	if len(batches) == 0 {
		b.Skip("recording is shorter than one batch")
	}
	e, d := newCodec(b)
	var sum *wiretest.Sizes
	for b.Loop() {
		sum = wiretest.NewSizes(b)
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
			sum.Add(b, body, len(env), len(s.Body))
		}
	}
	sum.Report(b)
}
