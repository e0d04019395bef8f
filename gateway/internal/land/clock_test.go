package land_test

import (
	"fmt"
	"math"
	"math/big"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/headwater-iot/headwater/gateway/internal/land"
	"github.com/headwater-iot/headwater/gateway/internal/land/landtest"
	"github.com/headwater-iot/headwater/gateway/internal/table"
	"github.com/headwater-iot/headwater/shared/record"
	"github.com/headwater-iot/headwater/shared/wire"
)

const hour = 3600 * second

// life is one boot of the device of these tests: epoch and boot have one number, and the lineage is 1, 2, 3.
type life struct {
	n     uint64
	start int64 // wall time of its monotonic 0
}

// anchor is a true one, of the monotonic second at.
func (l life) anchor(state wire.AnchorState, generation uint64, at, uncertainty int64) wire.Anchor {
	return wire.Anchor{State: state, Generation: generation, Wall: l.start + at*second, Monotonic: at * second, Uncertainty: uint64(uncertainty)}
}

// unset is the anchor of a device that begins in 1970, at its last second.
func (l life) unset(at int64) wire.Anchor {
	return wire.Anchor{State: wire.Unsynced, Generation: 1, Wall: at * second, Monotonic: at * second, Uncertainty: math.MaxInt64}
}

// reads logs one reading of a monotonic second, seq first, and promises all before it.
func (l life) reads(r *river, a wire.Anchor, first uint64, at int64) {
	r.t.Helper()
	l.sends(r, now, a, first, at)
}

func (l life) sends(r *river, received int64, a wire.Anchor, first uint64, at int64) {
	r.t.Helper()
	h := wire.Header{
		Device: "probe-1", Epoch: record.Epoch(l.n), Boot: record.Boot(l.n), First: first, Base: at * 1000,
		HasPromise: true, Promise: at * 1000,
	}
	r.log.Append(land.KindBatch, "probe-1", received, landtest.Readings(r.t, a, h, 1, 1, 1000))
}

// says logs the hello of a boot with its anchors, and all boots before it.
func (l life) says(r *river, anchors ...wire.BootAnchor) {
	r.t.Helper()
	h := &wire.Hello{Boot: record.Boot(l.n), Anchors: anchors, Epochs: []wire.HelloEpoch{{
		Epoch: record.Epoch(l.n), Boot: record.Boot(l.n), Predecessor: record.Epoch(l.n - 1),
	}}}
	for n := l.n - 1; n > 0; n-- {
		h.Epochs = append(h.Epochs, wire.HelloEpoch{
			Epoch: record.Epoch(n), Boot: record.Boot(n), Predecessor: record.Epoch(n - 1), State: wire.EpochLost, Held: []uint64{0, 1000}, Next: 1000,
		})
	}
	r.hello(h)
}

func bootAnchor(l life, a wire.Anchor) wire.BootAnchor {
	return wire.BootAnchor{Boot: record.Boot(l.n), State: a.State, Generation: a.Generation, Wall: a.Wall, Monotonic: a.Monotonic, Uncertainty: a.Uncertainty}
}

// clocks tells how every reading was stamped.
func (r *river) clocks() string {
	r.t.Helper()
	r.land()
	var b strings.Builder
	tables := r.lake.Tables()
	for _, run := range tables.Readings {
		for i, us := range run.EventTime {
			fmt.Fprintf(&b, "%d/%d %+.3fs", run.Epoch, run.Seq[i], float64(us-now)/1e6)
			if run.Stamp.ClockError != table.Unknown {
				fmt.Fprintf(&b, " ±%.3fs", float64(run.Stamp.ClockError)/1e6)
			}
			if run.Stamp.Anchor != table.Unknown {
				fmt.Fprintf(&b, " anchor %d", run.Stamp.Anchor)
			}
			if q := run.Base | quality(run, i); q != 0 {
				fmt.Fprintf(&b, " %#x", q)
			}
			b.WriteByte('\n')
		}
	}
	for _, q := range tables.Quarantine {
		fmt.Fprintf(&b, "%d/%d %s\n", q.Epoch, q.From, q.Reason)
	}
	return b.String()
}

