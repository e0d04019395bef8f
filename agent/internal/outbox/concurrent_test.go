package outbox

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// TestManyAtOnce runs samplers, the clock of the outbox and a flaky uplink against one another; the race
// detector and the count of rows are the judges.
func TestManyAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := config(t)
		o := mustOpen(t, cfg)
		ctx, cancel := context.WithCancel(t.Context())
		var clocks, samplers sync.WaitGroup
		clocks.Go(func() { _ = o.Run(ctx) })
		const each, sensors = 500, 4
		for s := range sensors {
			samplers.Go(func() {
				for i := range each {
					if err := o.Append(row(s*each + i)); err != nil {
						t.Error(err)
						return
					}
					<-time.After(100 * time.Millisecond)
				}
			})
		}
		l := newLake(t)
		clocks.Go(func() {
			for i := 0; ctx.Err() == nil; i++ {
				if i%30 > 15 { // half of the time there is a gateway
					l.drain(o)
				}
				o.Report()
				select {
				case <-ctx.Done():
				case <-o.Wake():
				case <-time.After(time.Second):
				}
			}
		})
		samplers.Wait()
		cancel()
		clocks.Wait()
		if o.meters.writes.Value() == 0 {
			t.Error("nothing went to flash while the gateway was away")
		}
		must(t, o.Seal())
		l.drain(o)
		l.wantRows(0, each*sensors)
		l.wantDense()
		must(t, o.Close())
	})
}
