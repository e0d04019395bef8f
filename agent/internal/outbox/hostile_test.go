package outbox

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/headwater-iot/headwater/shared/record"
	"github.com/headwater-iot/headwater/shared/wire"
)

// The traces of a hostile reading of this package. Each has lost, doubled or blocked something once.

// flushAll puts all that is sealed on flash.
func flushAll(t testing.TB, o *Outbox) {
	t.Helper()
	if err := o.Seal(); err != nil {
		t.Fatal(err)
	}
	o.flash.Lock()
	defer o.flash.Unlock()
	o.flush(func(*held) bool { return true })
}

// wantHello checks that the next hello is one that a gateway reads: one that it does not is never answered.
func wantHello(t testing.TB, o *Outbox) []byte {
	t.Helper()
	r := o.Report()
	b, err := wire.AppendHello(nil, &wire.Hello{
		Device: "dev-1", Client: "dev-1", Boot: testBoot, Wire: []uint64{1}, Epochs: r.Epochs, Anchors: r.Anchors,
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := wire.ParseHello(b); err != nil {
		t.Fatalf("no gateway reads this hello: %v", err)
	}
	return b
}

// TestLostFactsDoNotForgetTheRing: meta.db is gone, and the ring holds batches of an epoch that only it knew.
func TestLostFactsDoNotForgetTheRing(t *testing.T) {
	cfg := config(t)
	o := mustOpen(t, cfg)
	appendRows(t, o, 0, 10)
	must(t, o.Seal())
	kill(t, o)
	o = mustOpen(t, cfg) // the ring is the second epoch's now, and holds the first one's batch
	appendRows(t, o, 10, 20)
	kill(t, o)
	must(t, os.Remove(filepath.Join(o.dir(), "meta.db")))
	o = mustOpen(t, cfg)
	wantHello(t, o)
	l := newLake(t)
	l.drain(o)
	l.wantRows(0, 20)
}

// TestAllSegmentsOfALostEpochAreDamaged: what is known of the epoch is then less than what its gaps cover.
func TestAllSegmentsOfALostEpochAreDamaged(t *testing.T) {
	cfg := config(t)
	o := mustOpen(t, cfg)
	appendRows(t, o, 0, 100)
	flushAll(t, o)
	o.flash.Lock()
	o.store.Close() // the next flush begins another file
	o.flash.Unlock()
	appendRows(t, o, 100, 200)
	flushAll(t, o)
	powerCut(t, o, cfg)
	segs := files(t, o.dir(), "*.seg")
	if len(segs) != 2 {
		t.Fatalf("%d segments, want 2", len(segs))
	}
	for _, f := range segs {
		must(t, os.Truncate(f, 0))
	}
	wantHello(t, mustOpen(t, cfg))
}

// TestFewFilesAreNoDamage: a file that cannot be opened because the process has too many open is as good as ever.
func TestFewFilesAreNoDamage(t *testing.T) {
	cfg := config(t)
	o := mustOpen(t, cfg)
	appendRows(t, o, 0, 100)
	flushAll(t, o)
	must(t, o.Close())
	o = mustOpen(t, cfg)

	var old syscall.Rlimit
	must(t, syscall.Getrlimit(syscall.RLIMIT_NOFILE, &old))
	must(t, syscall.Setrlimit(syscall.RLIMIT_NOFILE, &syscall.Rlimit{Cur: 3, Max: old.Max}))
	_, ok := o.Next(Backlog, func(r Ref) bool { return r.Count == 0 })
	must(t, syscall.Setrlimit(syscall.RLIMIT_NOFILE, &old))
	if ok || len(o.gaps) > 0 {
		t.Fatalf("a batch came: %v; gaps: %d", ok, len(o.gaps))
	}
	l := newLake(t)
	l.drain(o)
	l.wantRows(0, 100)
}

// TestSegmentThatCannotBeForgotten: the gateway has all of an ended epoch, and the facts cannot be written.
func TestSegmentThatCannotBeForgotten(t *testing.T) {
	cfg := config(t)
	o := mustOpen(t, cfg)
	appendRows(t, o, 0, 100)
	must(t, o.Close())
	o = mustOpen(t, cfg)
	l := newLake(t)
	for sent := map[Ref]bool{}; ; {
		b, ok := o.Next(Backlog, func(r Ref) bool { return sent[r] })
		if !ok {
			break
		}
		sent[b.Ref] = true
		l.take(b.Sealed)
	}
	must(t, o.meta.Close())
	if err := o.Apply(l.ack()); err == nil {
		t.Fatal("facts were written to a closed file")
	}
	func() {
		o.flash.Lock()
		defer o.flash.Unlock()
		o.cfg.Quota = 1 // everything has to go
		_ = o.room(1, true)
	}()
	wantHello(t, o)
	kill2(o)
}

// kill2 lets go of an outbox whose facts are closed already.
func kill2(o *Outbox) {
	o.flash.Lock()
	defer o.flash.Unlock()
	o.mu.Lock()
	defer o.mu.Unlock()
	o.shut, o.closed = true, true
	_ = o.letGo()
}

// TestRingStaysWhenTheEndIsNotWritten: the ring alone knows then how far the epoch came.
func TestRingStaysWhenTheEndIsNotWritten(t *testing.T) {
	cfg := config(t)
	o := mustOpen(t, cfg)
	appendRows(t, o, 0, 10)
	must(t, o.Seal())
	l := newLake(t)
	l.drain(o)
	first := o.Epoch()
	must(t, o.meta.Close())
	if err := o.Close(); err == nil {
		t.Fatal("facts were written to a closed file")
	}
	o = mustOpen(t, cfg)
	for _, e := range o.Report().Epochs {
		if e.Epoch == first && (e.State != wire.EpochEnded || e.Next != 20) {
			t.Errorf("the hello says %+v of the first epoch", e)
		}
	}
}

// TestRowsOfAnEpochNobodyKnows: both headers of the ring and all facts are gone.
func TestRowsOfAnEpochNobodyKnows(t *testing.T) {
	cfg := config(t)
	o := mustOpen(t, cfg)
	appendRows(t, o, 0, 10)
	kill(t, o)
	must(t, os.Remove(filepath.Join(o.dir(), "meta.db")))
	for _, f := range files(t, cfg.RingDir, "*.ring") {
		change(t, f, func(b []byte) []byte { clear(b[:1024]); return b })
	}
	o = mustOpen(t, cfg)
	wantHello(t, o)
	l := newLake(t)
	l.drain(o)
	l.wantRows(0, 10)
}

// TestKilledBeforeTheSegmentIsMade: flash has the name of a segment, and the process dies before there is such a file.
// What was to go there is in the ring.
func TestKilledBeforeTheSegmentIsMade(t *testing.T) {
	cfg := config(t)
	o := mustOpen(t, cfg)
	appendRows(t, o, 0, 10)
	must(t, o.Seal())
	o.flash.Lock()
	must(t, o.beginSegment(o.current().Epoch, 0))
	o.flash.Unlock()
	appendRows(t, o, 10, 20)
	kill(t, o)
	o = mustOpen(t, cfg)
	if len(o.gaps) != 0 {
		t.Errorf("%d gaps", len(o.gaps))
	}
	wantHello(t, o)
	l := newLake(t)
	l.drain(o)
	l.wantRows(0, 20)
}

// remembering is a clock that notes what it resumes from.
type remembering struct {
	clock
	resumed *wire.Anchor
}

func (c remembering) Resume(a wire.Anchor, _ int64) { *c.resumed = a }

// TestClockResumes: the generation of anchors goes on over the processes of a boot, however the last one ended.
func TestClockResumes(t *testing.T) {
	for name, end := range map[string]func(*testing.T, *Outbox, Config){
		"killed":  func(t *testing.T, o *Outbox, _ Config) { kill(t, o) },
		"stopped": func(t *testing.T, o *Outbox, _ Config) { must(t, o.Close()) },
		"flushed, ring lost": func(t *testing.T, o *Outbox, cfg Config) {
			flushAll(t, o)
			powerCut(t, o, cfg)
		},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := config(t)
			var resumed wire.Anchor
			cfg.Clock = remembering{newClock(), &resumed}
			o := mustOpen(t, cfg)
			if resumed.State != wire.NoAnchor {
				t.Fatalf("a new device resumes %+v", resumed)
			}
			appendRows(t, o, 0, 10)
			must(t, o.Seal())
			end(t, o, cfg)
			mustOpen(t, cfg)
			if resumed.State != wire.Synced || resumed.Generation != 1 {
				t.Fatalf("resumed %+v", resumed)
			}
		})
	}
}