func quality(run table.Run, i int) record.Quality {
	if run.Quality == nil {
		return 0
	}
	return run.Quality[i]
}

const gigayear = math.MaxInt64

// TestClocks is the table of the package comment: what each situation of a clock makes of a reading. Boot 1 begins two
// days before now, boot 2 ten hours, boot 3 six, boot 4 one; that is the truth.
func TestClocks(t *testing.T) {
	b1, b2, b3, b4 := life{1, now - 48*hour}, life{2, now - 10*hour}, life{3, now - 6*hour}, life{4, now - hour}
	const ms = 1000
	for _, c := range []struct {
		name string
		does func(r *river)
		want string
	}{
		{"no RTC, online at once", func(r *river) {
			b4.reads(r, b4.anchor(wire.Gateway, 1, 10, 20*ms), 0, 10)
		}, "4/0 -3590.000s ±0.020s anchor 1"},
		{"days offline, then online in the same boot", func(r *river) {
			b1.reads(r, b1.anchor(wire.Gateway, 1, 172_800, 20*ms), 0, 0)
			b1.reads(r, b1.anchor(wire.Gateway, 1, 172_800, 20*ms), 1, 172_790)
		}, "1/0 -172800.000s ±17.300s anchor 1 0x100\n1/1 -10.000s ±0.021s anchor 1"},
		{"the same, and the device is set by NTP", func(r *river) {
			b1.reads(r, b1.anchor(wire.Synced, 2, 172_800, 5*ms), 0, 0)
		}, "1/0 -172800.000s ±17.285s anchor 2"},
		{"a slow answer to hello", func(r *river) {
			b4.reads(r, b4.anchor(wire.Gateway, 1, 3600, 5_000*ms), 0, 3600)
		}, "4/0 +0.000s ±5.000s anchor 1 0x100"},
		{"a boot that ended without an anchor, between two that have one", func(r *river) {
			b1.reads(r, b1.anchor(wire.Synced, 1, 38*3600, 0), 0, 38*3600) // to the begin of boot 2
			life{3, now - 6*hour}.says(r, bootAnchor(b3, b3.anchor(wire.Gateway, 1, 0, 0)))
			b2.reads(r, b2.unset(3*3600), 0, 3600) // up for three hours at least: it began in an hour
		}, "1/0 -36000.000s ±0.000s anchor 1\n2/0 -30600.000s ±1801.080s 0x200"},
		{"two of them", func(r *river) {
			b1.reads(r, b1.anchor(wire.Synced, 1, 38*3600, 0), 0, 38*3600)
			b4.says(r, bootAnchor(b4, b4.anchor(wire.Gateway, 1, 0, 0)), bootAnchor(b3, b3.unset(4*3600)))
			b2.reads(r, b2.unset(3*3600), 0, 3*3600)
			b3.reads(r, b3.unset(4*3600), 0, 4*3600) // boot 2 lasted three hours, so this one began in two
		}, "1/0 -36000.000s ±0.000s anchor 1\n2/0 -21599.280s ±3601.800s 0x200\n3/0 -7200.540s ±3601.980s 0x200"},
		{"one whose end is known only by its arrival: the next boot speaks later", func(r *river) {
			b1.reads(r, b1.anchor(wire.Synced, 1, 38*3600, 0), 0, 38*3600)
			b2.says(r)
			b2.reads(r, b2.unset(3600), 0, 3600)
			b3.says(r, bootAnchor(b3, b3.anchor(wire.Gateway, 1, 0, 0)))
			b2.reads(r, b2.unset(3600), 1, 3600)
		}, "1/0 -36000.000s ±0.000s anchor 1\n2/0 -16200.000s ±16200.360s 0x200\n2/1 -16200.000s ±16200.360s 0x200"},
		{"the first boot of a device, ended without an anchor", func(r *river) {
			b2.says(r, bootAnchor(b2, b2.anchor(wire.Gateway, 1, 0, 0)))
			b1.reads(r, b1.unset(7200), 0, 3600)
		}, "1/0 -39600.000s 0x200"},
		{"an RTC that is right, of a boot that ended", func(r *river) {
			b1.reads(r, b1.anchor(wire.Synced, 1, 38*3600, 0), 0, 38*3600)
			b3.says(r, bootAnchor(b3, b3.anchor(wire.Gateway, 1, 0, 0)))
			b2.reads(r, b2.anchor(wire.Unsynced, 1, 2*3600, gigayear), 0, 3600)
		}, "1/0 -36000.000s ±0.000s anchor 1\n2/0 -32400.000s ±7200.720s 0x200"},
		{"an RTC a year behind", func(r *river) {
			b1.reads(r, b1.anchor(wire.Synced, 1, 38*3600, 0), 0, 38*3600)
			b3.says(r, bootAnchor(b3, b3.anchor(wire.Gateway, 1, 0, 0)))
			b2.reads(r, life{2, b2.start - 365*day}.anchor(wire.Unsynced, 1, 3*3600, gigayear), 0, 3600)
		}, "1/0 -36000.000s ±0.000s anchor 1\n2/0 -30600.000s ±1801.080s 0x200"},
		{"an RTC a year ahead", func(r *river) {
			b1.reads(r, b1.anchor(wire.Synced, 1, 38*3600, 0), 0, 38*3600)
			b3.says(r, bootAnchor(b3, b3.anchor(wire.Gateway, 1, 0, 0)))
			b2.reads(r, life{2, b2.start + 365*day}.anchor(wire.Unsynced, 1, 3*3600, gigayear), 0, 3600)
		}, "1/0 -36000.000s ±0.000s anchor 1\n2/0 -30600.000s ±1801.080s 0x200"},
		{"an RTC a year behind, and nobody who contradicts it", func(r *river) {
			b1.reads(r, life{1, b1.start - 365*day}.anchor(wire.Unsynced, 1, 3600, gigayear), 0, 3600)
		}, "1/0 -31705200.000s 0x200"},
		{"an RTC that is not disciplined, and the gateway's time", func(r *river) {
			b4.says(r, bootAnchor(b4, b4.anchor(wire.Gateway, 1, 3600, 20*ms)))
			b4.reads(r, life{4, b4.start - 90*second}.anchor(wire.Unsynced, 1, 3600, gigayear), 0, 3600)
		}, "4/0 +0.000s ±0.020s anchor 1"},
		{"a process that never heard the time, and one of the same boot that did", func(r *river) {
			b4.reads(r, b4.unset(100), 0, 100) // before anybody knows
			a := bootAnchor(b4, b4.anchor(wire.Gateway, 2, 3600, 20*ms))
			r.hello(&wire.Hello{Boot: 4, Anchors: []wire.BootAnchor{a}, Epochs: []wire.HelloEpoch{{Epoch: 5, Boot: 4, Predecessor: 4}}})
			r.land()
			r.restart()
			b4.reads(r, b4.unset(100), 1, 100)
		}, "4/0 +0.000s 0x200\n4/1 -3500.000s ±0.370s anchor 2"},
		{"the gateway's clock was an hour ahead, then set", func(r *river) {
			wrong := life{4, b4.start + hour}
			wrong.sends(r, now+hour, wrong.anchor(wire.Gateway, 1, 3600, 20*ms), 0, 3600)
			b4.sends(r, now+hour+1, b4.anchor(wire.Gateway, 2, 3601, 20*ms), 1, 3601) // the log's time does not fall
		}, "4/0 +3600.000s ±0.020s anchor 1\n4/1 +1.000s ±0.020s anchor 2"},
		{"NTP steps an hour forward and back", func(r *river) {
			b4.reads(r, b4.anchor(wire.Synced, 1, 3000, 5*ms), 0, 3000)
			b4.reads(r, life{4, b4.start + hour}.anchor(wire.Synced, 2, 3100, 5*ms), 1, 3100)
			b4.reads(r, b4.anchor(wire.Synced, 3, 3200, 5*ms), 2, 3200)
		}, "4/0 -600.000s ±0.005s anchor 1\n4/1 +3100.000s ±0.005s anchor 2 0x400\n4/2 -400.000s ±0.005s anchor 3"},
		{"a leap second that the kernel inserts is a step of one second", func(r *river) {
			b4.reads(r, b4.anchor(wire.Synced, 1, 3000, 5*ms), 0, 3000)
			b4.reads(r, life{4, b4.start - second}.anchor(wire.Synced, 2, 3100, 5*ms), 1, 3100)
		}, "4/0 -600.000s ±0.005s anchor 1\n4/1 -501.000s ±0.005s anchor 2"},
		{"suspended for an hour: its clock ran on", func(r *river) {
			b4.reads(r, b4.anchor(wire.Synced, 1, 3600, 5*ms), 0, 0)
			b4.reads(r, b4.anchor(wire.Synced, 1, 3600, 5*ms), 1, 3600)
		}, "4/0 -3600.000s ±0.365s anchor 1\n4/1 +0.000s ±0.005s anchor 1"},
		{"ahead, by less and by more than is allowed", func(r *river) {
			b4.reads(r, life{4, b4.start + 2*hour}.anchor(wire.Synced, 1, 3600, 5*ms), 0, 3600)
			b4.reads(r, life{4, b4.start + 50*hour}.anchor(wire.Synced, 2, 3600, 5*ms), 1, 3600)
		}, "4/0 +7200.000s ±0.005s anchor 1 0x400\n4/1 future_time"},
		{"a wall clock that no integer holds", func(r *river) {
			for i, wall := range []int64{math.MaxInt64, math.MinInt64} {
				b4.reads(r, wire.Anchor{State: wire.Synced, Generation: 1, Wall: wall, Monotonic: -wall / 2}, uint64(i), 3600)
			}
		}, "4/0 time_range\n4/1 time_range"},
		{"before 1970", func(r *river) {
			b4.reads(r, life{4, -40 * day}.anchor(wire.Synced, 1, 3600, 0), 0, 3600)
		}, "4/0 -1783728000.000s ±0.000s anchor 1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRiver(t, land.Settings{})
			c.does(r)
			if got := r.clocks(); got != c.want+"\n" {
				t.Errorf("got\n%swant\n%s", got, c.want)
			}
		})
	}
}

