package timebase

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/headwater-iot/headwater/shared/record"
	"github.com/headwater-iot/headwater/shared/wire"
)

// hand is a source moved by hand. True time is Monotonic + offset of the moment.
type hand struct {
	mono, wall int64
	bound      int64
	synced     bool
}

func (h *hand) pass(us int64) { h.mono += us; h.wall += us }

func (h *hand) clock() *Clock {
	return New(7, Source{
		Monotonic: func() int64 { return h.mono },
		Wall:      func() int64 { return h.wall },
		Sync:      func() (int64, bool) { return h.bound, h.synced },
	})
}

const (
	second = int64(1_000_000)
	now    = int64(birth + 300*86400*second)
)

func TestAnchorPrefersTheBestClock(t *testing.T) {
	h := &hand{mono: 26 * second, wall: 26 * second} // no RTC: 1970
	c := h.clock()
	if a := c.Anchor(); a.State != wire.Unsynced || a.Uncertainty != Unknown || a.Wall != 26*second || a.Generation != 1 {
		t.Fatalf("before anybody knows the time: %+v", a)
	}

	h.pass(second)
	c.Learn(now, h.mono-200_000, h.mono)
	a := c.Anchor()
	if a.State != wire.Gateway || a.Generation != 2 {
		t.Fatalf("after a hello: %+v", a)
	}
	if got := a.Wall - a.Monotonic; got != now-(h.mono-100_000) {
		t.Errorf("offset %d is not that of the middle of the round trip", got)
	}

	h.wall, h.synced, h.bound = now+second/10, true, 5000
	a = c.Anchor()
	if want := (wire.Anchor{State: wire.Synced, Generation: 2, Wall: h.wall, Monotonic: h.mono, Uncertainty: 5000}); a != want {
		t.Fatalf("after NTP got %+v, want %+v: the two agree, so the generation stays", a, want)
	}

	// NTP gave up: what it said last ages, until the gateway's answers are better.
	h.synced = false
	h.pass(100 * second)
	if a = c.Anchor(); a.State != wire.Synced || a.Uncertainty != 5000+10_000 {
		t.Fatalf("after NTP gave up: %+v", a)
	}
	h.pass(1000 * second)
	c.Learn(now+1100*second, h.mono-200_000, h.mono)
	if a = c.Anchor(); a.State != wire.Gateway || a.Generation != 2 || a.Uncertainty != 100_001 {
		t.Fatalf("a while after NTP gave up: %+v", a)
	}
}

func TestDisciplinedClockBeforeOurBirthIsUnset(t *testing.T) {
	h := &hand{mono: second, wall: second, synced: true}
	if a := h.clock().Anchor(); a.State != wire.Unsynced {
		t.Fatalf("a clock in 1970 was believed: %+v", a)
	}
}

func TestStepRaisesGeneration(t *testing.T) {
	for _, tc := range []struct {
		name string
		step int64
		want uint64
	}{
		{"within the stated uncertainty", 15_000, 1},
		{"forward", 3600 * second, 2},
		{"backward", -3600 * second, 2},
	} {
		t.Run(tc.name, func(t *testing.T) {
			h := &hand{mono: second, wall: now, synced: true, bound: 10_000}
			c := h.clock()
			c.Anchor()
			h.pass(60 * second)
			h.wall += tc.step
			if a := c.Anchor(); a.Generation != tc.want {
				t.Errorf("generation %d, want %d", a.Generation, tc.want)
			}
			h.pass(60 * second)
			if a := c.Anchor(); a.Generation != tc.want {
				t.Errorf("generation %d after a quiet minute, want %d", a.Generation, tc.want)
			}
		})
	}
}

func TestUnsetClockThatIsSetByHandRaisesGeneration(t *testing.T) {
	h := &hand{mono: second, wall: second}
	c := h.clock()
	c.Anchor()
	h.wall = now
	if a := c.Anchor(); a.State != wire.Unsynced || a.Generation != 2 {
		t.Fatalf("got %+v", a)
	}
}

