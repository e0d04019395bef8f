package outbox

import (
	"fmt"
	"testing"

	"github.com/headwater-iot/headwater/shared/record"
)

// wide is a row of the size that a device with eight series has.
func wide(i int) record.Row {
	r := record.Row{Sensor: "bench", Unit: record.Milli, Time: int64(i) * 1000}
	for s := range 8 {
		r.Cells = append(r.Cells, record.FloatCell(fmt.Sprintf("series-%d", s), "Cel", float64(2000+i%37+s)/100))
	}
	return r
}

// BenchmarkAppend is what a sampler waits for, seals of 1,000 rows included, with a gateway that keeps up.
func BenchmarkAppend(b *testing.B) {
	o := mustOpen(b, config(b))
	rows := make([]record.Row, 1000)
	for i := range rows {
		rows[i] = wide(i)
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if err := o.Append(rows[i%len(rows)]); err != nil {
			b.Fatal(err)
		}
		if i%4000 == 0 {
			o.mu.Lock()
			o.release(func(*held) bool { return true })
			o.mu.Unlock()
		}
	}
}

// BenchmarkDrain is Next over a backlog on flash, with the window of the uplink in flight.
func BenchmarkDrain(b *testing.B) {
	o := mustOpen(b, config(b))
	const batches = 2000
	for i := range batches {
		for j := range 60 {
			if err := o.Append(wide(60*i + j)); err != nil {
				b.Fatal(err)
			}
		}
		if err := o.Seal(); err != nil {
			b.Fatal(err)
		}
	}
	o.flash.Lock()
	o.flush(func(*held) bool { return true })
	o.flash.Unlock()
	e := o.current()
	b.ReportAllocs()
	var window []Ref
	skip := func(r Ref) bool {
		for _, w := range window {
			if w == r {
				return true
			}
		}
		return false
	}
	for b.Loop() {
		batch, ok := o.Next(Backlog, skip)
		if !ok {
			b.StopTimer()
			window, e.stored = nil, emptySet()
			b.StartTimer()
			continue
		}
		b.SetBytes(int64(len(batch.Sealed)))
		if window = append(window, batch.Ref); len(window) > 48 {
			e.stored.Add(window[0].First, window[0].First+window[0].Count)
			window = window[1:]
		}
	}
}
