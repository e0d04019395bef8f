package outbox

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/headwater-iot/headwater/shared/record"
	"github.com/headwater-iot/headwater/shared/wire"
)

// floored is a clock that notes the floor it resumes from.
type floored struct {
	clock
	floor *int64
}

func (c floored) Resume(_ wire.Anchor, floor int64) { *c.floor = floor }

// withFloor returns a configuration whose clock has a floor that the test moves, and where the restored one goes.
func withFloor(t *testing.T) (cfg Config, floor, restored *int64) {
	cfg = config(t)
	floor, restored = new(int64), new(int64)
	cfg.Clock = floored{newClock(), restored}
	cfg.Floor = func() int64 { return *floor }
	return cfg, floor, restored
}

func TestFloorIsKept(t *testing.T) {
	for name, end := range map[string]func(*testing.T, *Outbox, Config){
		"orderly stop": func(t *testing.T, o *Outbox, _ Config) { must(t, o.Close()) },
		"killed":       func(t *testing.T, o *Outbox, _ Config) { kill(t, o) },
		"power cut":    func(t *testing.T, o *Outbox, cfg Config) { powerCut(t, o, cfg) },
	} {
		t.Run(name, func(t *testing.T) {
			cfg, floor, restored := withFloor(t)
			o := mustOpen(t, cfg)
			*floor = 5_000_000_000_000
			must(t, o.Apply(newLake(t).ack()))
			end(t, o, cfg)
			mustOpen(t, cfg)
			if *restored != *floor {
				t.Errorf("restored %d, want %d", *restored, *floor)
			}
		})
	}
}

// TestFloorIsWrittenOnceADay counts what the floor of a connected device costs its flash, while the gateway's clock
// goes steadily, and while it jumps.
func TestFloorIsWrittenOnceADay(t *testing.T) {
	for name, tc := range map[string]struct {
		jump time.Duration
		want uint64 // writes in ten days
	}{
		"steady": {0, 10},
		"mad":    {-30 * time.Hour, 240},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				cfg, floor, _ := withFloor(t)
				o, l := mustOpen(t, cfg), newLake(t)
				before := o.meters.metaWrites.Value()
				for i := range 10 * 24 * 60 {
					time.Sleep(time.Minute) // the hellos of ten days
					*floor = time.Now().UnixMicro() + int64(i%2)*tc.jump.Microseconds()
					must(t, o.Apply(l.ack()))
				}
				if n := o.meters.metaWrites.Value() - before; n > tc.want || n < tc.want/2 {
					t.Errorf("%d writes, want %d", n, tc.want)
				}
			})
		})
	}
}

func TestFloorThatFellIsWrittenAtOnce(t *testing.T) {
	cfg, floor, restored := withFloor(t)
	*floor = 5_000_000_000_000
	o, l := mustOpen(t, cfg), newLake(t)
	*floor = 1_000_000_000_000
	must(t, o.Apply(l.ack()))
	powerCut(t, o, cfg)
	mustOpen(t, cfg)
	if *restored != *floor {
		t.Errorf("restored %d, want %d", *restored, *floor)
	}
}

// TestLearnKeepsTheClockThatWasSet: of what flash says of a boot, the latest counts, but a set clock before an unset.
func TestLearnKeepsTheClockThatWasSet(t *testing.T) {
	anchor := func(state wire.AnchorState, at int64) wire.Anchor { return wire.Anchor{State: state, Monotonic: at} }
	unset, gateway, synced, none := anchor(wire.Unsynced, 9), anchor(wire.Gateway, 5), anchor(wire.Synced, 3), wire.Anchor{}
	later := anchor(wire.Unsynced, 20)
	for _, c := range []struct {
		said []wire.Anchor
		want wire.Anchor
	}{
		{[]wire.Anchor{none}, none},
		{[]wire.Anchor{none, unset, none}, unset},
		{[]wire.Anchor{later, unset}, later},
		{[]wire.Anchor{unset, gateway}, gateway},
		{[]wire.Anchor{gateway, later}, gateway},
		{[]wire.Anchor{gateway, synced}, gateway},
		{[]wire.Anchor{synced, gateway}, gateway},
	} {
		o := &Outbox{anchors: map[record.Boot]wire.Anchor{}}
		for _, a := range c.said {
			o.learn(1, a)
		}
		if got := o.anchors[1]; got != c.want {
			t.Errorf("%+v left %+v", c.said, got)
		}
	}
}
