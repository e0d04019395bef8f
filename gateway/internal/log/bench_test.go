package log

import (
	"fmt"
	"sync"
	"testing"
)

// BenchmarkAppend appends 4 KiB batches from so many devices at a time; each waits for its fsync.
func BenchmarkAppend(b *testing.B) {
	payload := make([]byte, 4<<10)
	for _, devices := range []int{1, 8, 64} {
		b.Run(fmt.Sprintf("devices=%d", devices), func(b *testing.B) {
			l := open(b, b.TempDir())
			b.SetBytes(int64(len(payload)))
			b.ReportAllocs()
			work := make(chan struct{})
			var all sync.WaitGroup
			for p := range devices {
				all.Go(func() {
					for range work {
						if _, err := l.Append(b.Context(), Record{Kind: Batch, Partition: p % partitions, Client: "dev", Payload: payload}); err != nil {
							b.Error(err)
						}
					}
				})
			}
			for b.Loop() {
				work <- struct{}{}
			}
			close(work)
			all.Wait()
		})
	}
}

// BenchmarkRead reads a log of 64 MiB in batches of 4 KiB.
func BenchmarkRead(b *testing.B) {
	const records = 16 << 10
	l := open(b, b.TempDir(), func(c *Config) { c.noSync = true })
	for range records {
		if _, err := l.Append(b.Context(), Record{Kind: Batch, Client: "dev", Payload: make([]byte, 4<<10)}); err != nil {
			b.Fatal(err)
		}
	}
	b.SetBytes(records * 4 << 10)
	b.ReportAllocs()
	for b.Loop() {
		r, err := l.Reader(make([]uint64, partitions))
		if err != nil {
			b.Fatal(err)
		}
		for range records {
			if _, err := r.Next(b.Context()); err != nil {
				b.Fatal(err)
			}
		}
		r.Close()
	}
}
