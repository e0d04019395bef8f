package seal

import (
	"fmt"
	"testing"
	"time"

	"github.com/headwater-iot/headwater/agent/internal/sensor/simbus"
	"github.com/headwater-iot/headwater/shared/record"
	"github.com/headwater-iot/headwater/shared/wire"
	"github.com/headwater-iot/headwater/shared/wire/wiretest"
)

// BenchmarkBytesPerReadingSimbus reports sizes per reading of what an agent publishes of eight series of simulated
// chips, with the steps and the noise of their converters, at one row a second; see wiretest.Report. Rows are
// on time to the millisecond.
//
// go test ./agent/internal/seal -run '^$' -bench BytesPerReadingSimbus -benchtime 1x
func BenchmarkBytesPerReadingSimbus(b *testing.B) {
	const all = 12_000
	start := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	rows := make([]Row, all)
	for i, r := range simbus.Recording(7, all, start, time.Second) {
		r.Absolute, r.Time = false, r.Time-start.UnixMilli()+90_000 // as sampled: ms since boot
		rows[i] = Row{Counter: uint64(i), Row: r}
	}
	for _, n := range []int{10, 60, 300, 1000} {
		b.Run(fmt.Sprintf("rows=%d", n), func(b *testing.B) {
			var sum *wiretest.Sizes
			for b.Loop() {
				sum = wiretest.NewSizes(b)
				stride := max(n, all/60/n*n) // at most 60 batches, spread over the whole recording
				for i := 0; i+n <= all; i += stride {
					addSealed(b, sum, rows[i:i+n], uint64(8*i))
				}
			}
			sum.Report(b)
		})
	}
}

// addSealed seals rows as the outbox does, reads them back, and adds what they take.
func addSealed(b *testing.B, sum *wiretest.Sizes, rows []Row, first uint64) {
	h := wire.Header{Device: "pump-7", Epoch: 0x1122334455667788, Boot: 0x99aabbccddeeff00, First: first, HasPromise: true, Promise: rows[len(rows)-1].Time}
	batches, err := mustNew(b).Seal(h, rows)
	if err != nil || len(batches) != 1 {
		b.Fatalf("%d batches, %v", len(batches), err)
	}
	s, err := wire.ParseSealed(batches[0].Sealed)
	if err != nil {
		b.Fatal(err)
	}
	dec, err := wire.NewDecoder()
	if err != nil {
		b.Fatal(err)
	}
	var body record.Body
	if err := dec.Readings(&s, &body); err != nil || body.Readings() != 8*len(rows) {
		b.Fatalf("%d readings, %v", body.Readings(), err)
	}
	anchor := wire.Anchor{State: wire.Synced, Generation: 1, Wall: 1.79e15, Monotonic: 86_400_000_000, Uncertainty: 20_000}
	sum.Add(b, &body, len(wire.AppendEnvelope(nil, anchor, s.Raw)), len(s.Body))
}
