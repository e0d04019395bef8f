package timebase

import (
	"math"
	"sync"

	"github.com/headwater-iot/headwater/shared/record"
	"github.com/headwater-iot/headwater/shared/wire"
)

const (
	// Unknown is the uncertainty of an anchor whose clock nobody has set.
	Unknown = math.MaxInt64

	// driftPPM bounds how far the monotonic clock of a device runs from true time.
	// Crystals of small boards are within 50 ppm over their temperature range; twice that is allowed.
	driftPPM = 100

	// unsetTolerance is what an unset clock may differ from a better one before they contradict each other.
	unsetTolerance = 1_000_000

	// earliest is 2025-01-01T00:00:00Z in us: a wall clock before the birth of this
	// program is unset, whatever the kernel believes of it.
	earliest = 1_735_689_600_000_000
)

// Source is where time comes from. All functions are called from many goroutines.
type Source struct {
	Monotonic func() int64               // us since boot, including time asleep
	Wall      func() int64               // us since 1970
	Sync      func() (us int64, ok bool) // the kernel's bound of the wall clock's error; not ok: undisciplined
}

// Clock answers every question about time on a device. It is safe for concurrent use.
type Clock struct {
	boot record.Boot
	src  Source

	mu      sync.Mutex
	learned learned     // guarded by mu
	last    wire.Anchor // guarded by mu; the last one given out
}

// learned is what a hello told us of the gateway's clock.
type learned struct {
	ok     bool
	offset int64 // gateway wall less our monotonic, us
	err    int64 // us, at the time of learning
	at     int64 // monotonic us
}

// uncertainty is the error of the learned offset when the monotonic clock says now.
func (l learned) uncertainty(now int64) int64 { return l.err + drift(now-l.at) }

func drift(age int64) int64 { return max(age, 0) / (1_000_000 / driftPPM) }

// New returns the clock of a boot over a source.
func New(boot record.Boot, src Source) *Clock { return &Clock{boot: boot, src: src} }

// Boot names the running boot of the device.
func (c *Clock) Boot() record.Boot { return c.boot }

// Monotonic returns us since boot.
func (c *Clock) Monotonic() int64 { return c.src.Monotonic() }

// Wall returns what the device's wall clock says, in us since 1970; it may be unset.
func (c *Clock) Wall() int64 { return c.src.Wall() }

// Learn takes the gateway's time from the answer to a hello, with our monotonic
// time of asking and of the answer. The gateway read its clock somewhere between.
// An impossible answer is ignored.
func (c *Clock) Learn(gatewayWallUS, sentMono, receivedMono int64) {
	if receivedMono < sentMono || gatewayWallUS < earliest {
		return
	}
	mid := sentMono + (receivedMono-sentMono)/2
	l := learned{ok: true, offset: gatewayWallUS - mid, err: (receivedMono-sentMono+1)/2 + 1, at: receivedMono}

	c.mu.Lock()
	defer c.mu.Unlock()
	// A quick answer of a minute ago may still be better than a slow one of now,
	// unless they contradict each other: then the gateway's clock was set, and now counts.
	old := c.learned
	if old.ok {
		oldErr := old.uncertainty(l.at)
		agree := distance(old.offset, l.offset) <= oldErr+l.err
		if agree && oldErr < l.err {
			return
		}
	}
	c.learned = l
}

// Resume continues the generation of an earlier process of the same boot.
// Call it before the first Anchor, or not at all.
func (c *Clock) Resume(last wire.Anchor) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.last.State == wire.NoAnchor {
		c.last = last
	}
}

// Anchor returns the best anchor of this boot that can be given now.
func (c *Clock) Anchor() wire.Anchor {
	c.mu.Lock()
	defer c.mu.Unlock()
	before := c.src.Monotonic()
	wall := c.src.Wall()
	after := c.src.Monotonic()
	a := c.best(wall, before, after)
	switch {
	case c.last.State == wire.NoAnchor:
		a.Generation = 1
	case contradict(c.last, a):
		a.Generation = c.last.Generation + 1
	default:
		a.Generation = c.last.Generation
	}
	c.last = a
	return a
}

// best chooses the anchor for a wall clock that was read between two looks at the monotonic one.
func (c *Clock) best(wall, before, after int64) wire.Anchor {
	// Being descheduled between the looks is part of the error.
	mid, slack := before+(after-before)/2, (after-before+1)/2
	if bound, ok := c.src.Sync(); ok && wall >= earliest {
		return wire.Anchor{State: wire.Synced, Wall: wall, Monotonic: mid, Uncertainty: uint64(max(bound, 0) + slack)}
	}
	if c.learned.ok {
		return wire.Anchor{
			State: wire.Gateway, Wall: after + c.learned.offset, Monotonic: after,
			Uncertainty: uint64(c.learned.uncertainty(after)),
		}
	}
	return wire.Anchor{State: wire.Unsynced, Wall: wall, Monotonic: mid, Uncertainty: Unknown}
}

// contradict tells whether no true time lies within both anchors.
func contradict(a, b wire.Anchor) bool {
	return distance(a.Wall-a.Monotonic, b.Wall-b.Monotonic) > admitted(a)+admitted(b)+drift(b.Monotonic-a.Monotonic)
}

// admitted is the error an anchor admits. An unset clock admits any, which would
// hide every step of it; for telling anchors apart it counts as right to a second.
func admitted(a wire.Anchor) int64 {
	if a.State == wire.Unsynced {
		return unsetTolerance
	}
	return int64(min(a.Uncertainty, Unknown/4))
}

func distance(a, b int64) int64 {
	if a > b {
		return a - b
	}
	return b - a
}
