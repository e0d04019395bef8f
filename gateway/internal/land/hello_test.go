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

func current(epoch wire.HelloEpoch) *wire.Hello {
	epoch.Boot = 7
	return &wire.Hello{Boot: 7, Epochs: []wire.HelloEpoch{epoch}}
}

func TestOpenSeqsThatAreNotHeldArePresumedLost(t *testing.T) {
	r := newRiver(t, land.Settings{})
	r.batch(landtest.Readings(t, synced(), header(1, 2, at(-10)), 1, 2, 1000)) // [2, 4)
	r.hello(current(wire.HelloEpoch{Epoch: 1, Floor: 6, Next: 12, Held: []uint64{4, 7, 9, 10}}))
	r.land()
	r.expect(
		"landed 1 s0a [2..3] at -10.000s",
		"gap 1 [0,2) count 2 gateway_state_lost presumed",
		"gap 1 [4,6) count 2 gateway_state_lost presumed", // held, says the set; nothing below 6 is, says the floor
		"gap 1 [7,9) count 2 gateway_state_lost presumed",
		"gap 1 [10,12) count 2 gateway_state_lost presumed",
	)
	if c := r.cursor(1); c.Accepted != 12 || c.Held != 2 || c.Closed.Count() != 2 || c.Ended {
		t.Errorf("cursor %+v", c)
	}
}

func TestLateBatchLandsOverPresumedSeqsAndTheRowsAreCorrected(t *testing.T) {
	r := newRiver(t, land.Settings{})
	r.hello(current(wire.HelloEpoch{Epoch: 1, Next: 10}))
	r.land()
	r.expect("gap 1 [0,10) count 10 gateway_state_lost presumed")
	r.restart()
	r.batch(landtest.Readings(t, synced(), header(1, 3, at(-10)), 1, 2, 1000))
	r.land()
	r.expect(
		"landed 1 s0a [3..4] at -10.000s",
		"gap 1 [0,3) count 3 gateway_state_lost presumed",
		"gap 1 [5,10) count 5 gateway_state_lost presumed",
	)
	r.restart()
	r.batch(landtest.Gap(t, synced(), header(1, 0, at(-10)), 10, wire.Gap{Reason: wire.Damaged, From: 0, To: 1}))
	r.land()
	r.expect(
		"landed 1 s0a [3..4] at -10.000s",
		"gap 1 [0,3) count 3 damaged",
		"gap 1 [5,10) count 5 damaged",
	)
}

func TestSeqsClaimedToBeHeldArePendingAgain(t *testing.T) {
	r := newRiver(t, land.Settings{})
	r.hello(current(wire.HelloEpoch{Epoch: 1, Next: 10}))
	r.hello(current(wire.HelloEpoch{Epoch: 1, Next: 10, Held: []uint64{2, 8}}))
	r.land()
	r.expect(
		"gap 1 [0,2) count 2 gateway_state_lost presumed",
		"gap 1 [8,10) count 2 gateway_state_lost presumed",
	)
}

// succession is a hello of epoch 2, which follows epoch 1.
func succession(ancestor wire.HelloEpoch) *wire.Hello {
	ancestor.Epoch, ancestor.Boot = 1, 6
	return &wire.Hello{Boot: 7, Epochs: []wire.HelloEpoch{ancestor, {Epoch: 2, Predecessor: 1, Boot: 7}}}
}

func TestPowerCutEndsInAnOpenPresumedGapThatALateBatchCorrects(t *testing.T) {
	r := newRiver(t, land.Settings{})
	r.batch(landtest.Readings(t, synced(), header(1, 0, at(-10)), 1, 4, 1000))
	lost := succession(wire.HelloEpoch{State: wire.EpochLost, Next: 6, CountMax: 20})
	r.hello(lost)
	r.land()
	r.expect(
		"landed 1 s0a [0..3] at -10.000s",
		"gap 1 [4,6) count 2 power_cut presumed",
		"gap 1 [6,0) count 0 at most 20 power_cut presumed",
	)
	if c := r.cursor(1); !c.Ended || c.HasFinal || !c.PresumedOpen {
		t.Errorf("cursor %+v", c)
	}
	if u := r.told[slices.IndexFunc(r.told, func(u cursor.Update) bool { return u.Epoch == 1 })]; !u.Lost || u.Ended {
		t.Errorf("told %+v", u)
	}
	r.restart()
	r.batch(landtest.Readings(t, synced(), header(1, 8, at(-5)), 1, 2, 1000))
	r.hello(lost) // says nothing new
	r.land()
	r.expect(
		"landed 1 s0a [0..3] at -10.000s",
		"landed 1 s0a [8..9] at -5.000s",
		"gap 1 [4,8) count 4 power_cut presumed",
		"gap 1 [10,0) count 0 at most 16 power_cut presumed",
	)
}

