package land_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/headwater-iot/headwater/gateway/internal/land"
	"github.com/headwater-iot/headwater/gateway/internal/land/landtest"
	"github.com/headwater-iot/headwater/gateway/internal/table"
	"github.com/headwater-iot/headwater/shared/record"
	"github.com/headwater-iot/headwater/shared/wire"
)

// wanderer is a device whose boots, clocks and outages are random, and whose true times are known.
type wanderer struct {
	r    *river
	rng  *rand.Rand
	lie  int64   // us that its anchors are off beyond what they state; 0 = an honest device
	rate float64 // of its crystal: device seconds in a true one

	time   int64 // true wall time, us
	boots  []*trip
	truth  map[table.Key]map[uint64]int64 // true wall time of each seq
	unsent []wandering
}

// trip is one boot of a wanderer.
type trip struct {
	epoch  record.Epoch
	start  int64 // true
	rtc    int64 // what its wall clock is off by, us
	synced bool
	gen    uint64
	last   wire.Anchor // the last that flash knows of it
	next   uint64
}

type wandering struct {
	trip    *trip
	payload func(a wire.Anchor) []byte
}

func newWanderer(r *river, seed uint64) *wanderer {
	rng := rand.New(rand.NewPCG(seed, 3))
	return &wanderer{
		r: r, rng: rng, rate: 1 + (rng.Float64()-0.5)*160e-6, time: boot0, truth: map[table.Key]map[uint64]int64{},
	}
}

func (w *wanderer) up() *trip { return w.boots[len(w.boots)-1] }

func (w *wanderer) monotonic() int64 { return int64(float64(w.time-w.up().start) * w.rate) }

// pass lets up to some time go by; short times are as likely as long ones.
func (w *wanderer) pass(longest int64) {
	w.time += int64(math.Pow(float64(longest), w.rng.Float64()))
}

func (w *wanderer) boot() {
	w.pass(5 * day)
	t := &trip{epoch: record.Epoch(len(w.boots) + 1), start: w.time, rtc: -w.time, gen: 1} // 1970
	switch w.rng.IntN(3) {
	case 0:
		t.rtc = w.rng.Int64N(2*hour) - hour
	case 1:
		t.rtc = (w.rng.Int64N(2) * 2 * 365 * day) - 365*day
	}
	w.boots = append(w.boots, t)
	w.truth[table.Key{Device: "probe-1", Epoch: t.epoch}] = map[uint64]int64{}
}

// unset is the anchor of a clock that nobody vouches for.
func (w *wanderer) unset() wire.Anchor {
	t := w.up()
	return wire.Anchor{State: wire.Unsynced, Generation: t.gen, Wall: w.time + t.rtc, Monotonic: w.monotonic(), Uncertainty: math.MaxInt64}
}

// honest is an anchor that is as wrong as it says.
func (w *wanderer) honest(state wire.AnchorState) wire.Anchor {
	u := w.rng.Int64N(second)
	return wire.Anchor{
		State: state, Generation: w.up().gen, Wall: w.time + w.rng.Int64N(2*u+1) - u + w.lie, Monotonic: w.monotonic(), Uncertainty: uint64(u),
	}
}

// best is what the running boot can say of its clock; online it has heard the gateway.
func (w *wanderer) best(online bool) wire.Anchor {
	switch t := w.up(); {
	case t.synced:
		return w.honest(wire.Synced)
	case online:
		return w.honest(wire.Gateway)
	default:
		return w.unset()
	}
}

// sample seals a batch of a few readings, and writes the anchor of the moment to flash with it.
func (w *wanderer) sample() {
	t := w.up()
	step, rows := 1+w.rng.Int64N(60_000), 1+w.rng.IntN(4)
	base := w.monotonic() / 1000
	h := wire.Header{
		Device: "probe-1", Epoch: t.epoch, Boot: record.Boot(t.epoch), First: t.next, Base: base,
		HasPromise: true, Promise: base + int64(rows-1)*step,
	}
	for i := range rows {
		w.truth[table.Key{Device: "probe-1", Epoch: t.epoch}][t.next] = t.start + int64(float64(1000*(base+int64(i)*step))/w.rate)
		t.next++
	}
	w.time += 1000 * step * int64(rows)
	w.unsent = append(w.unsent, wandering{t, func(a wire.Anchor) []byte { return landtest.Readings(w.r.t, a, h, 1, rows, step) }})
	t.last = w.best(false)
}

