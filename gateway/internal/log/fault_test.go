package log

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io/fs"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/headwater-iot/headwater/shared/durable"
)

// TestFailedSyncLeavesNothingInDoubt reopens after a failed fsync without a restart of the machine. The kernel marks
// the pages it could not write as clean: they can be read, and a later fsync succeeds without writing them. What was
// not acknowledged must therefore be gone, or the next start would call it stored.
func TestFailedSyncLeavesNothingInDoubt(t *testing.T) {
	dir, broken := t.TempDir(), false
	l := open(t, dir, func(c *Config) {
		c.Disk.Step = func(step, _ string) error {
			if broken && step == durable.StepSync {
				return unix.EIO
			}
			return nil
		}
	})
	want := []Entry{add(t, l, 0, "synced")}
	broken = true
	if _, err := l.Append(t.Context(), Record{Kind: Batch, Client: "dev", Payload: []byte("in doubt")}); !errors.Is(err, ErrFailed) {
		t.Fatalf("append over a failed fsync: %v", err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	again := open(t, dir)
	equal(t, readAll(t, again, make([]uint64, partitions), 1), want)
	if next := again.Next(); next[0] != 1 {
		t.Errorf("the next offset is %d, want 1", next[0])
	}
}

// TestWatchEndsWithTheLog: a full disk gets better by itself, a failed write does not.
func TestWatchEndsWithTheLog(t *testing.T) {
	var broken error
	l := open(t, t.TempDir(), func(c *Config) {
		c.Disk.Step = func(step, _ string) error {
			if step == stepAppend {
				return broken
			}
			return nil
		}
	})
	over, cancel := context.WithCancel(t.Context())
	cancel()
	for _, cause := range []error{nil, unix.ENOSPC} {
		broken = cause
		if _, err := l.Append(t.Context(), Record{Kind: Batch, Client: "dev"}); !errors.Is(err, cause) {
			t.Fatalf("append over %v: %v", cause, err)
		}
		if err := l.Watch(over); err != nil {
			t.Errorf("after %v, watch returned %v", cause, err)
		}
	}
	watched := make(chan error, 1)
	go func() { watched <- l.Watch(t.Context()) }()
	broken = unix.EIO
	if _, err := l.Append(t.Context(), Record{Kind: Batch, Client: "dev"}); !errors.Is(err, ErrFailed) {
		t.Fatalf("append over a failed write: %v", err)
	}
	if err := <-watched; !errors.Is(err, ErrFailed) || !errors.Is(err, unix.EIO) {
		t.Errorf("watch returned %v", err)
	}
}

// TestTrimKeepsTheStartCounter fills the disk between a new segment and its first record, trims, and starts again.
func TestTrimKeepsTheStartCounter(t *testing.T) {
	dir, full := t.TempDir(), false
	cfg := func(c *Config) {
		c.SegmentBytes = 200
		c.Disk.Step = func(step, path string) error {
			if full && step == stepAppend && !strings.HasSuffix(path, "0.hwl") {
				return unix.ENOSPC
			}
			return nil
		}
	}
	for range 3 {
		open(t, dir, cfg).Close()
	}
	l := open(t, dir, cfg)
	start := l.Start()
	last := add(t, l, 0, strings.Repeat("x", 200))
	full = true
	if _, err := l.Append(t.Context(), Record{Kind: Batch, Client: "dev", Payload: []byte("x")}); !errors.Is(err, ErrFull) {
		t.Fatalf("append on a full disk: %v", err)
	}
	if err := l.Trim(l.Next()); err != nil {
		t.Fatal(err)
	}
	l.Close()
	full = false
	again := open(t, dir, cfg, func(c *Config) { c.Now = nil })
	if again.Start() != start+1 {
		t.Errorf("start %d after %d: acks would be taken for old ones", again.Start(), start)
	}
	if e := add(t, again, 0, "next"); e.Received <= last.Received || e.Offset != last.Offset+1 {
		t.Errorf("%+v follows %+v", e, last)
	}
}

// TestUnknownKindIsGivenAsItIs writes what a newer binary may write: landing has to see it, and stop by its name.
func TestUnknownKindIsGivenAsItIs(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir)
	l.Close()
	payload := []byte{200, 1, 2} // no client of 200 bytes
	b := []byte{20 + 3, 0, 0, 0, 0, 0, 0, 0, 77, flagLeads, 1, 0}
	b = append(b, 0, 0, 0, 0, 0, 0, 0, 0)
	b = binary.LittleEndian.AppendUint64(b, 1<<60)
	b = append(b, payload...)
	binary.LittleEndian.PutUint32(b[4:], recordSum(b))
	f, err := os.OpenFile(l.path(0), os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Write(b); err != nil {
		t.Fatal(err)
	}
	f.Close()
	again := open(t, dir)
	if next := again.Next(); next[1] != 1 {
		t.Fatalf("the record was taken for damage: next offsets %v", next)
	}
	if e := readAll(t, again, make([]uint64, partitions), 1)[0]; e.Kind != 77 || e.Partition != 1 || e.Client != "" || !bytes.Equal(e.Payload, payload) {
		t.Errorf("read %+v", e)
	}
}

// TestFirstIsWhereTheLogBegins reads a log whose early records have been trimmed, without marks.
func TestFirstIsWhereTheLogBegins(t *testing.T) {
	l := open(t, t.TempDir(), small)
	var all []Entry
	for range 12 {
		all = append(all, add(t, l, 0, strings.Repeat("x", 500)))
	}
	if err := l.Trim([]uint64{9, 0, 0}); err != nil {
		t.Fatal(err)
	}
	first := l.First()
	if first[0] == 0 || first[0] > 9 {
		t.Fatalf("trimmed below 9, the log begins at %d", first[0])
	}
	equal(t, readAll(t, l, first, len(all)-int(first[0])), all[first[0]:])
	first[0]--
	if _, err := l.Reader(first); !errors.Is(err, ErrTrimmed) {
		t.Errorf("reading below the first: %v", err)
	}
	if _, err := l.Reader([]uint64{13, 0, 0}); !errors.Is(err, ErrAhead) {
		t.Errorf("reading beyond the last: %v", err)
	}
}

// TestTrimUnderAReader takes segments away that a reader has yet to come to: it is told, not given what comes behind.
func TestTrimUnderAReader(t *testing.T) {
	l := open(t, t.TempDir(), small)
	for range 12 {
		add(t, l, 0, strings.Repeat("x", 500))
	}
	r, err := l.Reader(l.First())
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if err := l.Trim(l.Next()); err != nil {
		t.Fatal(err)
	}
	if e, err := r.Next(t.Context()); !errors.Is(err, ErrTrimmed) {
		t.Errorf("read %+v, %v", e, err)
	}
}

// TestLargeGroupsAreSplit bounds the memory of the writer, however many wait.
func TestLargeGroupsAreSplit(t *testing.T) {
	w := make([]*waiting, 100)
	for i := range w {
		w[i] = &waiting{entry: Entry{Payload: make([]byte, 200<<10)}}
	}
	seen := 0
	for rest := w; len(rest) > 0; {
		var group []*waiting
		group, rest = split(rest)
		size := 0
		for _, g := range group {
			size += len(g.entry.Payload)
		}
		if len(group) == 0 || size > maxGroup+maxLength {
			t.Fatalf("a group of %d appends, %d bytes", len(group), size)
		}
		seen += len(group)
	}
	if seen != len(w) {
		t.Errorf("%d appends of %d", seen, len(w))
	}
}

// TestSecondOpenIsRefused: two writers would overwrite each other's records.
func TestSecondOpenIsRefused(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir)
	if _, err := tryOpen(dir); !errors.Is(err, durable.ErrLocked) {
		t.Errorf("opened twice: %v", err)
	}
	l.Close()
	open(t, dir)
}

// TestReserveIsLeftFree refuses before the disk is full, so that what frees space has room to work.
func TestReserveIsLeftFree(t *testing.T) {
	percent := uint64(50)
	l := open(t, t.TempDir(), func(c *Config) {
		c.ReservePercent = 10
		c.space = func(string) (free, total uint64, err error) { return percent, 100, nil }
	})
	add(t, l, 0, "there is room")
	percent = 9
	if _, err := l.Append(t.Context(), Record{Kind: Batch, Client: "dev"}); !errors.Is(err, ErrFull) {
		t.Errorf("append into the reserve: %v", err)
	}
	percent = 10
	add(t, l, 0, "there is room again")
}

// TestNewSegmentInDoubtIsFinal fills the disk when the name of a new segment is there and not synced: records behind
// the old tail would contradict its header after a crash.
func TestNewSegmentInDoubtIsFinal(t *testing.T) {
	for step, want := range map[string]error{durable.StepCreate: ErrFull, durable.StepWrite: ErrFull, durable.StepRename: ErrFull, durable.StepSyncDir: ErrFailed} {
		dir, full := t.TempDir(), false
		l := open(t, dir, func(c *Config) {
			c.SegmentBytes = 200
			c.Disk.Step = func(s, _ string) error {
				if full && s == step {
					return unix.ENOSPC
				}
				return nil
			}
		})
		kept := []Entry{add(t, l, 0, strings.Repeat("x", 200))}
		full = true
		if _, err := l.Append(t.Context(), Record{Kind: Batch, Client: "dev"}); !errors.Is(err, want) {
			t.Errorf("no space at %s: %v, want %v", step, err, want)
		}
		full = false
		if want == ErrFull {
			kept = append(kept, add(t, l, 0, "goes on"))
		}
		l.Close()
		equal(t, readAll(t, open(t, dir), make([]uint64, partitions), len(kept)), kept)
		if _, err := os.Stat(l.path(1) + ".tmp"); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("no space at %s leaves a temporary file: %v", step, err)
		}
	}
}

// TestReaderKeepsWhatIsTrimmedUnderIt trims a segment that a reader is in the middle of: nothing is skipped.
func TestReaderKeepsWhatIsTrimmedUnderIt(t *testing.T) {
	l := open(t, t.TempDir(), func(c *Config) { c.SegmentBytes = readChunk + 1 })
	var all []Entry
	for range 12 { // two segments, the first of them two chunks
		all = append(all, add(t, l, 0, strings.Repeat("x", maxLength/2)))
	}
	r, err := l.Reader(make([]uint64, partitions))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var got []Entry
	for range all {
		e, err := r.Next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, e)
		if err := l.Trim(l.Next()); err != nil {
			t.Fatal(err)
		}
	}
	if l.First()[0] == 0 {
		t.Fatal("nothing was trimmed")
	}
	equal(t, got, all)
}
