package timebase

import (
	"errors"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/headwater-iot/headwater/shared/wire"
)

const year = 365 * 86400 * second

// TestFloor says what a clock makes of the floor that an earlier process left, and what it leaves itself.
func TestFloor(t *testing.T) {
	for _, tc := range []struct {
		name     string
		restored int64
		wall     int64
		synced   bool
		gateway  int64 // its answer; 0 = none
		state    wire.AnchorState
		floor    int64
	}{
		{"new device, nobody knows the time", 0, 0, false, 0, wire.Unsynced, 0},
		{"new device, NTP", 0, now, true, 0, wire.Synced, now - 10},
		{"new device, gateway", 0, 0, false, now, wire.Gateway, now - 1},
		{"an RTC that the kernel believes, from before the floor", now, now - year, true, 0, wire.Unsynced, now},
		{"and behind it", now, now + year, true, 0, wire.Synced, now + year - 10},
		{"an unset clock keeps the floor", now, 0, false, 0, wire.Unsynced, now},
		{"NTP of the future, and nobody contradicts", now, now + 73*year, true, 0, wire.Synced, now + 73*year - 10},
		{"NTP of the future, and the gateway contradicts", now, now + 73*year, true, now + second, wire.Synced, now},
		{"a floor of the future, and NTP is right", now + 73*year, now, true, 0, wire.Unsynced, now + 73*year},
		{"a floor of the future, and the gateway answers", now + 73*year, 0, false, now, wire.Gateway, now - 1},
		{"a floor of the future, NTP is right, and the gateway answers", now + 73*year, now, true, now, wire.Synced, now - 10},
		{"a gateway without a clock", now, 0, false, second, wire.Unsynced, now},
		{"a floor that no clock says", math.MaxInt64, now, true, now, wire.Synced, now - 10},
		{"a floor from before our birth", math.MinInt64, now, true, 0, wire.Synced, now - 10},
	} {
		t.Run(tc.name, func(t *testing.T) {
			h := &hand{mono: 100 * second, wall: tc.wall, synced: tc.synced, bound: 10}
			c := h.clock()
			c.Resume(wire.Anchor{}, tc.restored)
			if tc.gateway != 0 {
				c.Learn(tc.gateway, h.mono, h.mono)
			}
			if a := c.Anchor(); a.State != tc.state {
				t.Errorf("state %s, want %s", a.State, tc.state)
			}
			if got := c.Floor(); got != tc.floor {
				t.Errorf("floor %d, want %d (%+d us)", got, tc.floor, got-tc.floor)
			}
		})
	}
}

// TestGatewayTakesBackAFloor: one that this process raised itself, by an own clock that nobody contradicted until now.
func TestGatewayTakesBackAFloor(t *testing.T) {
	h := &hand{mono: 100 * second, wall: now + year, synced: true, bound: 10}
	c := h.clock()
	c.Anchor()
	c.Learn(now, h.mono, h.mono)
	c.Anchor()
	if got := c.Floor(); got != now {
		t.Errorf("floor %+d us from what the gateway said", got-now)
	}
}

// TestContradictionGoesToTheLater: when NTP has fallen silent, its last word and that of the gateway are compared.
func TestContradictionGoesToTheLater(t *testing.T) {
	for _, gatewayLast := range []bool{false, true} {
		h := &hand{mono: 100 * second, wall: now, synced: true, bound: 10}
		c := h.clock()
		steps := []func(){func() { c.Learn(now+3600*second, h.mono, h.mono) }, func() { c.Anchor() }}
		if gatewayLast {
			steps[0], steps[1] = steps[1], steps[0]
		}
		for _, step := range steps {
			step()
			h.pass(second)
		}
		h.synced = false
		if a := c.Anchor(); (a.State == wire.Gateway) != gatewayLast {
			t.Errorf("gateway last %v: %+v", gatewayLast, a)
		}
	}
}

