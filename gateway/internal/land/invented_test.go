package land_test

import (
	"slices"
	"testing"

	"github.com/headwater-iot/headwater/gateway/internal/cursor"
	"github.com/headwater-iot/headwater/gateway/internal/land"
	"github.com/headwater-iot/headwater/gateway/internal/land/landtest"
	"github.com/headwater-iot/headwater/shared/record"
	"github.com/headwater-iot/headwater/shared/wire"
)

// TestInventedEpochsAreBounded lets a device name new epochs in every hello: those beyond what one device may have are
// not heard, and its own is heard all the same.
func TestInventedEpochsAreBounded(t *testing.T) {
	r := newRiver(t, land.Settings{})
	next := record.Epoch(100)
	for i := range 10 {
		h := current(wire.HelloEpoch{Epoch: 1, Next: uint64(i + 1)})
		for range 200 {
			next++
			h.Epochs = append(h.Epochs, wire.HelloEpoch{Epoch: next, Boot: 7, State: wire.EpochLost, Next: 1})
		}
		r.hello(h)
		r.land()
	}
	if n := len(r.lake.Tables().Cursors); n > 1100 || n < 900 {
		t.Errorf("2000 invented epochs have left %d cursors", n)
	}
	if c := r.cursor(1); c.Accepted != 10 {
		t.Errorf("the epoch that speaks is heard to %d, want 10", c.Accepted)
	}
}

// TestManyPowerCutsLockNobodyOut cuts the power of a device more often than it may have living epochs. What is over takes
// no room: the epoch that speaks is heard, its ancestor is presumed cut, and a late batch still corrects that.
func TestManyPowerCutsLockNobodyOut(t *testing.T) {
	r := newRiver(t, land.Settings{})
	const cuts = 1100
	lost := func(e record.Epoch) wire.HelloEpoch {
		return wire.HelloEpoch{Epoch: e, Predecessor: e - 1, Boot: record.Boot(e), State: wire.EpochLost, Next: 6, CountMax: 20}
	}
	for e := record.Epoch(1); e <= cuts; e++ {
		h := &wire.Hello{Boot: record.Boot(e + 1), Epochs: []wire.HelloEpoch{{Epoch: e + 1, Predecessor: e, Boot: record.Boot(e + 1)}, lost(e)}}
		r.hello(h)
	}
	r.land()
	if c := r.cursor(cuts + 1); c.Predecessor != cuts {
		t.Fatalf("the epoch that speaks is not heard: %+v", c)
	}
	if c := r.cursor(cuts); !c.Ended || !c.PresumedOpen || c.Presumed.Count() != 6 {
		t.Errorf("the last cut is not presumed: %+v", c)
	}
	r.restart()
	r.batch(landtest.Readings(t, synced(), header(1, 0, at(-10)), 1, 4, 1000))
	r.land()
	if c := r.cursor(1); c.Landed != 4 || c.Presumed.Count() != 2 {
		t.Errorf("a late batch of the first epoch leaves %+v", c)
	}
	r.told = nil
	r.hello(&wire.Hello{Boot: cuts + 1, Epochs: []wire.HelloEpoch{{Epoch: cuts + 1, Predecessor: cuts, Boot: cuts + 1}, lost(cuts)}})
	r.land()
	if !slices.ContainsFunc(r.told, func(u cursor.Update) bool { return u.Epoch == cuts && u.Lost }) {
		t.Error("a device that asks again of a lost epoch is not answered")
	}
}
