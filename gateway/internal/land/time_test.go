package land_test

import (
	"math"
	"testing"
	"time"

	"github.com/headwater-iot/headwater/gateway/internal/land"
	"github.com/headwater-iot/headwater/gateway/internal/land/landtest"
	"github.com/headwater-iot/headwater/gateway/internal/table"
	"github.com/headwater-iot/headwater/shared/record"
	"github.com/headwater-iot/headwater/shared/wire"
)

func TestFirstLoggedEnvelopeStamps(t *testing.T) {
	r := newRiver(t, land.Settings{})
	r.batch(landtest.Readings(t, synced(), header(1, 0, at(-10)), 1, 2, 1000))
	r.batch(landtest.Readings(t, landtest.Sync(boot0-999*second), header(1, 0, at(-10)), 1, 2, 1000))
	r.land()
	r.expect("landed 1 s0a [0..1] at -10.000s")
}

func TestGatewayAnchorStamps(t *testing.T) {
	r := newRiver(t, land.Settings{})
	a := wire.Anchor{State: wire.Gateway, Generation: 3, Wall: now, Monotonic: now - boot0, Uncertainty: 70}
	r.batch(landtest.Readings(t, a, header(1, 0, at(-10)), 1, 2, 1000))
	r.land()
	r.expect("landed 1 s0a [0..1] at -10.000s")
	if s := r.lake.Tables().Readings[0].Stamp; s != (table.Stamp{ClockOffset: boot0, ClockError: 70 + 1000, Anchor: 3}) {
		t.Errorf("stamp %+v", s)
	}
}

// unsynced is an anchor whose wall clock is d us ahead of the truth.
func unsynced(d int64) wire.Anchor {
	return wire.Anchor{State: wire.Unsynced, Generation: 1, Wall: boot0 + d, Uncertainty: 1}
}

func TestUnsyncedIsNeverPreferredToAKnownAnchor(t *testing.T) {
	gateway := wire.BootAnchor{Boot: 7, State: wire.Gateway, Generation: 1, Wall: now, Monotonic: now - boot0, Uncertainty: 90}
	r := newRiver(t, land.Settings{})
	r.hello(&wire.Hello{Boot: 7, Anchors: []wire.BootAnchor{gateway}, Epochs: []wire.HelloEpoch{{Epoch: 1, Boot: 7, Next: 2}}})
	r.land()
	r.restart() // the anchor is in the cursor
	r.batch(landtest.Readings(t, unsynced(-5*second), header(1, 0, at(-10)), 1, 2, 1000))
	r.land()
	if run := r.lake.Tables().Readings[0]; run.EventTime[0] != now-10*second || run.Base != 0 || run.Stamp.ClockError != 90+1000 {
		t.Errorf("stamped %+v", run)
	}
}

func TestLooseGatewayClockIsFlagged(t *testing.T) {
	const drift = 1000 // of the ten seconds between the readings and the anchor
	for uncertainty, want := range map[uint64]record.Quality{20_000: 0, 1_000_000 - drift: 0, 1_000_001 - drift: record.ClockGateway} {
		for state, want := range map[wire.AnchorState]record.Quality{wire.Gateway: want, wire.Synced: 0} {
			r := newRiver(t, land.Settings{})
			r.batch(landtest.Readings(t, wire.Anchor{State: state, Generation: 1, Wall: now, Monotonic: now - boot0, Uncertainty: uncertainty}, header(1, 0, at(-10)), 1, 2, 1000))
			r.land()
			if run := r.lake.Tables().Readings[0]; run.Base != want || run.Stamp.ClockError != int64(uncertainty)+drift {
				t.Errorf("%s, uncertain by %d us: %+v", state, uncertainty, run)
			}
		}
	}
}

func TestPlausibleUnsyncedClockIsFlagged(t *testing.T) {
	r := newRiver(t, land.Settings{})
	r.batch(landtest.Readings(t, unsynced(-5*second), header(1, 0, at(-10)), 1, 2, 1000))
	r.land()
	r.expect("landed 1 s0a [0..1] at -15.000s base 0x200")
	if s := r.lake.Tables().Readings[0].Stamp; s.ClockError != table.Unknown || s.Anchor != table.Unknown {
		t.Errorf("stamp %+v", s)
	}
}

func TestBootWithoutAnchorIsBoundedOncePerEpoch(t *testing.T) {
	for name, a := range map[string]wire.Anchor{
		"none":        {},
		"1970":        {State: wire.Unsynced, Generation: 1, Wall: 5 * second},
		"far ahead":   unsynced(day),
		"in 1970, -1": {State: wire.Unsynced, Generation: 1, Wall: math.MinInt64, Monotonic: math.MaxInt64},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRiver(t, land.Settings{})
			r.batch(landtest.Readings(t, a, header(1, 0, 5000), 1, 3, 1000)) // 5, 6, 7 s after boot
			r.land()
			r.restart()
			r.batch(landtest.Readings(t, a, header(1, 3, 8000), 1, 1, 1000)) // a backlog: ahead, but as far apart as it was
			r.batch(landtest.Readings(t, a, header(1, 4, 3000), 1, 1, 1000))
			r.land()
			r.expect(
				"landed 1 s0a [0..2] at -2.000s base 0x200",
				"landed 1 s0a [3..3] at +1.000s base 0x200",
				"landed 1 s0a [4..4] at -4.000s base 0x200",
			)
		})
	}
}

