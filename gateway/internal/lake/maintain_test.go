package lake

import (
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	icetable "github.com/apache/iceberg-go/table"

	"github.com/headwater-iot/headwater/gateway/internal/lake/fileio"
	"github.com/headwater-iot/headwater/gateway/internal/lake/schema"
	"github.com/headwater-iot/headwater/gateway/internal/table"
)

// clock is a clock that tests move.
type clock struct{ now time.Time }

// openTimed opens a lake with a clock of its own.
func openTimed(tb testing.TB, dir string) (*Lake, *clock) {
	tb.Helper()
	c := &clock{now: time.Unix(1_760_000_000, 0)}
	l, err := Open(tb.Context(), Config{
		Dir: dir, Logger: slog.New(slog.DiscardHandler), Partitions: 2, Now: func() time.Time { return c.now },
	})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { l.Close() })
	return l, c
}

// onDisk returns the files of the warehouse.
func onDisk(tb testing.TB, l *Lake) map[string]bool {
	tb.Helper()
	files := make(map[string]bool)
	err := filepath.WalkDir(filepath.Join(l.cfg.Dir, warehouseDir), func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			files[path] = true
		}
		return err
	})
	if err != nil {
		tb.Fatal(err)
	}
	return files
}

// reachable returns the files that the metadata of all tables names, found the slow way.
func reachable(tb testing.TB, l *Lake) map[string]bool {
	tb.Helper()
	files := make(map[string]bool)
	add := func(location string) {
		path, err := fileio.Path(location)
		if err != nil {
			tb.Fatal(err)
		}
		files[path] = true
	}
	var local fileio.Local
	for _, s := range schema.All() {
		t, err := l.load(tb.Context(), s.Name)
		if err != nil {
			tb.Fatal(err)
		}
		add(t.MetadataLocation())
		for e := range t.Metadata().PreviousFiles() {
			add(e.MetadataFile)
		}
		for _, snap := range t.Metadata().Snapshots() {
			add(snap.ManifestList)
			list, err := snap.Manifests(local)
			if err != nil {
				tb.Fatal(err)
			}
			for _, m := range list {
				add(m.FilePath())
				for e, err := range m.Entries(local, true) {
					if err != nil {
						tb.Fatal(err)
					}
					add(e.DataFile().FilePath())
				}
			}
		}
	}
	return files
}

// churn makes commits that touch every table; gaps are replaced each time.
func churn(tb testing.TB, l *Lake, m table.Marks, n int) table.Marks {
	tb.Helper()
	for range n {
		c := fullCommit(m)
		c.Contracts = nil // they change once in a long while
		c.Regap = []table.Key{{Device: "dev-1", Epoch: 7}}
		if err := l.Commit(tb.Context(), c); err != nil {
			tb.Fatal(err)
		}
		m = c.Marks
	}
	return m
}