func TestLearnedTimeAges(t *testing.T) {
	h := &hand{mono: 100 * second}
	c := h.clock()
	c.Learn(now, h.mono-20_000, h.mono)
	fresh := c.Anchor().Uncertainty
	if fresh < 10_000 || fresh > 10_002 {
		t.Errorf("uncertainty %d us of a 20 ms round trip, want half of it", fresh)
	}
	h.pass(1000 * second)
	if grown := c.Anchor().Uncertainty - fresh; grown != 100_000 {
		t.Errorf("uncertainty grew by %d us in 1000 s, want 100000 (100 ppm)", grown)
	}
}

func TestLearnKeepsTheBetterAnswer(t *testing.T) {
	h := &hand{mono: 100 * second}
	c := h.clock()
	c.Learn(now, h.mono-2_000, h.mono)
	quick := c.Anchor()
	h.pass(second)
	c.Learn(now+600_000, h.mono-1_000_000, h.mono) // slow, and it agrees
	if a := c.Anchor(); a.Wall-a.Monotonic != quick.Wall-quick.Monotonic {
		t.Errorf("a slow answer replaced a quick one: %+v then %+v", quick, a)
	}
	c.Learn(now+86400*second, h.mono-1_000_000, h.mono) // slow, and it contradicts: the gateway's clock was set
	if a := c.Anchor(); a.Generation != 2 || a.Wall < now+86000*second {
		t.Errorf("the gateway's new time was not taken: %+v", a)
	}
}

func TestLearnIgnoresTheImpossible(t *testing.T) {
	h := &hand{mono: 100 * second}
	c := h.clock()
	c.Learn(now, h.mono, h.mono-1) // answered before it was asked
	c.Learn(0, h.mono-1, h.mono)   // a gateway without a clock
	if a := c.Anchor(); a.State != wire.Unsynced {
		t.Errorf("got %+v", a)
	}
}

func TestResumeContinuesTheGeneration(t *testing.T) {
	h := &hand{mono: second, wall: now, synced: true}
	first := h.clock()
	first.Anchor()
	h.wall += 60 * second
	last := first.Anchor()

	next := h.clock()
	next.Resume(last, 0)
	if a := next.Anchor(); a.Generation != 2 {
		t.Errorf("generation %d after a restart, want 2", a.Generation)
	}
}

func TestReadBoot(t *testing.T) {
	for _, tc := range []struct {
		name, text string
		want       record.Boot
		err        error
	}{
		{"short", "01234567-89ab-cdef-fedc\n", 0, ErrBoot},
		{"uuid", "01234567-89ab-cdef-fedc-ba9876543210\n", 0x0123456789abcdef, nil},
		{"zero", "00000000-0000-0000-fedc-ba9876543210\n", 0, ErrBoot},
		{"empty", "", 0, ErrBoot},
		{"words", "zzzzzzzz-89ab-cdef-fedc-ba9876543210", 0, ErrBoot},
	} {
		path := filepath.Join(t.TempDir(), "boot_id")
		if err := os.WriteFile(path, []byte(tc.text), 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := ReadBoot(path)
		if got != tc.want || !errors.Is(err, tc.err) {
			t.Errorf("%s: got %v, %v", tc.name, got, err)
		}
	}
	if _, err := ReadBoot(filepath.Join(t.TempDir(), "none")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("missing file: %v", err)
	}
}

func TestSystemClock(t *testing.T) {
	c, err := System()
	if err != nil {
		t.Fatal(err)
	}
	if c.Boot() == 0 {
		t.Error("boot 0 names no boot")
	}
	a, b := c.Monotonic(), c.Monotonic()
	if a <= 0 || b < a {
		t.Errorf("monotonic %d then %d", a, b)
	}
	if got := c.Anchor(); got.Generation != 1 || got.State == wire.NoAnchor {
		t.Errorf("anchor %+v", got)
	}
}