// connect says hello and sends some of what is held, in the order of the backlog with the newest first now and then.
func (w *wanderer) connect() {
	t := w.up()
	h := &wire.Hello{Device: "probe-1", Client: "probe-1", Boot: record.Boot(t.epoch)}
	for _, b := range w.boots {
		e := wire.HelloEpoch{Epoch: b.epoch, Boot: record.Boot(b.epoch), Predecessor: b.epoch - 1, State: wire.EpochEnded, Held: []uint64{0, b.next}, Next: b.next}
		if b == t {
			e.State, b.last = wire.EpochCurrent, w.best(w.rng.IntN(4) > 0) // the first hello of a boot does not know the time yet
		}
		if b.next == 0 {
			e.Held = nil
		}
		h.Epochs = append(h.Epochs, e)
		if b.last.State != wire.NoAnchor {
			h.Anchors = append(h.Anchors, wire.BootAnchor{
				Boot: record.Boot(b.epoch), State: b.last.State, Generation: b.last.Generation,
				Wall: b.last.Wall, Monotonic: b.last.Monotonic, Uncertainty: b.last.Uncertainty,
			})
		}
	}
	w.time += w.rng.Int64N(second)
	w.r.log.Append(land.KindHello, "probe-1", w.time, landtest.Hello(w.r.t, h))
	for n := w.rng.IntN(len(w.unsent) + 1); n > 0; n-- {
		i := 0
		if w.rng.IntN(4) == 0 {
			i = len(w.unsent) - 1
		}
		b := w.unsent[i]
		w.unsent = append(w.unsent[:i:i], w.unsent[i+1:]...)
		a := b.trip.last
		if b.trip == t {
			a = w.best(true)
			t.last = a
		}
		w.time += w.rng.Int64N(second)
		payload := b.payload(a)
		w.r.log.Append(land.KindBatch, "probe-1", w.time, payload)
		if w.rng.IntN(8) == 0 { // its answer was lost: it comes again, under a younger anchor
			w.unsent = append(w.unsent, b)
		}
	}
	if w.rng.IntN(3) == 0 {
		w.r.land()
	}
	if w.rng.IntN(6) == 0 {
		w.r.restart()
	}
}

// wander lives a random life and ends with everything sent.
func (w *wanderer) wander() {
	for range 2 + w.rng.IntN(6) {
		w.boot()
		for range w.rng.IntN(12) {
			w.pass(2 * day)
			switch w.rng.IntN(6) {
			case 0:
				w.connect()
			case 1: // NTP sets the clock: a step
				w.up().rtc, w.up().synced, w.up().gen = 0, true, w.up().gen+1
			case 2: // it has lost its servers, and somebody sets the clock by hand
				w.up().rtc, w.up().synced, w.up().gen = w.rng.Int64N(2*hour)-hour, false, w.up().gen+1
			default:
				w.sample()
			}
		}
	}
	w.boot()
	w.sample()
	for len(w.unsent) > 0 {
		w.connect()
	}
	w.r.land()
}

// again lands the log of a life once more, in a lake of its own, each record in a life of the gateway of its own.
func (w *wanderer) again() *river {
	r := newRiver(w.r.t, land.Settings{})
	for _, e := range w.r.log.Entries() {
		r.log.Append(e.Kind, e.Client, e.Received, e.Payload)
		r.land()
		r.restart()
	}
	return r
}