// TestMaintain: snapshots go, files stay for an hour and then go; every file that is named is there, and every file
// that is there is named by a table or by the list.
func TestMaintain(t *testing.T) {
	l, clock := openTimed(t, t.TempDir())
	_, pin, err := l.LoadCursors(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	m := table.Marks{Log: logA, Next: []uint64{0, 0}}
	if err := l.TakeOver(t.Context(), pin, m); err != nil {
		t.Fatal(err)
	}
	l.keep = 20
	m = churn(t, l, m, 60) // beyond the 50 manifests at which they are merged
	before := onDisk(t, l)
	if err := l.Maintain(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, name := range schema.Primary() {
		tbl, err := l.load(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		if n := len(tbl.Metadata().Snapshots()); n > l.keep+1 {
			t.Errorf("%s has %d snapshots", name, n)
		}
	}
	for path := range before {
		if _, err := os.Stat(path); err != nil {
			t.Errorf("at once: %v", err)
		}
	}
	// Everything that is there is accounted for.
	doomed, err := l.cat.Doomed(t.Context(), clock.now, 1e6)
	if err != nil {
		t.Fatal(err)
	}
	named := reachable(t, l)
	for _, location := range doomed {
		path, err := fileio.Path(location)
		if err != nil {
			t.Fatal(err)
		}
		if named[path] {
			t.Errorf("on the list and still named: %s", path)
		}
		named[path] = true
	}
	for path := range onDisk(t, l) {
		if !named[path] {
			t.Errorf("nobody knows %s", path)
		}
	}
	// A file of an attempt that nobody knows the end of.
	orphan := filepath.Join(l.cfg.Dir, warehouseDir, table.Namespace, table.Readings, "data", "orphan.parquet")
	if err := os.WriteFile(orphan, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	clock.now = clock.now.Add(graceTime + time.Second)
	if err := l.Maintain(t.Context()); err != nil {
		t.Fatal(err)
	}
	after := onDisk(t, l)
	for path := range reachable(t, l) {
		if !after[path] {
			t.Errorf("named and gone: %s", path)
		}
	}
	if gone := len(before) - len(after); gone < len(doomed)/2 || !after[orphan] {
		t.Errorf("%d files of %d are gone, %d were on the list; orphan is there: %v", gone, len(before), len(doomed), after[orphan])
	}
	// The tables say what they said.
	want := map[string]int64{table.Readings: 120, table.Quarantine: 60, table.Gaps: 61}
	for name, n := range want {
		if got := rowCount(t, l, name); got != n {
			t.Errorf("%s has %d rows, want %d", name, got, n)
		}
	}
	if c, ok, err := l.Cursor(t.Context(), "dev-1", 7); err != nil || !ok || c.Version != 60 {
		t.Errorf("cursor %+v %v %v", c, ok, err)
	}
	if n := rowCount(t, l, table.Cursors); n > 40 {
		t.Errorf("cursors has %d rows after merging", n)
	}
	churn(t, l, m, 1)
}

// TestTagKeepsFiles: what a tag names is not put on the list.
func TestTagKeepsFiles(t *testing.T) {
	l, clock := openTimed(t, t.TempDir())
	_, pin, err := l.LoadCursors(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	m := table.Marks{Log: logA, Next: []uint64{0, 0}}
	if err := l.TakeOver(t.Context(), pin, m); err != nil {
		t.Fatal(err)
	}
	l.keep = 5
	m = churn(t, l, m, 2)
	tagged := tag(t, l, table.Gaps)
	churn(t, l, m, l.keep+extraSnapshots+5)
	if err := l.Maintain(t.Context()); err != nil {
		t.Fatal(err)
	}
	clock.now = clock.now.Add(2 * graceTime)
	if err := l.Maintain(t.Context()); err != nil {
		t.Fatal(err)
	}
	files := onDisk(t, l)
	for path := range reachable(t, l) {
		if !files[path] {
			t.Errorf("named and gone: %s", path)
		}
	}
	r := openReader(t, l.cfg.Dir)
	if got := text(t, r, ScanRequest{Table: table.Gaps, Columns: []string{"device"}, Snapshot: tagged}, "csv"); strings.Count(got, "dev-") != 3 {
		t.Errorf("the tagged snapshot says %q", got)
	}
}

// BenchmarkCommit measures a commit of all tables, 1,000 readings, after so many others with maintenance between.
func BenchmarkCommit(b *testing.B) {
	for _, history := range []int{0, 300} {
		b.Run(fmt.Sprintf("history=%d", history), func(b *testing.B) {
			l, _ := openTimed(b, b.TempDir())
			_, pin, err := l.LoadCursors(b.Context())
			if err != nil {
				b.Fatal(err)
			}
			m := table.Marks{Log: logA, Next: []uint64{0, 0}}
			if err := l.TakeOver(b.Context(), pin, m); err != nil {
				b.Fatal(err)
			}
			for i := range history {
				m = churn(b, l, m, 1)
				if i%60 == 59 {
					if err := l.Maintain(b.Context()); err != nil {
						b.Fatal(err)
					}
				}
			}
			values := make([]float64, 1000)
			for b.Loop() {
				c := fullCommit(m)
				c.Readings = []table.Run{floats("dev-1", "temp", m.Next[1]*1000, values...)}
				if err := l.Commit(b.Context(), c); err != nil {
					b.Fatal(err)
				}
				m = c.Marks
			}
		})
	}
}

// tag gives the current snapshot of a table a name.
func tag(t *testing.T, l *Lake, name string) int64 {
	t.Helper()
	tbl, err := l.load(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	id := tbl.CurrentSnapshot().SnapshotID
	update := icetable.NewSetSnapshotRefUpdate("audit", id, icetable.TagRef, 0, 0, 0)
	if _, _, err := l.cat.CommitTable(t.Context(), tbl.Identifier(), nil, []icetable.Update{update}); err != nil {
		t.Fatal(err)
	}
	return id
}
