package intake

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/headwater-iot/headwater/gateway/internal/cursor"
	"github.com/headwater-iot/headwater/gateway/internal/table"
	"github.com/headwater-iot/headwater/shared/record"
	"github.com/headwater-iot/headwater/shared/seqset"
	"github.com/headwater-iot/headwater/shared/wire"
)

// TestShareFullIsANack lets the log refuse one device: the broker is answered, the device hears why, nothing moves.
func TestShareFullIsANack(t *testing.T) {
	w := newWorld(t)
	w.fail = fmt.Errorf("append: %w", ErrShare)
	if err := w.Batch(t.Context(), "dev", part{epoch: 5, n: 4}.bytes(t)); err != nil {
		t.Errorf("the batch was withheld: %v", err)
	}
	if err := w.Hello(t.Context(), "dev", helloOf(t, "dev", 1)); err != nil {
		t.Errorf("the hello was withheld: %v", err)
	}
	nacks := w.nacks["dev"]
	if len(nacks) != 2 || nacks[0].Reason != wire.ShareFull || nacks[0].Epoch != 5 || nacks[1].Reason != wire.ShareFull {
		t.Errorf("nacks %+v", nacks)
	}
	if len(w.epochs) != 0 || len(w.acksOf("dev")) != 0 {
		t.Errorf("%d epochs, %d acks", len(w.epochs), len(w.acksOf("dev")))
	}
	w.fail = nil
	w.send(part{epoch: 5, n: 4})
	if len(w.log) != 1 {
		t.Error("with room again the batch is still refused")
	}
}

// TestEpochsOfOneDeviceAreBounded sends a batch each of epochs without end: memory must not follow. Another device, and
// an epoch that is known, are taken all the same; so is a new one once some have ended.
func TestEpochsOfOneDeviceAreBounded(t *testing.T) {
	w := newWorld(t)
	for i := range 2 * maxEpochs {
		w.send(part{epoch: record.Epoch(i + 1), n: 1})
	}
	if n := w.nacks["dev"]; len(w.epochs) != maxEpochs || len(n) != maxEpochs || n[0].Reason != wire.NotNow {
		t.Fatalf("%d epochs in memory, %d nacks", len(w.epochs), len(n))
	}
	before := len(w.log)
	w.send(part{epoch: 1, from: 1, n: 1})
	if err := w.Batch(t.Context(), "other", part{device: "other", epoch: 1, n: 1}.bytes(t)); err != nil {
		t.Fatal(err)
	}
	if len(w.log) != before+2 {
		t.Errorf("%d records more, want that of a known epoch and that of another device", len(w.log)-before)
	}
	w.send(part{epoch: 2, kind: wire.KindEnd, from: 1})
	w.Landed([]cursor.Update{{Device: "dev", Epoch: 2, Closed: seqset.Of(seqset.Range{From: 0, To: 1}), Ended: true}})
	w.Intake.mu.Lock()
	w.release(table.Key{Device: "dev", Epoch: 2})
	w.Intake.mu.Unlock()
	before = len(w.log)
	w.send(part{epoch: 9999, n: 1})
	if len(w.log) != before+1 {
		t.Error("an epoch has ended and a new one is still refused")
	}
}

// TestForgottenEpochsLockNobodyOut is a device that keeps nothing over a boot, so that none of its epochs ever ends: those of
// other days do not count.
func TestForgottenEpochsLockNobodyOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t).running()
		var old []cursor.Update
		for i := range 2 * maxEpochs {
			old = append(old, update(record.Epoch(10_000+i), false, seqset.Range{From: 0, To: 4}))
		}
		w.Loaded(old)
		for day := range 3 {
			for i := range maxEpochs / 2 {
				w.send(part{epoch: record.Epoch(1 + day*maxEpochs + i), n: 1})
			}
			<-time.After(epochsEvery)
			synctest.Wait()
		}
		if n := len(w.nacks["dev"]); n != 0 {
			t.Errorf("%d of %d batches were refused, the first with %+v", n, 3*maxEpochs/2, w.nacks["dev"][0])
		}
	})
}