// TestStartsAndStopsLeaveNothing: what is known of epochs that the gateway has the end of goes, so that neither
// the facts nor the hello grow with the number of starts.
func TestStartsAndStopsLeaveNothing(t *testing.T) {
	cfg := config(t)
	l := newLake(t)
	row := 0
	var first, last int
	for i := range 50 {
		o := mustOpen(t, cfg)
		appendRows(t, o, row, row+3)
		row += 3
		switch i % 3 {
		case 0:
			l.drain(o)
			must(t, o.Close())
		case 1:
			l.drain(o)
			kill(t, o)
		default:
			flushAll(t, o)
			l.drain(o)
			powerCut(t, o, cfg)
		}
		o = mustOpen(t, cfg) // a connected device that has nothing to say
		l.drain(o)
		last = len(wantHello(t, o))
		must(t, o.Close())
		if i == 2 {
			first = last
		}
	}
	if last > first+16 {
		t.Errorf("the hello grew from %d to %d bytes", first, last)
	}
	o := mustOpen(t, cfg)
	l.drain(o)
	l.wantRows(0, row)
	if n := len(o.epochs); n != 1 {
		t.Errorf("%d epochs are remembered", n)
	}
	must(t, o.Close())
	if st, err := os.Stat(filepath.Join(o.dir(), "meta.db")); err != nil || st.Size() > 1<<18 {
		t.Errorf("meta.db: %v, %v", st, err)
	}
	if left := files(t, o.dir(), "*.seg"); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

// TestStartsWithoutAGatewayStayBounded: a crash loop that nobody hears of ends neither in a hello too large to be
// sent nor in facts too large to be written.
func TestStartsWithoutAGatewayStayBounded(t *testing.T) {
	cfg := config(t)
	o := mustOpen(t, cfg)
	appendRows(t, o, 0, 10)
	flushAll(t, o) // the oldest of all, and it is held
	o.flash.Lock()
	for i := range uint64(6000) {
		l := line{Epoch: record.Epoch(i + 1), Predecessor: record.Epoch(i), Boot: testBoot, State: wire.EpochLost, CountMax: 110, Order: i + 2}
		o.facts[lineKey(l.Epoch)] = encode(l)
	}
	must(t, o.save())
	o.flash.Unlock()
	kill(t, o)
	o = mustOpen(t, cfg)
	if n := len(wantHello(t, o)); n > wire.MaxSealed/2 {
		t.Errorf("a hello of %d bytes", n)
	}
	if n := len(o.epochs); n > maxEpochs {
		t.Errorf("%d epochs are remembered", n)
	}
	l := newLake(t)
	l.drain(o)
	l.wantRows(0, 10)
}

// TestNewLakeVoidsWhatFlashSaysOfTheOld: half of an epoch landed in a lake that is no more. The next one has never
// heard of the epoch, and the device starts again.
func TestNewLakeVoidsWhatFlashSaysOfTheOld(t *testing.T) {
	cfg := config(t)
	o := mustOpen(t, cfg)
	appendRows(t, o, 0, 10)
	flushAll(t, o)
	appendRows(t, o, 10, 20)
	flushAll(t, o)
	old := newLake(t)
	b, _ := o.Next(Backlog, func(Ref) bool { return false })
	old.take(b.Sealed)
	must(t, o.Apply(old.ack()))
	must(t, o.Close()) // flash says: landed, in the old lake

	o = mustOpen(t, cfg)
	appendRows(t, o, 20, 30)
	flushAll(t, o)
	l := newLake(t)
	l.lakeID[0], l.logID[0] = 2, 2
	now := o.Epoch()
	b, ok := o.Next(Backlog, func(r Ref) bool { return r.Epoch != now })
	if !ok {
		t.Fatal("nothing of the second epoch")
	}
	l.take(b.Sealed)
	must(t, o.Apply(l.ack())) // its segment goes, and flash is told of the new lake
	kill(t, o)

	o = mustOpen(t, cfg)
	for _, e := range o.epochs {
		if e.Epoch != now && !e.landed.Empty() {
			t.Errorf("flash says that %v of epoch %s landed in the new lake", e.landed.Ranges(), e.Epoch)
		}
	}
	must(t, o.Apply(l.ack())) // the answer to its hello
	l.drain(o)
	l.wantRows(0, 30)
}

// TestRingOfALostEpochComesBack: a process without tmpfs calls the epoch before it lost, and the next one finds its
// ring again. In between the gateway may have closed the chapter, so that the device has forgotten the epoch.
func TestRingOfALostEpochComesBack(t *testing.T) {
	for name, between := range map[string]func(l *lake, o *Outbox){
		"no gateway":         func(*lake, *Outbox) {},
		"gateway in between": func(l *lake, o *Outbox) { l.drain(o) },
	} {
		t.Run(name, func(t *testing.T) {
			cfg := config(t)
			l := newLake(t)
			o := mustOpen(t, cfg)
			first := o.Epoch()
			appendRows(t, o, 0, 10)
			must(t, o.Seal())
			appendRows(t, o, 10, 20)
			kill(t, o)

			heap := cfg
			heap.RingDir = ""
			o = mustOpen(t, heap)
			second := o.Epoch()
			appendRows(t, o, 20, 30)
			flushAll(t, o)
			between(l, o)
			kill(t, o)

			for range 2 { // once more, for what the first of them leaves
				o = mustOpen(t, cfg)
				wantHello(t, o)
				kill(t, o)
			}
			o = mustOpen(t, cfg)
			for _, e := range o.Report().Epochs {
				if e.Epoch == first && (e.State != wire.EpochEnded || e.Next != 40) {
					t.Errorf("the first epoch: %+v", e)
				}
				if e.Epoch != second && e.Predecessor == first {
					t.Errorf("epoch %s and %s have one predecessor", e.Epoch, second)
				}
			}
			l.drain(o)
			l.wantRows(0, 30)
			l.wantDense()
		})
	}
}