// TestClockOfACompleteEpoch stamps a process that never heard the time by one of the same boot that did, and that has left
// memory since.
func TestClockOfACompleteEpoch(t *testing.T) {
	r, b1 := newRiver(t, land.Settings{}), life{1, now - 48*hour}
	b1.reads(r, b1.anchor(wire.Gateway, 1, 100, 20_000), 0, 100)
	r.batch(landtest.End(t, wire.Anchor{}, wire.Header{Device: "probe-1", Epoch: 1, Boot: 1, First: 1}))
	r.land() // epoch 1 is complete
	r.hello(&wire.Hello{Boot: 3, Epochs: []wire.HelloEpoch{
		{Epoch: 2, Boot: 1, Predecessor: 1, State: wire.EpochLost, Held: []uint64{0, 10}, Next: 10},
		{Epoch: 3, Boot: 3, Predecessor: 2},
	}})
	r.batch(landtest.Readings(t, b1.unset(3600), wire.Header{Device: "probe-1", Epoch: 2, Boot: 1, Base: 3600 * 1000}, 1, 1, 1000))
	if got, want := r.clocks(), "1/0 -172700.000s ±0.020s anchor 1\n2/0 -169200.000s ±0.370s anchor 1\n"; got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}

// TestFutureMovesNoPromise keeps a clock of the future out of what later boots are bounded by.
func TestFutureMovesNoPromise(t *testing.T) {
	for ahead, want := range map[time.Duration]int64{0: 3_600_000, time.Minute: table.Unknown, 1000 * time.Hour: table.Unknown} {
		r := newRiver(t, land.Settings{MaxAhead: 30 * time.Minute})
		l := life{1, now - hour + ahead.Microseconds()}
		l.reads(r, l.anchor(wire.Synced, 1, 3600, 0), 0, 3600)
		r.land()
		if got := r.cursor(1).Promise; got != want {
			t.Errorf("a clock ahead by %s: promise %d, want %d", ahead, got, want)
		}
	}
}