func TestEndedAncestorHasAFinalSeq(t *testing.T) {
	r := newRiver(t, land.Settings{})
	r.batch(landtest.Readings(t, synced(), header(1, 0, at(-10)), 1, 4, 1000))
	r.hello(succession(wire.HelloEpoch{State: wire.EpochEnded, Next: 6, Held: []uint64{4, 6}}))
	r.land()
	r.expect("landed 1 s0a [0..3] at -10.000s")
	if c := r.cursor(1); !c.HasFinal || c.FinalSeq != 6 || c.Held != 2 {
		t.Errorf("cursor %+v", c)
	}
}

func TestOnlyADescendantEndsAnEpoch(t *testing.T) {
	r := newRiver(t, land.Settings{})
	stranger := succession(wire.HelloEpoch{State: wire.EpochLost, Next: 6, CountMax: 20})
	stranger.Epochs[1].Predecessor = 99
	r.hello(stranger)
	r.land()
	r.expect("gap 1 [0,6) count 6 gateway_state_lost presumed")
	if c := r.cursor(1); c.Ended || c.PresumedOpen {
		t.Errorf("cursor %+v", c)
	}
}

func TestForkEndsNeither(t *testing.T) {
	r := newRiver(t, land.Settings{})
	r.hello(&wire.Hello{Boot: 7, Epochs: []wire.HelloEpoch{{Epoch: 2, Predecessor: 1, Boot: 7}}})
	r.hello(&wire.Hello{Boot: 8, Epochs: []wire.HelloEpoch{{Epoch: 3, Predecessor: 1, Boot: 8}}})
	r.land()
	r.restart()
	r.hello(&wire.Hello{Boot: 9, Epochs: []wire.HelloEpoch{
		{Epoch: 2, Predecessor: 1, Boot: 7, State: wire.EpochLost, CountMax: 5},
		{Epoch: 4, Predecessor: 2, Boot: 9},
	}})
	r.land()
	r.expect()
	for _, epoch := range []record.Epoch{2, 3} {
		if c := r.cursor(epoch); c.Ended {
			t.Errorf("cursor %+v", c)
		}
	}
}

func TestHelloThatSaysNothingNewCommitsNothing(t *testing.T) {
	r := newRiver(t, land.Settings{})
	for want := range 2 {
		r.hello(current(wire.HelloEpoch{Epoch: 1, Next: 10, Held: []uint64{0, 10}}))
		if n := r.land(); n != 1-want {
			t.Errorf("hello %d: %d commits", want, n)
		}
	}
}

func TestHelloThatNamesACompleteEpochIsAnswered(t *testing.T) {
	r := newRiver(t, land.Settings{})
	r.batch(landtest.Readings(t, synced(), header(1, 0, at(-10)), 1, 4, 1000))
	r.hello(succession(wire.HelloEpoch{State: wire.EpochEnded, Next: 4, Held: []uint64{0, 4}}))
	r.land()
	r.restart()
	r.told = nil
	r.hello(succession(wire.HelloEpoch{State: wire.EpochEnded, Next: 4}))
	if n := r.land(); n != 0 || len(r.told) != 1 || r.told[0].Epoch != 1 || r.told[0].Closed.Mark() != 4 {
		t.Errorf("%d commits, told %+v", n, r.told)
	}
}

func TestSiteOfTheHelloIsInEveryRow(t *testing.T) {
	r := newRiver(t, land.Settings{})
	h := current(wire.HelloEpoch{Epoch: 1})
	h.Site, h.Owner, h.Version, h.Tags = "north", "ops", "1.0", map[string]string{"a": "b"}
	h.Anchors = []wire.BootAnchor{{Boot: 7, State: wire.Synced, Generation: 1, Wall: boot0, Uncertainty: 12}}
	r.hello(h)
	r.land()
	if rows, changed := r.lander.Devices(); !changed || len(rows) != 1 || rows[0].Owner != "ops" || rows[0].ClockState != "synced" ||
		rows[0].ClockError != 12 || rows[0].LastSeen != now || rows[0].Tags["a"] != "b" || rows[0].Epoch != 1 {
		t.Errorf("devices %+v", rows)
	}
	if _, changed := r.lander.Devices(); changed {
		t.Error("changed again without a record")
	}
	r.restart()
	r.batch(landtest.Readings(t, synced(), header(1, 0, at(-10)), 1, 4, 1000))
	r.land()
	if site := r.lake.Tables().Readings[0].Site; site != "north" {
		t.Errorf("site %q", site)
	}
}

func TestHelloOfTooManyEpochsIsHeardInPart(t *testing.T) {
	r := newRiver(t, land.Settings{})
	h := &wire.Hello{Boot: 7}
	for i := range 2000 {
		h.Epochs = append(h.Epochs, wire.HelloEpoch{Epoch: record.Epoch(1000 + i), Boot: 6, State: wire.EpochEnded, Next: 1, Held: []uint64{0, 1}})
	}
	h.Epochs = append(h.Epochs, wire.HelloEpoch{Epoch: 1, Boot: 7, Next: 3})
	r.hello(h)
	r.land()
	if n := len(r.lake.Tables().Cursors); n != 256 {
		t.Errorf("%d cursors", n)
	}
	r.expect("gap 1 [0,3) count 3 gateway_state_lost presumed")
}