func TestBootWithoutAnchorBeginsAfterTheOneBefore(t *testing.T) {
	r := newRiver(t, land.Settings{})
	before := header(1, 0, at(-600))
	before.HasPromise, before.Promise = true, at(-500)
	exact := wire.Anchor{State: wire.Synced, Generation: 1, Wall: now - 500*second, Monotonic: now - 500*second - boot0}
	r.batch(landtest.Readings(t, exact, before, 1, 1, 1000))
	r.hello(&wire.Hello{Boot: 8, Epochs: []wire.HelloEpoch{
		{Epoch: 1, Boot: 7, Next: 1, State: wire.EpochEnded},
		{Epoch: 2, Boot: 8, Predecessor: 1},
	}})
	r.land()
	r.restart() // epoch 1 is complete: it is found in the table
	for i := range uint64(2) {
		h := header(2, i, 5000+int64(i)*60_000)
		h.Boot = 8
		r.batch(landtest.Readings(t, wire.Anchor{}, h, 1, 1, 1000))
		r.land()
		r.restart()
	}
	r.expect(
		"landed 1 s0a [0..0] at -600.000s",
		"landed 2 s0a [0..0] at -247.500s base 0x200", // in the middle of what is possible
		"landed 2 s0a [1..1] at -187.500s base 0x200", // a minute later, as it was
	)
	for i, want := range []int64{247_500_500, 247_506_500} { // half of it, and the drift since the boot
		if s := r.lake.Tables().Readings[i+1].Stamp; s.ClockError != want || s.ClockOffset != now-252_500_000 {
			t.Errorf("stamp %+v, want an error of at most %d us", s, want)
		}
	}
}

func TestAbsoluteTimeNeedsNoAnchor(t *testing.T) {
	r := newRiver(t, land.Settings{})
	h := header(1, 0, now/1000-7000)
	h.Absolute = true
	r.batch(landtest.Readings(t, synced(), h, 1, 2, 1000))
	r.land()
	r.expect("landed 1 s0a [0..1] at -7.000s")
	unknown := table.Stamp{ClockOffset: table.Unknown, ClockError: table.Unknown, Anchor: table.Unknown}
	if s := r.lake.Tables().Readings[0].Stamp; s != unknown {
		t.Errorf("stamp %+v", s)
	}
}

func TestFutureIsFlaggedThenQuarantined(t *testing.T) {
	r := newRiver(t, land.Settings{MaxAhead: 10 * time.Second})
	// rows at -1, +1, +3, ..., +11 s, in two columns
	r.batch(landtest.Readings(t, synced(), header(1, 0, at(-1)), 2, 7, 2000))
	r.land()
	r.expect(
		"landed 1 s0a [0..5] at -1.000s quality [0x0 0x0 0x400 0x400 0x400 0x400]",
		"landed 1 s1a [7..12] at -1.000s quality [0x0 0x0 0x400 0x400 0x400 0x400]",
		"quarantined 1 [6,7) count 1 future_time bytes true",
		"quarantined 1 [13,14) count 1 future_time bytes false",
	)
}

func TestTooOldIsQuarantinedOnlyWhereASettingSaysSo(t *testing.T) {
	for age, want := range map[time.Duration]string{
		0:                "landed 1 s0a [0..0] at -3500.000s",
		1 * time.Minute:  "quarantined 1 [0,1) count 1 too_old bytes true",
		99 * time.Minute: "landed 1 s0a [0..0] at -3500.000s",
	} {
		r := newRiver(t, land.Settings{MaxAge: age})
		r.batch(landtest.Readings(t, synced(), header(1, 0, at(-3500)), 1, 1, 1000))
		r.land()
		r.expect(want)
	}
}

func TestTimesThatNoTableCanSayAreQuarantined(t *testing.T) {
	for _, base := range []int64{math.MaxInt64, math.MaxInt64 / 1000, -math.MaxInt64, -62135596800_001} {
		r := newRiver(t, land.Settings{})
		h := header(1, 0, base)
		h.Absolute = true
		r.batch(landtest.Body(t, synced(), h, &record.Body{Groups: []record.Group{{
			Unit: record.Milli, Times: []int64{base}, Columns: []record.Column{{Series: "s", Kind: record.Bool, Bools: []bool{true}}},
		}}}))
		r.land()
		r.expect("quarantined 1 [0,1) count 1 time_range bytes true")
	}
}