// TestResentBatchIsStampedByTheEnvelopeThatTheLogKept plays a log that was lost behind the first commit: what landed
// keeps its stamp, the rest gets that of the new envelope.
func TestResentBatchIsStampedByTheEnvelopeThatTheLogKept(t *testing.T) {
	l := life{1, now - hour}
	h := wire.Header{Device: "probe-1", Epoch: 1, Boot: 1, Base: 3_590_000}
	body := func(a wire.Anchor) []byte { return landtest.Readings(t, a, h, 1, 4, 1000) }
	r := newRiver(t, land.Settings{})
	r.batch(body(l.anchor(wire.Gateway, 1, 3595, 1000)))
	if got, want := r.clocks(), "1/0 -10.000s ±0.002s anchor 1\n1/1 -9.000s ±0.002s anchor 1\n1/2 -8.000s ±0.002s anchor 1\n1/3 -7.000s ±0.002s anchor 1\n"; got != want {
		t.Fatalf("got\n%swant\n%s", got, want)
	}
	r.restart()
	r.batch(body(l.anchor(wire.Synced, 2, 3600, 10)))
	r.batch(landtest.Readings(t, l.anchor(wire.Synced, 2, 3600, 10), wire.Header{Device: "probe-1", Epoch: 1, Boot: 1, First: 4, Base: 3_594_000}, 1, 1, 1000))
	if got, want := r.clocks(), "1/4 -6.000s ±0.001s anchor 2\n"; !strings.HasSuffix(got, want) || strings.Count(got, "\n") != 5 {
		t.Errorf("got\n%s", got)
	}
}

