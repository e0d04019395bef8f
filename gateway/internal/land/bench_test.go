package land_test

import (
	"context"
	"fmt"
	"log/slog"
	"math"
	"syscall"
	"testing"
	"time"

	"github.com/headwater-iot/headwater/gateway/internal/land"
	"github.com/headwater-iot/headwater/gateway/internal/land/landtest"
	"github.com/headwater-iot/headwater/gateway/internal/table"
	"github.com/headwater-iot/headwater/shared/record"
)

// cpu is what the process has used.
func cpu() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// weather logs batches of eight series with steps of an ADC, sampled ten times a second.
func weather(b *testing.B, batches, rows int) *landtest.Log {
	log := landtest.NewLog(1, 1)
	first := uint64(0)
	for i := range batches {
		g := record.Group{Unit: record.Milli}
		for r := range rows {
			g.Times = append(g.Times, int64(i*rows+r)*100)
		}
		for c := range 8 {
			col := record.Column{Series: fmt.Sprintf("s%d", c), Unit: "Cel", Kind: record.Float}
			for r := range rows {
				x := float64(i*rows+r)/500 + float64(c)
				col.Floats = append(col.Floats, math.Round((20+3*math.Sin(x)+0.02*math.Sin(977*x))*100)/100)
			}
			g.Columns = append(g.Columns, col)
		}
		payload := landtest.Body(b, landtest.Sync(boot0), header(1, first, 0), &record.Body{Groups: []record.Group{g}})
		log.Append(land.KindBatch, "probe-1", now+86_400*second, payload)
		first += uint64(8 * rows)
	}
	return log
}

// BenchmarkLand takes log records to rows: decode, clip, stamp.
func BenchmarkLand(b *testing.B) {
	for _, rows := range []int{10, 60, 300, 1000} {
		b.Run(fmt.Sprintf("rows=%d", rows), func(b *testing.B) {
			const batches = 200
			log := weather(b, batches, rows)
			lake := landtest.NewLake()
			readings := batches * rows * 8
			b.ReportAllocs()
			before := cpu()
			for b.Loop() {
				lander := land.New(land.Config{Log: log.ID, Lookup: lake.Cursor, Logger: slog.New(slog.DiscardHandler)})
				ctx, stop := context.WithCancel(context.Background())
				records, _ := log.ReadFrom(table.Marks{})
				opened, done := make(chan *land.Opened), make(chan struct{})
				go func() {
					defer close(done)
					_ = lander.Open(ctx, records, opened) // ends with ctx
				}()
				g := lander.Begin(table.Marks{Log: log.ID, Next: make([]uint64, 1)})
				for range batches {
					if took, err := g.Add(ctx, <-opened); err != nil || !took {
						b.Fatal(took, err)
					}
				}
				if c := g.Commit(now); len(c.Readings) != 8*batches {
					b.Fatalf("%d runs", len(c.Readings))
				}
				stop()
				<-done
			}
			spent := cpu() - before
			b.ReportMetric(float64(readings)*float64(b.N)/spent.Seconds(), "readings/cpu-s")
			b.ReportMetric(float64(spent.Nanoseconds())/float64(readings)/float64(b.N), "cpu-ns/reading")
		})
	}
}