// TestRestartKeepsWhatTheProcessBeforeKnew: a process that starts while the gateway is away goes on with the time that
// the last one of its boot had learned.
func TestRestartKeepsWhatTheProcessBeforeKnew(t *testing.T) {
	for _, state := range []wire.AnchorState{wire.Gateway, wire.Synced} {
		h := &hand{mono: 1000 * second} // 1970
		c := h.clock()
		c.Resume(wire.Anchor{State: state, Generation: 4, Wall: now, Monotonic: 500 * second, Uncertainty: 20}, now)
		want := wire.Anchor{State: state, Generation: 4, Wall: now + 500*second, Monotonic: 1000 * second, Uncertainty: 20 + 50_000}
		if a := c.Anchor(); a != want {
			t.Errorf("%+v, want %+v", a, want)
		}
	}
	c := (&hand{mono: 1000 * second}).clock()
	c.Resume(wire.Anchor{State: wire.Unsynced, Generation: 4, Wall: now, Monotonic: 500 * second, Uncertainty: Unknown}, 0)
	if a := c.Anchor(); a.State != wire.Unsynced || a.Generation != 5 {
		t.Errorf("an unset clock that was set by hand: %+v", a)
	}
}

// TestAnchorsAdmitTheirError drives a clock at random: a crystal that drifts, an NTP that comes and goes, answers of a
// gateway that are quick and slow, restarts. While both tell the truth within what they state, so does every anchor,
// and while nobody steps a clock by more than that no generation is raised.
func TestAnchorsAdmitTheirError(t *testing.T) {
	for seed := range uint64(200) {
		rng := rand.New(rand.NewPCG(seed, 1))
		rate := 1 + (rng.Float64()-0.5)*180e-6 // device seconds in a true one
		h := &hand{}
		c := h.clock()
		for truth := now; truth < now+3*86400*second; {
			step := rng.Int64N(3600 * second)
			truth += step
			h.mono += int64(float64(step) * rate)
			h.bound = rng.Int64N(second)
			h.wall = truth + rng.Int64N(2*h.bound+1) - h.bound
			switch rng.IntN(6) {
			case 0:
				h.synced = !h.synced
			case 1:
				rtt := rng.Int64N(5 * second)
				c.Learn(truth-rng.Int64N(rtt+1), h.mono-rtt, h.mono)
			case 2:
				last, floor := c.Anchor(), c.Floor()
				c = h.clock()
				c.Resume(last, floor)
			}
			a := c.Anchor()
			if !h.synced && a.State == wire.Unsynced {
				continue
			}
			if off := distance(a.Wall, truth); uint64(off) > a.Uncertainty+1 || c.Floor() > truth {
				t.Fatalf("seed %d: off by %d us of a stated %d, floor off by %d: %+v", seed, off, a.Uncertainty, c.Floor()-truth, a)
			}
		}
	}
}

func TestScriptedClock(t *testing.T) {
	machine, err := System()
	if err != nil {
		t.Fatal(err)
	}
	c, err := Scripted("boot=ab,began=0,wall=unset")
	if err != nil {
		t.Fatal(err)
	}
	if a := c.Anchor(); c.Boot() != 0xab || a.State != wire.Unsynced || a.Wall > birth || distance(a.Wall, a.Monotonic) > 60*second {
		t.Errorf("boot %s, %+v", c.Boot(), a)
	}
	if c, err = Scripted("boot=ab,wall=-1h"); err != nil {
		t.Fatal(err)
	}
	if off := machine.Wall() - c.Wall(); off < 3599*second || off > 3700*second || c.Anchor().State != wire.Unsynced {
		t.Errorf("wall off by %d us", off)
	}
	if c, err = Scripted("boot=ab,wall=-1h,set=1us,sync=5ms"); err != nil { // set since long
		t.Fatal(err)
	}
	if a := c.Anchor(); a.State != wire.Synced || distance(a.Wall, machine.Wall()) > 60*second {
		t.Errorf("after it was set: %+v", a)
	}
	for _, text := range []string{"", "boot", "boot=0", "boot=ab,began=x", "boot=ab,wall=late", "boot=ab,leap=1"} {
		if _, err := Scripted(text); !errors.Is(err, ErrScript) {
			t.Errorf("%q: %v", text, err)
		}
	}
}
