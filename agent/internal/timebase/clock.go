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

	// unsetTolerance is what an unset clock may differ from a better one before they contradict each other.
	unsetTolerance = 1_000_000

	// birth is 2025-01-01T00:00:00Z in us: a wall clock before the birth of this
	// program is unset, whatever the kernel believes of it.
	birth = 1_735_689_600_000_000
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

	mu       sync.Mutex
	heard    estimate    // guarded by mu; of the gateway's clock, by its answers to hellos
	own      estimate    // guarded by mu; of the device's own, when the kernel last called it disciplined
	last     wire.Anchor // guarded by mu; the last one given out
	restored int64       // guarded by mu; the floor that an earlier process left, as far as it is believed
	floor    int64       // guarded by mu; see Floor
}

// estimate is what a clock that is to be trusted said of the time.
type estimate struct {
	state  wire.AnchorState // NoAnchor = nothing
	offset int64            // its wall time less our monotonic, us
	err    int64            // us, at the time it was made
	at     int64            // monotonic us
}

// uncertainty is the error of the offset when the monotonic clock says now.
func (e estimate) uncertainty(now int64) int64 { return e.err + wire.Drift(now-e.at) }

// anchor is what the estimate says at now.
func (e estimate) anchor(now int64) wire.Anchor {
	return wire.Anchor{State: e.state, Wall: now + e.offset, Monotonic: now, Uncertainty: uint64(e.uncertainty(now))}
}

func estimateOf(a wire.Anchor) estimate {
	return estimate{state: a.State, offset: a.Wall - a.Monotonic, err: int64(min(a.Uncertainty, Unknown/4)), at: a.Monotonic}
}

// agree reports whether some true time lies within both at now.
func agree(a, b estimate, now int64) bool {
	return distance(a.offset, b.offset) <= a.uncertainty(now)+b.uncertainty(now)
}

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
// An impossible answer is ignored. A floor that the gateway contradicts falls.
func (c *Clock) Learn(gatewayWallUS, sentMono, receivedMono int64) {
	if receivedMono < sentMono || gatewayWallUS < birth {
		return
	}
	mid := sentMono + (receivedMono-sentMono)/2
	e := estimate{state: wire.Gateway, offset: gatewayWallUS - mid, err: (receivedMono-sentMono+1)/2 + 1, at: receivedMono}

	c.mu.Lock()
	defer c.mu.Unlock()
	c.restored = min(c.restored, gatewayWallUS)
	c.floor = min(c.floor, gatewayWallUS)
	// A quick answer of a minute ago may still be better than a slow one of now,
	// unless they contradict each other: then the gateway's clock was set, and now counts.
	if old := c.heard; old.state != wire.NoAnchor && old.uncertainty(e.at) < e.err && agree(old, e, e.at) {
		return
	}
	c.heard = e
}

// Resume takes what earlier processes left: the last anchor of this boot, whose
// generation and estimate go on, and the floor. Call it before the first Anchor, or not at all.
func (c *Clock) Resume(last wire.Anchor, floor int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.restored, c.floor = floor, floor
	if c.last.State != wire.NoAnchor {
		return
	}
	c.last = last
	switch last.State {
	case wire.Gateway:
		c.heard = estimateOf(last)
	case wire.Synced:
		c.own = estimateOf(last)
	}
}

// Floor returns a wall time, us, that has passed: what the last clock to be trusted
// said, less its error. An own clock that the gateway contradicts is not. 0 = not known.
func (c *Clock) Floor() int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.floor
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
	if a.State >= wire.Gateway && (c.heard.state == wire.NoAnchor || agree(c.heard, estimateOf(a), a.Monotonic)) {
		c.floor = a.Wall - int64(min(a.Uncertainty, Unknown/4))
	}
	return a
}

// best chooses the anchor for a wall clock that was read between two looks at the monotonic one. mu is held.
func (c *Clock) best(wall, before, after int64) wire.Anchor {
	// Being descheduled between the looks is part of the error.
	mid, slack := before+(after-before)/2, (after-before+1)/2
	if bound, ok := c.src.Sync(); ok && wall >= max(birth, c.restored) {
		c.own = estimate{state: wire.Synced, offset: wall - mid, err: max(bound, 0) + slack, at: mid}
		return c.own.anchor(mid)
	}
	if e := c.remembered(after); e.state != wire.NoAnchor {
		return e.anchor(after)
	}
	return wire.Anchor{State: wire.Unsynced, Wall: wall, Monotonic: mid, Uncertainty: Unknown}
}

// remembered returns the better of what the gateway and our own clock said before; where they contradict each
// other, the later. mu is held.
func (c *Clock) remembered(now int64) estimate {
	a, b := c.heard, c.own
	switch {
	case b.state == wire.NoAnchor:
		return a
	case a.state == wire.NoAnchor:
		return b
	case agree(a, b, now) && a.uncertainty(now) <= b.uncertainty(now), !agree(a, b, now) && a.at >= b.at:
		return a
	}
	return b
}

// contradict tells whether no true time lies within both anchors.
func contradict(a, b wire.Anchor) bool {
	return distance(a.Wall-a.Monotonic, b.Wall-b.Monotonic) > admitted(a)+admitted(b)+wire.Drift(b.Monotonic-a.Monotonic)
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
