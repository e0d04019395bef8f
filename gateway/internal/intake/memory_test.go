package intake

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/headwater-iot/headwater/gateway/internal/cursor"
	"github.com/headwater-iot/headwater/gateway/internal/table"
	"github.com/headwater-iot/headwater/shared/record"
	"github.com/headwater-iot/headwater/shared/seqset"
	"github.com/headwater-iot/headwater/shared/wire"
)

// time20ms lets one turn of acks pass in a bubble.
func time20ms(t testing.TB) {
	t.Helper()
	<-time.After(ackEvery + time.Millisecond)
	synctest.Wait()
}

func TestLandedIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t).running()
		w.greeting("dev", 1, wire.HelloEpoch{Epoch: 5, Boot: 9, Next: 4})
		w.send(part{epoch: 5, n: 4})
		time20ms(t)
		w.Landed([]cursor.Update{update(5, false, seqset.Range{From: 0, To: 4})})
		time20ms(t)
		if got, want := marks(w.last("dev")), "5: stored 4[] landed 4[] ended false;"; got != want {
			t.Errorf("acked %s, want %s", got, want)
		}
	})
}

// TestCompleteEpochIsForgottenWhenItsDeviceForgets holds that a device never hears a mark fall: what left memory is
// left out, and what it still asks about is kept.
func TestCompleteEpochIsForgottenWhenItsDeviceForgets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t).running()
		ended := wire.HelloEpoch{Epoch: 5, Boot: 9, Next: 4, State: wire.EpochEnded}
		w.greeting("dev", 1, ended)
		w.send(part{epoch: 5, n: 4})
		w.send(part{epoch: 5, kind: wire.KindEnd, from: 4})
		w.Landed([]cursor.Update{update(5, true, seqset.Range{From: 0, To: 4})})
		time20ms(t)
		const all = "5: stored 4[] landed 4[] ended true;"
		if got := marks(w.last("dev")); got != all {
			t.Errorf("acked %s, want %s", got, all)
		}
		if got := marks(w.greeting("dev", 2, ended)); got != all {
			t.Errorf("asked again: %s, want %s", got, all)
		}
		if got := marks(w.greeting("dev", 3)); got != "" || len(w.epochs) != 0 {
			t.Errorf("the device is done with it, and we say %q and keep %d epochs", got, len(w.epochs))
		}
		w.Landed([]cursor.Update{update(5, true, seqset.Range{From: 0, To: 4})}) // of a batch that came twice
		if len(w.epochs) != 1 {
			t.Log("an epoch whose end nobody named since is kept until somebody does")
		}
	})
}

// TestLostEpochIsToldToBeOver: its device waits for nothing more of it, and would name it in every hello for ever. An
// end that comes all the same is news.
func TestLostEpochIsToldToBeOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t).running()
		lost := wire.HelloEpoch{Epoch: 5, Boot: 9, Next: 4, State: wire.EpochLost, CountMax: 9}
		if got, want := marks(w.greeting("dev", 1, lost, wire.HelloEpoch{Epoch: 6, Predecessor: 5, Boot: 9})), ""; got != want {
			t.Errorf("acked %s before anything landed", got)
		}
		w.Landed([]cursor.Update{{Device: "dev", Epoch: 5, Lost: true}})
		time20ms(t)
		if got, want := marks(w.last("dev")), "5: stored 0[] landed 0[] ended true;"; got != want {
			t.Errorf("acked %s, want %s", got, want)
		}
		before := len(w.log)
		w.send(part{epoch: 5, kind: wire.KindEnd, from: 4})
		if len(w.log) != before+1 {
			t.Error("the end was taken for a copy")
		}
	})
}

// TestAcksSpeakOfTheCurrentEpochFirst: a device that names more epochs than an ack does hears of the one that grows.
func TestAcksSpeakOfTheCurrentEpochFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t).running()
		var epochs []wire.HelloEpoch
		for i := range maxEpochs {
			epochs = append(epochs, wire.HelloEpoch{Epoch: record.Epoch(1000 + i), Boot: 9, State: wire.EpochLost})
		}
		w.greeting("dev", 1, append(epochs, wire.HelloEpoch{Epoch: 5, Boot: 9, Next: 4, Held: []uint64{0, 4}})...)
		w.send(part{epoch: 5, n: 4})
		time20ms(t)
		if got, want := marks(w.last("dev")), "5: stored 4[] landed 0[] ended false;"; got != want {
			t.Errorf("acked %s, want %s", got, want)
		}
	})
}

// TestEndedEpochWithAHoleAtItsEndStays is the trace that lost a mark: ended, nothing missing below the mark, and more
// still to come.
func TestEndedEpochWithAHoleAtItsEndStays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t).running()
		w.Loaded([]cursor.Update{update(5, true, seqset.Range{From: 0, To: 4})})
		w.greeting("dev", 1, wire.HelloEpoch{Epoch: 5, Boot: 9, Next: 9, Held: []uint64{4, 9}, State: wire.EpochEnded})
		w.greeting("dev", 2) // says nothing of it this time
		w.send(part{epoch: 5, from: 4, n: 5})
		time20ms(t)
		if got, want := marks(w.last("dev")), "5: stored 9[] landed 4[] ended true;"; got != want {
			t.Errorf("acked %s, want %s", got, want)
		}
	})
}

func TestIdleClientsAreForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t).running()
		w.greeting("dev", 1)
		w.send(part{epoch: 5, n: 4})
		w.greeting("busy", 1)
		for range 2 {
			<-time.After(idleAfter - sweepEvery)
			w.greeting("busy", 1)
		}
		synctest.Wait()
		if len(w.clients) != 1 || w.clients["busy"] == nil {
			t.Errorf("%d clients are left, want the one that is not idle", len(w.clients))
		}
		if len(w.cleared) != 1 || w.cleared[0] != "dev" {
			t.Errorf("retained acks taken back of %v, want of dev", w.cleared)
		}
		if a := w.greeting("dev", 2, wire.HelloEpoch{Epoch: 5, Boot: 9, Next: 4}); marks(a) != "5: stored 4[] landed 0[] ended false;" {
			t.Errorf("back again, it hears %s", marks(a))
		}
	})
}

// TestLostEpochsLeaveMemory: each power cut loses an epoch for good, and a device that has its power cut every day must not
// run out of epochs one day.
func TestLostEpochsLeaveMemory(t *testing.T) {
	w := newWorld(t)
	var lost []cursor.Update
	for e := range record.Epoch(maxEpochs) {
		row := table.Cursor{Device: "dev", Epoch: e + 1, Ended: true, Accepted: 6, PresumedOpen: true, PresumedFrom: 6}
		row.Closed.Add(0, 4)
		row.Presumed.Add(4, 6)
		lost = append(lost, cursor.UpdateOf(&row))
	}
	w.Loaded(lost)
	w.send(part{epoch: 5000, n: 4})
	if len(w.log) != 1 || len(w.epochs) != 1 {
		t.Errorf("%d records are stored and %d epochs in memory, want the new one; nacks %+v", len(w.log), len(w.epochs), w.nacks["dev"])
	}
	held := table.Cursor{Device: "dev", Epoch: 1, Ended: true, Accepted: 6, PresumedOpen: true, PresumedFrom: 6}
	held.Closed.Add(0, 4)
	w.Loaded([]cursor.Update{cursor.UpdateOf(&held)})
	if len(w.epochs) != 2 {
		t.Error("a lost epoch of which the device still holds something has left memory")
	}
}
