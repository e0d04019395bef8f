package outbox

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/headwater-iot/headwater/shared/wire"
)

// TestAckIsLookedAtAtOnce: an ack that takes back what was stored makes it due, and one that lands it shows in the
// gauges, although no sensor gives a row that would wake Run.
func TestAckIsLookedAtAtOnce(t *testing.T) {
	for name, landed := range map[string]bool{"a new log has not got it": false, "it has landed": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				cfg := config(t)
				o := mustOpen(t, cfg)
				ctx, cancel := context.WithCancel(t.Context())
				done := make(chan error)
				go func() { done <- o.Run(ctx) }()
				appendRows(t, o, 0, 10)
				if err := o.Seal(); err != nil {
					t.Fatal(err)
				}
				l := newLake(t)
				b, _ := o.Next(Live, func(Ref) bool { return false })
				ack := func(log wire.ID, n uint64, e wire.AckEpoch) {
					t.Helper()
					e.Epoch = b.Epoch
					if err := o.Apply(&wire.Ack{Lake: l.lakeID, Log: log, N: n, Epochs: []wire.AckEpoch{e}}); err != nil {
						t.Fatal(err)
					}
					synctest.Wait()
				}
				ack(l.logID, 1, wire.AckEpoch{StoredMark: b.First + b.Count})
				<-time.After(2 * cfg.orDefault())
				synctest.Wait()
				if w, held := o.meters.writes.Value(), o.meters.ringBatches.Value(); w != 0 || held != 1 {
					t.Fatalf("%d writes and %v batches in the ring while it is stored", w, held)
				}
				if landed {
					ack(l.logID, 2, wire.AckEpoch{StoredMark: b.First + b.Count, LandedMark: b.First + b.Count})
				} else {
					ack(wire.ID{9}, 1, wire.AckEpoch{})
				}
				if w := o.meters.writes.Value(); (w == 0) != landed {
					t.Errorf("%d writes", w)
				}
				if held := o.meters.ringBatches.Value(); held != 0 {
					t.Errorf("%v batches in the ring", held)
				}
				cancel()
				<-done
				if err := o.Close(); err != nil {
					t.Fatal(err)
				}
			})
		})
	}
}
