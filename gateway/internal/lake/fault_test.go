package lake

import (
	"errors"
	"log/slog"
	"maps"
	"slices"
	"testing"

	"github.com/headwater-iot/headwater/gateway/internal/lake/fileio"
	"github.com/headwater-iot/headwater/gateway/internal/lake/schema"
	"github.com/headwater-iot/headwater/gateway/internal/table"
	"github.com/headwater-iot/headwater/shared/record"
)

var errInjected = errors.New("injected")

// TestFaultLoop ends a commit between every two of its steps, opens the lake again and looks: all tables and the
// marks are as before, or all are as after. Then the commit is made again by the rule for an unknown outcome (look
// at the marks first), and everything has landed exactly once.
func TestFaultLoop(t *testing.T) {
	steps := Steps()
	for i, at := range steps {
		dir := t.TempDir()
		var seen []string
		armed := false
		l := openLake(t, dir, func(name string) error {
			if !armed {
				return nil
			}
			seen = append(seen, name)
			if len(seen) == i+1 {
				return errInjected
			}
			return nil
		})
		m := takeOver(t, l, logA)
		if err := l.Commit(t.Context(), fullCommit(m)); err != nil {
			t.Fatal(err)
		}
		before := rowCounts(t, l)
		armed = true
		c := fullCommit(next(m))
		err := l.Commit(t.Context(), c)
		if !slices.Equal(seen, steps[:i+1]) {
			t.Fatalf("steps %q, want %q", seen, steps[:i+1])
		}
		if !errors.Is(err, errInjected) || errors.Is(err, ErrUnknown) != (at == "committed") {
			t.Errorf("step %q: %v", at, err)
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}

		l = openLake(t, dir, nil)
		marks, _, err := l.Marks(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		landed := sameMarks(marks, c.Marks)
		if landed != (at == "committed") {
			t.Errorf("step %q: landed is %v", at, landed)
		}
		if got := rowCounts(t, l); !landed && !maps.Equal(got, before) {
			t.Errorf("step %q: rows %v, want %v", at, got, before)
		}
		if err := l.Commit(t.Context(), c); landed != errors.Is(err, ErrStale) || !landed && err != nil {
			t.Errorf("step %q: second attempt: %v", at, err)
		}
		want := map[string]int64{table.Readings: 4, table.Quarantine: 2, table.Gaps: 4, table.Contracts: 2, table.Cursors: 4}
		if got := rowCounts(t, l); !maps.Equal(got, want) {
			t.Errorf("step %q: rows %v at the end, want %v", at, got, want)
		}
	}
}

// TestFileFaults fails every operation on the disk of a commit in turn: nothing of it is seen, and it lands after.
func TestFileFaults(t *testing.T) {
	if testing.Short() {
		t.Skip("a hundred commits")
	}
	dir := t.TempDir()
	n, fail := 0, -1
	l, err := Open(t.Context(), Config{Dir: dir, Partitions: 2, FS: fileio.Local{Fault: func(fileio.Op, string) error {
		n++
		if n == fail {
			return errInjected
		}
		return nil
	}}})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	m := takeOver(t, l, logA)
	for i := 1; ; i++ {
		before := rowCounts(t, l)
		n, fail = 0, i
		err := l.Commit(t.Context(), fullCommit(m))
		fail = -1
		if n < i {
			if err != nil || i < 40 {
				t.Fatalf("%d operations, %v", n, err)
			}
			return
		}
		if !errors.Is(err, errInjected) || errors.Is(err, ErrUnknown) {
			t.Fatalf("operation %d: %v", i, err)
		}
		if got := rowCounts(t, l); !maps.Equal(got, before) {
			t.Fatalf("operation %d: rows %v, want %v", i, got, before)
		}
	}
}

func rowCounts(t *testing.T, l *Lake) map[string]int64 {
	t.Helper()
	counts := make(map[string]int64)
	for _, name := range schema.Primary() {
		counts[name] = rowCount(t, l, name)
	}
	return counts
}

// TestTakeOver: a new log fences the old one, whichever of them commits first.
func TestTakeOver(t *testing.T) {
	dir := t.TempDir()
	l := openLake(t, dir, nil)
	a := takeOver(t, l, logA)
	_, stale, err := l.LoadCursors(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	c := fullCommit(a)
	if err := l.Commit(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	b := table.Marks{Log: logB, Next: []uint64{0, 0}}
	if err := l.TakeOver(t.Context(), stale, b); !errors.Is(err, ErrConflict) {
		t.Errorf("takeover from cursors of before a commit: %v, want ErrConflict", err)
	}
	// A commit of marks alone makes no snapshot: the pin has to see it all the same.
	_, stale, err = l.LoadCursors(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Commit(t.Context(), &table.Commit{Expect: c.Marks, Marks: next(c.Marks)}); err != nil {
		t.Fatal(err)
	}
	if err := l.TakeOver(t.Context(), stale, b); !errors.Is(err, ErrConflict) {
		t.Errorf("takeover from marks of before a commit: %v, want ErrConflict", err)
	}
	takeOver(t, l, logB)
	if err := l.Commit(t.Context(), fullCommit(next(c.Marks))); !errors.Is(err, ErrForeign) {
		t.Errorf("the old log commits: %v, want ErrForeign", err)
	}
	if err := l.Commit(t.Context(), fullCommit(b)); err != nil {
		t.Errorf("the new log commits: %v", err)
	}
}

// TestForeignInTheMiddle: another process takes over between the first look at the marks and the swap.
func TestForeignInTheMiddle(t *testing.T) {
	dir := t.TempDir()
	var other *Lake
	l := openLake(t, dir, func(name string) error {
		if name != "files readings" {
			return nil
		}
		_, pin, err := other.LoadCursors(t.Context())
		if err != nil {
			return err
		}
		return other.TakeOver(t.Context(), pin, table.Marks{Log: logB, Next: []uint64{0, 0}})
	})
	// A second writer that came past the lock, as from another machine.
	other = &Lake{cfg: Config{Dir: l.cfg.Dir, Partitions: 2, Logger: slog.New(slog.DiscardHandler)}, meters: newMeters(nil), keep: keepSnapshots}
	if err := other.open(t.Context()); err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	m := takeOver(t, l, logA)
	if err := l.Commit(t.Context(), fullCommit(m)); !errors.Is(err, ErrForeign) {
		t.Errorf("%v, want ErrForeign", err)
	}
	for name, n := range rowCounts(t, l) {
		if n != 0 {
			t.Errorf("%s has %d rows", name, n)
		}
	}
}

func TestLoadCursors(t *testing.T) {
	l := openLake(t, t.TempDir(), nil)
	m := takeOver(t, l, logA)
	first := &table.Commit{Expect: m, Marks: next(m), Cursors: []table.Cursor{cursorOf("open", 1, 5), cursorOf("moved", 1, 5), cursorOf("done", 1, 5)}}
	if err := l.Commit(t.Context(), first); err != nil {
		t.Fatal(err)
	}
	moved, done, holes := cursorOf("moved", 2, 9), cursorOf("done", 2, 6), cursorOf("holes", 1, 3)
	done.Ended, done.HasFinal, done.FinalSeq = true, true, 6
	holes.Ended, holes.HasFinal, holes.FinalSeq = true, true, 6
	holes.Closed.Add(4, 5)
	holes.Recent = []table.BatchMark{{First: 1, Count: 2, CRC: 0xffffffff}}
	if err := l.Commit(t.Context(), &table.Commit{Expect: first.Marks, Marks: next(first.Marks), Cursors: []table.Cursor{moved, done, holes}}); err != nil {
		t.Fatal(err)
	}
	cursors, _, err := l.LoadCursors(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, c := range cursors {
		got = append(got, c.Device)
	}
	if !slices.Equal(got, []string{"holes", "moved", "open"}) {
		t.Fatalf("loaded %q", got)
	}
	if c := cursors[0]; c.Closed.Mark() != 3 || !c.Closed.Has(4) || c.Closed.Has(3) || !slices.Equal(c.Recent, holes.Recent) {
		t.Errorf("holes: %+v", c)
	}
	if c := cursors[1]; c.Version != 2 || c.Closed.Mark() != 9 {
		t.Errorf("moved: %+v", c)
	}
	if c, ok, err := l.Cursor(t.Context(), "done", 7); err != nil || !ok || !c.Ended || c.Version != 2 {
		t.Errorf("done: %+v %v %v", c, ok, err)
	}
}

// TestRegap: presumed rows of the named keys go, whatever file they are in; all others stay.
func TestRegap(t *testing.T) {
	l := openLake(t, t.TempDir(), nil)
	m := takeOver(t, l, logA)
	sealed := gap("a", 7, 100, false)
	open := gap("a", 7, 200, true)
	open.To, open.Count, open.CountMax, open.Series, open.TimeFrom = 0, 0, 50, nil, day0
	commits := []*table.Commit{
		{Gaps: []table.GapRow{sealed, open, gap("a", 8, 1, true), gap("b", 7, 1, true)}},
		{Gaps: []table.GapRow{gap("a", 7, 300, true)}},
		{Gaps: []table.GapRow{gap("c", 7, 1, true)}},
		{Regap: []table.Key{{Device: "a", Epoch: 7}, {Device: "c", Epoch: 7}, {Device: "none", Epoch: 1}}, Gaps: []table.GapRow{gap("a", 7, 301, true)}},
	}
	for _, c := range commits {
		c.Expect, c.Marks = m, next(m)
		if err := l.Commit(t.Context(), c); err != nil {
			t.Fatal(err)
		}
		m = c.Marks
	}
	type row struct {
		device   string
		epoch    record.Epoch
		from, to uint64
		presumed bool
	}
	want := map[row]int{{"a", 7, 100, 105, false}: 1, {"a", 8, 1, 6, true}: 1, {"b", 7, 1, 6, true}: 1, {"a", 7, 301, 306, true}: 1}
	got := make(map[row]int)
	for _, g := range loadGaps(t, l) {
		got[row{g.Device, g.Epoch, g.From, g.To, g.Presumed}]++
	}
	if !maps.Equal(got, want) {
		t.Errorf("gaps %v, want %v", got, want)
	}
	// All that is presumed, and nothing comes instead.
	last := &table.Commit{Expect: m, Marks: next(m), Regap: []table.Key{{Device: "a", Epoch: 7}, {Device: "a", Epoch: 8}, {Device: "b", Epoch: 7}}}
	if err := l.Commit(t.Context(), last); err != nil {
		t.Fatal(err)
	}
	if rows := loadGaps(t, l); len(rows) != 1 || rows[0].Presumed {
		t.Errorf("gaps at the end: %+v", rows)
	}
}
