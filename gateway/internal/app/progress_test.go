package app

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/headwater-iot/headwater/gateway/internal/log"
)

// TestProgress: who waits goes on when the last of its records has landed, and not before, or when it has waited enough.
func TestProgress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newProgress()
		at := []log.Position{{Partition: 0, Offset: 4}, {Partition: 1, Offset: 7}}
		landed := make(chan bool, 1)
		go func() { landed <- p.wait(t.Context(), at) }()
		for _, next := range [][]uint64{{5, 7}, {4, 8}} {
			p.to(next)
			synctest.Wait()
			select {
			case <-landed:
				t.Fatalf("the records have not landed at %v", next)
			default:
			}
		}
		p.to([]uint64{5, 8})
		if !<-landed {
			t.Error("the records have landed")
		}
		ctx, stop := context.WithTimeout(t.Context(), time.Minute)
		defer stop()
		if p.wait(ctx, []log.Position{{Partition: 1, Offset: 8}}) {
			t.Error("nobody landed the record")
		}
	})
}
