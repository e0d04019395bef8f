package lake

import (
	"errors"
	"maps"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/headwater-iot/headwater/gateway/internal/lake/fileio"
	"github.com/headwater-iot/headwater/gateway/internal/table"
	"github.com/headwater-iot/headwater/shared/health"
)

// TestReserveOfTheLake holds that commits leave the reserve alone, that health says what to free, and that expiry may
// use it.
func TestReserveOfTheLake(t *testing.T) {
	l, clock := openTimed(t, t.TempDir())
	l.keep = 5
	board, free := health.New(), uint64(1000)
	l.cfg.ReservePercent, l.cfg.Health = 5, board
	l.space = func(string) (uint64, uint64, error) { return free, 1000, nil }
	m := churn(t, l, takeOver(t, l, logA), l.keep+extraSnapshots+2)
	before := onDisk(t, l)

	free = 20
	if err := l.Commit(t.Context(), fullCommit(m)); !errors.Is(err, ErrFull) || !l.Full() {
		t.Fatalf("commit into the reserve: %v", err)
	}
	if err := l.ReplaceDevices(t.Context(), []table.Device{{Device: "dev"}}); !errors.Is(err, ErrFull) {
		t.Errorf("devices into the reserve: %v", err)
	}
	if after := onDisk(t, l); !maps.Equal(after, before) {
		t.Errorf("%d files before, %d after", len(before), len(after))
	}
	up := board.Snapshot()
	if len(up) != 1 || up[0].Code != "lake-full" || !strings.Contains(up[0].Detail, l.cfg.Dir) || !strings.Contains(up[0].Detail, "free 30 bytes") {
		t.Errorf("health says %+v", up)
	}

	if err := l.Maintain(t.Context()); err != nil {
		t.Fatal(err)
	}
	clock.now = clock.now.Add(2 * graceTime)
	if err := l.Maintain(t.Context()); err != nil {
		t.Fatal(err)
	}
	gone := 0
	for name := range before {
		if !onDisk(t, l)[name] {
			gone++
		}
	}
	if gone == 0 {
		t.Error("expiry freed nothing at the reserve")
	}

	free = 50
	if err := l.Commit(t.Context(), fullCommit(m)); err != nil || l.Full() || len(board.Snapshot()) != 0 {
		t.Errorf("with room again: %v, full %v, health %+v", err, l.Full(), board.Snapshot())
	}
}

// TestCommitThatFindsNoRoom fills the disk at one operation of a commit after the other. Nothing is seen; what was written
// before the transaction began is given back; a commit whose transaction had begun keeps its files; and it lands after.
func TestCommitThatFindsNoRoom(t *testing.T) {
	n, fail := 0, -1
	l, err := Open(t.Context(), Config{Dir: t.TempDir(), Partitions: 2, FS: fileio.Local{Fault: func(op fileio.Op, _ string) error {
		if op == fileio.OpRemove {
			return nil
		}
		if n++; n >= fail && fail > 0 {
			return unix.ENOSPC
		}
		return nil
	}}})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	m := takeOver(t, l, logA)
	given, kept := 0, 0
	for i := 1; ; i += 3 { // every third: there are a hundred
		rows, files := rowCounts(t, l), onDisk(t, l)
		n, fail = 0, i
		err := l.Commit(t.Context(), fullCommit(m))
		fail = -1
		if n < i {
			if err != nil || given < 10 || kept == 0 {
				t.Errorf("%d operations, %d gave their files back, %d kept them, %v", n, given, kept, err)
			}
			return
		}
		if !errors.Is(err, ErrFull) || errors.Is(err, ErrUnknown) || !l.Full() {
			t.Fatalf("operation %d: %v", i, err)
		}
		if got := rowCounts(t, l); !maps.Equal(got, rows) {
			t.Fatalf("operation %d: rows %v, want %v", i, got, rows)
		}
		if after := onDisk(t, l); len(after) == len(files) {
			given++
		} else {
			kept++
		}
	}
}
