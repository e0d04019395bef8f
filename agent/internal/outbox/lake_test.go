package outbox

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/headwater-iot/headwater/shared/health"
	"github.com/headwater-iot/headwater/shared/meter"
	"github.com/headwater-iot/headwater/shared/record"
	"github.com/headwater-iot/headwater/shared/seqset"
	"github.com/headwater-iot/headwater/shared/wire"
)

const testBoot = 0xb007

// clock runs with the time of the test's bubble.
type clock struct{ start time.Time }

func newClock() clock { return clock{time.Now()} }

func (c clock) Monotonic() int64 { return time.Since(c.start).Microseconds() }

func (c clock) Anchor() wire.Anchor {
	return wire.Anchor{State: wire.Synced, Generation: 1, Wall: time.Now().UnixMicro(), Monotonic: c.Monotonic(), Uncertainty: 10}
}

// Resume implements Clock.
func (c clock) Resume(wire.Anchor, int64) {}

// tmpfs returns a directory of its own on a tmpfs, or skips.
func tmpfs(t testing.TB) string {
	t.Helper()
	var st unix.Statfs_t
	if err := unix.Statfs("/dev/shm", &st); err != nil || uint32(st.Type) != unix.TMPFS_MAGIC {
		t.Skip("/dev/shm is no tmpfs here")
	}
	dir, err := os.MkdirTemp("/dev/shm", "headwater-test-")
	if err != nil {
		t.Skipf("no room on /dev/shm: %v", err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

func config(t testing.TB) Config {
	t.Helper()
	return Config{
		Device: "dev-1", Boot: testBoot, Dir: t.TempDir(), RingDir: tmpfs(t),
		RingBytes: 1 << 20, Rate: 10, Reserve: 1, Clock: newClock(), Meter: meter.New(), Health: health.New(),
	}
}

func mustOpen(t testing.TB, cfg Config) *Outbox {
	t.Helper()
	o, err := Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = o.Close() })
	return o
}

// row carries the number i, by which a lake knows it again.
func row(i int) record.Row {
	return record.Row{Sensor: "s", Unit: record.Milli, Time: int64(i), Cells: []record.Cell{
		record.IntCell("n", "", int64(i)), record.FloatCell("half", "Cel", float64(i)/2),
	}}
}

func appendRows(t testing.TB, o *Outbox, from, to int) {
	t.Helper()
	for i := from; i < to; i++ {
		if err := o.Append(row(i)); err != nil {
			t.Fatalf("append row %d: %v", i, err)
		}
	}
}

// kill lets go of an outbox as a kill -9 does: the kernel drops locks and mappings, nobody cleans up.
func kill(t failer, o *Outbox) {
	t.Helper()
	o.flash.Lock()
	defer o.flash.Unlock()
	o.mu.Lock()
	defer o.mu.Unlock()
	o.shut, o.closed = true, true
	if err := o.letGo(); err != nil {
		t.Fatal(err)
	}
}

// powerCut is a kill that takes the ring with it.
func powerCut(t failer, o *Outbox, cfg Config) {
	t.Helper()
	kill(t, o)
	if cfg.RingDir == "" {
		return
	}
	files, _ := filepath.Glob(filepath.Join(cfg.RingDir, "*"))
	for _, f := range files {
		if err := os.Remove(f); err != nil {
			t.Fatal(err)
		}
	}
}

// failer is a testing.TB or a rapid.T.
type failer interface {
	Helper()
	Fatal(args ...any)
	Fatalf(format string, args ...any)
}

// lake is a gateway that lands all it is sent, at once or when told.
type lake struct {
	t      failer
	dec    *wire.Decoder
	epochs map[record.Epoch]*lakeEpoch
	got    map[string]int // "n=17" -> times landed
	n      uint64
	lakeID wire.ID
	logID  wire.ID
}

type lakeEpoch struct {
	closed  seqset.Set // landed or gapped
	stored  seqset.Set
	gapped  seqset.Set
	reasons map[string]uint64
	ended   bool
	final   uint64
	promise int64
}

func newLake(t failer) *lake {
	dec, err := wire.NewDecoder()
	if err != nil {
		t.Fatal(err)
	}
	l := &lake{t: t, dec: dec, epochs: map[record.Epoch]*lakeEpoch{}, got: map[string]int{}}
	l.lakeID[0], l.logID[0] = 1, 1
	return l
}

func (l *lake) epoch(id record.Epoch) *lakeEpoch {
	e := l.epochs[id]
	if e == nil {
		e = &lakeEpoch{reasons: map[string]uint64{}, promise: -1 << 62}
		l.epochs[id] = e
	}
	return e
}

// take lands one batch: what is not closed yet of it.
func (l *lake) take(sealed []byte) wire.Sealed {
	l.t.Helper()
	s, err := wire.ParseSealed(sealed)
	if err != nil {
		l.t.Fatalf("a batch on the wire is bad: %v", err)
	}
	e := l.epoch(s.Epoch)
	fresh := e.closed.Missing(s.First, s.End())
	switch s.Kind {
	case wire.KindReadings:
		l.readings(&s, e)
	case wire.KindGap:
		g, err := wire.ParseGap(&s)
		if err != nil {
			l.t.Fatal(err)
		}
		for _, r := range fresh {
			e.gapped.Add(r.From, r.To)
			e.reasons[g.Reason] += r.Len()
		}
	case wire.KindEnd:
		e.ended, e.final = true, s.First
	}
	e.closed.Add(s.First, s.End())
	e.stored.Add(s.First, s.End())
	return s
}

// key is the name under which a lake counts row i.
func key(i int) string { return fmt.Sprintf("n=%d", i) }

func (l *lake) readings(s *wire.Sealed, e *lakeEpoch) {
	var body record.Body
	if err := l.dec.Readings(s, &body); err != nil {
		l.t.Fatal(err)
	}
	seq := s.First
	for i := range body.Groups {
		g := &body.Groups[i]
		for j := range g.Columns {
			c := &g.Columns[j]
			for k := range c.Cells(len(g.Times)) {
				if c.Series == "n" && !e.closed.Has(seq) {
					l.got[key(int(c.Ints[k]))]++
				}
				seq++
			}
		}
	}
}

func (l *lake) ack() *wire.Ack {
	l.n++
	a := &wire.Ack{Lake: l.lakeID, Log: l.logID, Start: 1, N: l.n}
	for _, id := range slices.Sorted(maps.Keys(l.epochs)) {
		e := l.epochs[id]
		a.Epochs = append(a.Epochs, wire.NewAckEpoch(id, &e.stored, &e.closed, e.ended))
	}
	return a
}

// drain takes all that both lanes have, and acks.
func (l *lake) drain(o *Outbox) (n int) {
	l.t.Helper()
	for {
		sent := map[Ref]bool{}
		for _, lane := range []Lane{Live, Backlog} {
			for {
				b, ok := o.Next(lane, func(r Ref) bool { return sent[r] })
				if !ok {
					break
				}
				sent[b.Ref] = true
				if s := l.take(b.Sealed); s.Epoch != b.Epoch || s.First != b.First || s.Count != b.Count || s.Boot != b.Boot {
					l.t.Fatalf("batch %+v carries %+v", b.Ref, s.Header)
				}
				if len(sent)%16 == 0 {
					break
				}
			}
		}
		if len(sent) == 0 {
			l.lost(o)
			return n
		}
		n += len(sent)
		if err := o.Apply(l.ack()); err != nil {
			l.t.Fatal(err)
		}
	}
}

// lost ends epochs that the agent says are lost, as the gateway does once all before the hello has landed.
func (l *lake) lost(o *Outbox) {
	for _, e := range o.Report().Epochs {
		if e.State == wire.EpochLost {
			l.epoch(e.Epoch).ended = true
		}
	}
	if err := o.Apply(l.ack()); err != nil {
		l.t.Fatal(err)
	}
}

// wantRows checks that the rows [from, to) landed exactly once.
func (l *lake) wantRows(from, to int) {
	l.t.Helper()
	for i := from; i < to; i++ {
		if n := l.got[key(i)]; n != 1 {
			l.t.Fatalf("row %d landed %d times", i, n)
		}
	}
}

// wantDense checks that every epoch that ended is closed without a hole.
func (l *lake) wantDense() {
	l.t.Helper()
	for id, e := range l.epochs {
		if n := len(e.closed.Ranges()); n > 1 || e.closed.Max() != e.closed.Mark() {
			l.t.Fatalf("epoch %s has holes: %v", id, e.closed.Ranges())
		}
		if e.final > 0 && e.closed.Mark() != e.final {
			l.t.Fatalf("epoch %s ends at %d, closed to %d", id, e.final, e.closed.Mark())
		}
	}
}