// check returns what is wrong with what landed, and how many readings have an error that is stated.
func (w *wanderer) check() (bounded int, err error) {
	tables := w.r.lake.Tables()
	if len(tables.Quarantine)+len(tables.Gaps) > 0 {
		return 0, fmt.Errorf("quarantined %+v, gaps %+v", tables.Quarantine, tables.Gaps)
	}
	type place struct{ event, truth int64 }
	guessed := map[record.Epoch][]place{}
	for _, run := range tables.Readings {
		truth := w.truth[table.Key{Device: run.Device, Epoch: run.Epoch}]
		for i, seq := range run.Seq {
			at, open := truth[seq]
			if !open {
				return 0, fmt.Errorf("%d/%d landed twice, or was never read", run.Epoch, seq)
			}
			delete(truth, seq)
			off := max(run.EventTime[i]-at, at-run.EventTime[i])
			if run.Stamp.ClockError != table.Unknown {
				bounded++
				if off > run.Stamp.ClockError+1 { // rounding
					return 0, fmt.Errorf("%d/%d is off by %d us and says %+v", run.Epoch, seq, off, run.Stamp)
				}
			} else if run.Base&record.ClockBounded == 0 {
				return 0, fmt.Errorf("%d/%d says neither its error nor that it has none: %+v", run.Epoch, seq, run)
			}
			if run.Base&record.ClockBounded != 0 {
				guessed[run.Epoch] = append(guessed[run.Epoch], place{run.EventTime[i], at})
			}
		}
	}
	for epoch, places := range guessed {
		for i := range places {
			for j := range i {
				if a, b := places[i], places[j]; a.truth < b.truth != (a.event < b.event) && a.truth != b.truth {
					return 0, fmt.Errorf("epoch %d: the order of its readings changed: %+v and %+v", epoch, a, b)
				}
			}
		}
	}
	for key, left := range w.truth {
		if len(left) > 0 {
			return 0, fmt.Errorf("%d readings of epoch %d did not land", len(left), key.Epoch)
		}
	}
	return bounded, nil
}

// TestErrorsCoverTheTruth lets devices boot, lose power and network, and set their clocks at random: no reading is
// farther from its true time than clock_error, none is lost, and those of a boot that had no clock keep their order.
func TestErrorsCoverTheTruth(t *testing.T) {
	all, stated := 0, 0
	for seed := range uint64(150) {
		w := newWanderer(newRiver(t, land.Settings{}), seed)
		w.wander()
		for _, truth := range w.truth {
			all += len(truth)
		}
		n, err := w.check()
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		stated += n
		if seed%10 > 0 {
			continue
		}
		if got, want := w.again().clocks(), w.r.clocks(); got != want {
			t.Fatalf("seed %d: the same log, landed record by record, gives other rows", seed)
		}
	}
	t.Logf("%d readings, %d with a stated error", all, stated)
	if stated < all/2 {
		t.Errorf("of %d readings only %d state an error", all, stated)
	}
}

// TestWrongErrorsAreSeen is the negative control: a device whose clock is worse than it says.
func TestWrongErrorsAreSeen(t *testing.T) {
	seen := 0
	for seed := range uint64(20) {
		w := newWanderer(newRiver(t, land.Settings{}), seed)
		w.lie = 3 * second
		w.wander()
		if _, err := w.check(); err != nil {
			seen++
		}
	}
	if seen < 15 {
		t.Errorf("of 20 devices that lie by three seconds %d were seen", seen)
	}
}

// TestPartsAreStampedAlike lands a batch of many days at once and in parts, with a clock that is known and one that is not,
// and readings of the future among them: the rows are the same.
func TestPartsAreStampedAlike(t *testing.T) {
	b1, b2, b3 := life{1, now - 48*hour}, life{2, now - 20*hour}, life{3, now - hour}
	tell := func(maxDays int, a wire.Anchor) string {
		r := newRiver(t, land.Settings{MaxDays: maxDays})
		b1.reads(r, b1.anchor(wire.Synced, 1, 3600, 0), 0, 3600)
		b3.says(r, bootAnchor(b3, b3.anchor(wire.Gateway, 1, 0, 0)))
		h := wire.Header{Device: "probe-1", Epoch: 2, Boot: 2, Base: -18 * day / 1000, HasPromise: true, Promise: 7200_000}
		r.batch(landtest.Readings(t, a, h, 1, 40, day/2000))
		lines := strings.Split(r.clocks(), "\n")
		slices.Sort(lines)
		c := r.cursor(2)
		c.Version = 0
		return fmt.Sprintf("%s\n%+v", strings.Join(lines, "\n"), c)
	}
	for _, a := range []wire.Anchor{{}, b2.unset(7200), b2.anchor(wire.Unsynced, 1, 7200, gigayear), b2.anchor(wire.Gateway, 1, 7200, 20_000)} {
		if whole, parts := tell(64, a), tell(4, a); whole != parts {
			t.Errorf("anchor %v: at once\n%s\nin parts\n%s", a.State, whole, parts)
		}
	}
}
