package lake

import (
	"errors"
	"flag"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/iceberg-go"
	"github.com/google/go-cmp/cmp"

	"github.com/headwater-iot/headwater/gateway/internal/lake/rowfile"
	"github.com/headwater-iot/headwater/gateway/internal/table"
	"github.com/headwater-iot/headwater/shared/record"
	"github.com/headwater-iot/headwater/shared/seqset"
	"github.com/headwater-iot/headwater/shared/wire"
)

var update = flag.Bool("update", false, "write the golden files")

// day0 is the start of all tests, us.
const day0 = int64(1_760_000_000_000_000)

var (
	logA = wire.ID{0xa}
	logB = wire.ID{0xb}
)

func openLake(t *testing.T, dir string, step func(string) error) *Lake {
	t.Helper()
	l, err := Open(t.Context(), Config{Dir: dir, Logger: slog.New(slog.DiscardHandler), Partitions: 2, Step: step})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return l
}

// takeOver makes log the owner with marks at zero.
func takeOver(t *testing.T, l *Lake, log wire.ID) table.Marks {
	t.Helper()
	_, pin, err := l.LoadCursors(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	m := table.Marks{Log: log, Next: []uint64{0, 0}}
	if err := l.TakeOver(t.Context(), pin, m); err != nil {
		t.Fatal(err)
	}
	return m
}

// floats returns a run of one second steps.
func floats(device, series string, first uint64, values ...float64) table.Run {
	r := table.Run{
		Device: device, Series: series, Unit: "Cel", Epoch: 7, Boot: 9, Received: day0 + 5_000_000,
		Stamp: table.Stamp{ClockOffset: 1000, ClockError: table.Unknown, Anchor: 3}, Kind: record.Float, Floats: values,
	}
	for i := range values {
		r.EventTime = append(r.EventTime, day0+int64(first+uint64(i))*1_000_000)
		r.Seq = append(r.Seq, first+uint64(i))
	}
	return r
}

func cursorOf(device string, version, landed uint64) table.Cursor {
	return table.Cursor{
		Device: device, Epoch: 7, Version: version, Closed: seqset.Of(seqset.Range{From: 0, To: landed}), Boot: 9,
		Promise: table.Unknown, ClockOffset: table.Unknown, Accepted: landed, Landed: landed,
		Origin: table.Origin{Log: logA, Partition: 1, Offset: version}, Committed: day0,
	}
}

// sameSets compares sets by what they hold.
func sameSets() cmp.Option { return cmp.Comparer(func(a, b seqset.Set) bool { return a.Equal(&b) }) }

// next returns marks with the second partition one further.
func next(m table.Marks) table.Marks {
	return table.Marks{Log: m.Log, Next: []uint64{m.Next[0], m.Next[1] + 1}}
}

// fullCommit touches every primary table.
func fullCommit(m table.Marks) *table.Commit {
	origin := table.Origin{Log: logA, Partition: 1, Offset: m.Next[1], Received: day0}
	return &table.Commit{
		Expect: m, Marks: next(m),
		Readings:   []table.Run{floats("dev-1", "temp", m.Next[1]*2, 1.5, 2.5)},
		Quarantine: []table.QuarantineRow{{Device: "dev-1", Epoch: 7, From: 9, To: 11, Count: 2, Bytes: []byte{1, 2}, Reason: "decode", Origin: origin, Fate: "held"}},
		Gaps:       []table.GapRow{gap("dev-1", 7, 20, true), gap("dev-2", 7, 30, false)},
		Cursors:    []table.Cursor{cursorOf("dev-1", m.Next[1]+1, m.Next[1]*2+2), cursorOf("dev-2", m.Next[1]+1, 1)},
		Contracts:  []table.ContractRow{contractRow(m.Next[1] + 1)},
	}
}

func contractRow(revision uint64) table.ContractRow {
	return table.ContractRow{
		Revision: revision, ID: "climate", Version: "1.0.0", Mode: "active", Source: "id: climate\n", Hash: "ab", Subject: "ada",
		Origin: table.Origin{Log: logA, Partition: 1, Offset: revision, Received: day0},
	}
}

func gap(device string, epoch record.Epoch, from uint64, presumed bool) table.GapRow {
	return table.GapRow{
		Device: device, Epoch: epoch, From: from, To: from + 5, Count: 5, TimeFrom: table.Unknown, TimeTo: table.Unknown,
		Series: []string{"temp"}, Reason: "power_cut", Presumed: presumed, Origin: table.Origin{Log: logA, Partition: 1, Received: day0},
	}
}

func rowCount(t *testing.T, l *Lake, name string) int64 {
	t.Helper()
	tbl, err := l.load(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	tasks, err := tbl.Scan().PlanFiles(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	n := int64(0)
	for _, task := range tasks {
		n += task.File.Count()
	}
	return n
}

func TestBirth(t *testing.T) {
	dir := t.TempDir()
	l := openLake(t, dir, nil)
	if _, ok, err := l.Marks(t.Context()); ok || err != nil {
		t.Errorf("marks of a new lake: %v, %v", ok, err)
	}
	id := l.ID()
	if id == (wire.ID{}) {
		t.Error("no lake_id")
	}
	if _, err := Open(t.Context(), Config{Dir: dir, Partitions: 2}); !errors.Is(err, ErrLocked) || !strings.Contains(err.Error(), "process") {
		t.Errorf("second open: %v, want ErrLocked that names the holder", err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), Config{Dir: dir, Partitions: 3}); !errors.Is(err, ErrPartitions) {
		t.Errorf("other partitions: %v, want ErrPartitions", err)
	}
	if again := openLake(t, dir, nil); again.ID() != id {
		t.Error("lake_id changed")
	}
}

func TestCommitLandsOnce(t *testing.T) {
	dir := t.TempDir()
	l := openLake(t, dir, nil)
	m := takeOver(t, l, logA)
	c := fullCommit(m)
	if err := l.Commit(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	if err := l.Commit(t.Context(), c); !errors.Is(err, ErrStale) {
		t.Errorf("the same commit again: %v, want ErrStale", err)
	}
	for name, want := range map[string]int64{table.Readings: 2, table.Quarantine: 1, table.Gaps: 2, table.Contracts: 1, table.Cursors: 2} {
		if got := rowCount(t, l, name); got != want {
			t.Errorf("%s has %d rows, want %d", name, got, want)
		}
	}
	if got, ok, err := l.Marks(t.Context()); !ok || err != nil || !sameMarks(got, c.Marks) {
		t.Errorf("marks %v %v %v, want %v", got, ok, err, c.Marks)
	}
	got, ok, err := l.Cursor(t.Context(), "dev-1", 7)
	if err != nil || !ok {
		t.Fatal(ok, err)
	}
	if diff := cmp.Diff(c.Cursors[0], got, sameSets()); diff != "" {
		t.Errorf("cursor (-want +got):\n%s", diff)
	}
	if _, ok, err := l.Cursor(t.Context(), "dev-1", 8); ok || err != nil {
		t.Errorf("cursor of no epoch: %v %v", ok, err)
	}
	// Marks alone.
	if err := l.Commit(t.Context(), &table.Commit{Expect: c.Marks, Marks: next(c.Marks)}); err != nil {
		t.Fatal(err)
	}
	if err := l.Commit(t.Context(), &table.Commit{Expect: c.Marks, Marks: next(c.Marks)}); !errors.Is(err, ErrStale) {
		t.Errorf("marks alone again: %v, want ErrStale", err)
	}
}

func loadGaps(t *testing.T, l *Lake) []table.GapRow {
	t.Helper()
	tbl, err := l.load(t.Context(), table.Gaps)
	if err != nil {
		t.Fatal(err)
	}
	var rows []table.GapRow
	err = scanTable(t.Context(), tbl, iceberg.AlwaysTrue{}, func(batch arrow.RecordBatch) error {
		more, err := rowfile.ReadGaps(batch)
		rows = append(rows, more...)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

func TestDevices(t *testing.T) {
	l := openLake(t, t.TempDir(), nil)
	for _, want := range [][]table.Device{
		{{Device: "a", Site: "north", Tags: map[string]string{"k": "v", "x": ""}, FirstSeen: day0, LastSeen: day0 + 1, BacklogBytes: 5, ClockError: table.Unknown, Epoch: 7}},
		{{Device: "a", LastSeen: day0, FirstSeen: table.Unknown, ClockError: 8, AtLeastOnce: true}, {Device: "b", LastSeen: day0, FirstSeen: day0, ClockError: 1, Tags: map[string]string{}}},
		nil,
	} {
		if err := l.ReplaceDevices(t.Context(), want); err != nil {
			t.Fatal(err)
		}
		got, err := l.LoadDevices(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("devices (-want +got):\n%s", diff)
		}
	}
}

// sortedLines puts the lines of a text in order: rows come in the order of files.
func sortedLines(s string) string {
	lines := strings.Split(strings.TrimRight(s, "\n"), "\n")
	slices.Sort(lines)
	return strings.Join(lines, "\n") + "\n"
}