// TestExtremesOverflowNowhere gives three boots in a row clocks that no device has: every reading has one fate, at a
// time that a table can say and with an error that is none or not negative.
func TestExtremesOverflowNowhere(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	extremes := []int64{
		math.MinInt64, math.MinInt64 + 1, math.MinInt64 / 1000, -1 << 61, -now, -1, 0, 1, 3_600_000, now / 1000, now, 1 << 61, math.MaxInt64 / 1000, math.MaxInt64,
	}
	pick := func() int64 { return extremes[rng.IntN(len(extremes))] }
	anchor := func() wire.Anchor {
		state := wire.AnchorState(rng.IntN(4))
		if state == wire.NoAnchor {
			return wire.Anchor{}
		}
		return wire.Anchor{State: state, Generation: uint64(pick()), Wall: pick(), Monotonic: pick(), Uncertainty: uint64(pick())}
	}
	for range 200 {
		r := newRiver(t, land.Settings{})
		told, exact := life{3, now}, map[record.Epoch]*big.Int{}
		told.says(r, bootAnchor(life{2, 0}, anchor()), bootAnchor(told, anchor()))
		for n := range record.Epoch(3) {
			at := pick()
			h := wire.Header{Device: "probe-1", Epoch: n + 1, Boot: record.Boot(n + 1), Base: at, Absolute: rng.IntN(8) == 0}
			h.HasPromise, h.Promise = true, pick()
			a := anchor()
			if !h.Absolute && a.State >= wire.Gateway {
				exact[n+1] = new(big.Int).Mul(big.NewInt(at), big.NewInt(1000))
				exact[n+1].Add(exact[n+1], big.NewInt(a.Wall)).Sub(exact[n+1], big.NewInt(a.Monotonic))
			}
			r.batch(landtest.Body(t, a, h, &record.Body{Groups: []record.Group{{
				Unit: record.Milli, Times: []int64{at}, Columns: []record.Column{{Series: "s", Kind: record.Bool, Bools: []bool{true}}},
			}}}))
		}
		r.land()
		tables := r.lake.Tables()
		fates := len(tables.Quarantine)
		for _, run := range tables.Readings {
			fates += len(run.Seq)
			us, e := run.EventTime[0], run.Stamp.ClockError
			if us < -62135596800*second || us >= 253402300800*second || e < 0 && e != table.Unknown {
				t.Fatalf("landed %+v", run)
			}
			if want := exact[run.Epoch]; want != nil && want.Cmp(big.NewInt(us)) != 0 {
				t.Fatalf("landed at %d, not at %s: %+v", us, want, run)
			}
		}
		if fates != 3 {
			t.Fatalf("%d fates of 3 readings: %s", fates, r.story())
		}
	}
}
