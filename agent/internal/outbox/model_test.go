package outbox

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"pgregory.net/rapid"

	"github.com/headwater-iot/headwater/shared/health"
	"github.com/headwater-iot/headwater/shared/meter"
	"github.com/headwater-iot/headwater/shared/record"
	"github.com/headwater-iot/headwater/shared/seqset"
)

// world is an outbox, the lake behind it, and what was accepted.
type world struct {
	t        *rapid.T
	cfg      Config
	o        *Outbox
	lake     *lake
	accepted map[record.Epoch][]int // rows by the epoch that accepted them
	next     int
	lostCut  map[int]bool // rows that a power cut may have taken
	unsafe   []int        // rows accepted and neither flushed nor landed since, as far as we know
}

// TestOutboxAgainstModel: whatever comes in whatever order, in the end every accepted row landed once, or
// lies in a sealed gap, or is younger than the last flush before a power cut; and the seqs of every epoch
// are dense and mean one thing.
func TestOutboxAgainstModel(t *testing.T) {
	shm := tmpfs(t)
	n := 0
	rapid.Check(t, func(rt *rapid.T) {
		n++
		base := filepath.Join(shm, fmt.Sprint("data-", n)) // many fsyncs; the power is cut elsewhere
		w := &world{
			t: rt, accepted: map[record.Epoch][]int{}, lostCut: map[int]bool{}, lake: newLake(rt),
			cfg: Config{
				Device: "dev-1", Boot: testBoot, Dir: base, RingDir: filepath.Join(shm, fmt.Sprint(n)), RingBytes: 1 << 20,
				Quota: 1 << 20, Reserve: 1, Clock: newClock(), Meter: meter.New(), Health: health.New(),
			},
		}
		defer func() { _ = os.RemoveAll(w.cfg.RingDir); _ = os.RemoveAll(base) }()
		w.open()
		defer func() { _ = w.o.Close() }()
		rt.Repeat(map[string]func(*rapid.T){
			"append":    w.append,
			"seal":      func(*rapid.T) { w.must(w.o.Seal()) },
			"flush":     w.flush,
			"send some": w.send,
			"drop":      w.drop,
			"kill":      func(*rapid.T) { w.kill(); w.open() },
			"restart":   func(*rapid.T) { w.must(w.o.Close()); w.unsafe = nil; w.open() },
			"power cut": w.cut,
			"new log":   func(*rapid.T) { w.lake.logID[1]++ },
			"":          w.check,
		})
		w.finish()
	})
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) open() {
	o, err := Open(w.cfg)
	w.must(err)
	w.o = o
	if w.accepted[o.Epoch()] != nil {
		w.t.Fatal("an epoch came twice")
	}
}

func (w *world) append(t *rapid.T) {
	for range rapid.IntRange(1, 40).Draw(t, "rows") {
		w.must(w.o.Append(row(w.next)))
		w.accepted[w.o.Epoch()] = append(w.accepted[w.o.Epoch()], w.next)
		w.unsafe = append(w.unsafe, w.next)
		w.next++
	}
}

func (w *world) flush(*rapid.T) {
	w.must(w.o.Seal())
	w.o.flash.Lock()
	w.o.flush(func(*held) bool { return true })
	w.o.flash.Unlock()
	w.unsafe = nil
}

// send lets some batches through, of which the acks may be lost.
func (w *world) send(t *rapid.T) {
	sent := map[Ref]bool{}
	for range rapid.IntRange(1, 6).Draw(t, "batches") {
		lane := Lane(rapid.IntRange(0, 1).Draw(t, "lane"))
		b, ok := w.o.Next(lane, func(r Ref) bool { return sent[r] })
		if !ok {
			continue
		}
		sent[b.Ref] = true
		w.lake.take(b.Sealed)
	}
	if rapid.Bool().Draw(t, "ack arrives") {
		w.must(w.o.Apply(w.lake.ack()))
	}
}

func (w *world) drop(*rapid.T) {
	w.o.flash.Lock()
	defer w.o.flash.Unlock()
	if segs := w.o.store.Segments(); len(segs) > 0 {
		w.must(w.o.dropOldest(segs[0]))
	}
}

func (w *world) kill() { kill(w.t, w.o) }

func (w *world) cut(*rapid.T) {
	powerCut(w.t, w.o, w.cfg)
	for _, i := range w.unsafe {
		w.lostCut[i] = true
	}
	w.unsafe = nil
	w.open()
}

// check holds what the outbox says of itself to what the lake has: of every epoch the agent knows, each
// seq given out is closed in the lake, held, or was taken by a power cut.
func (w *world) check(*rapid.T) {
	for _, e := range w.o.Report().Epochs {
		held, err := seqset.FromFlat(e.Held)
		w.must(err)
		if held.Max() > e.Next || len(e.Held) > 0 && e.Held[0] != e.Floor {
			w.t.Fatalf("held %v, floor %d, next %d", e.Held, e.Floor, e.Next)
		}
		if len(w.lostCut) > 0 {
			continue
		}
		held.AddSet(&w.lake.epoch(e.Epoch).closed)
		if m := held.Missing(0, e.Next); len(m) > 0 {
			w.t.Fatalf("epoch %s: %v are neither held nor closed", e.Epoch, m)
		}
	}
}

func (w *world) finish() {
	w.must(w.o.Seal())
	w.lake.drain(w.o)
	gapped := 0
	for id, e := range w.lake.epochs {
		gapped += int(e.gapped.Count()) / 2
		if len(w.lostCut) == 0 && e.closed.Mark() != e.closed.Max() {
			w.t.Fatalf("epoch %s has holes: %v", id, e.closed.Ranges())
		}
	}
	missing := 0
	for i := range w.next {
		switch n := w.lake.got[fmt.Sprintf("n=%d", i)]; {
		case n > 1:
			w.t.Fatalf("row %d landed %d times", i, n)
		case n == 0 && !w.lostCut[i]:
			missing++
		}
	}
	if missing > gapped {
		w.t.Fatalf("%d rows did not land, and only %d are in gaps", missing, gapped)
	}
	if r := w.o.Report(); len(r.Epochs) != 1 || len(r.Epochs[0].Held) != 0 {
		w.t.Fatalf("all has landed, and something is held: %+v", r)
	}
}
