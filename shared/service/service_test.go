package service

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/headwater-iot/headwater/shared/health"
)

// inbox is a real notification socket. It is read without waiting, so that it can be used in a bubble.
type inbox int

func listen(t *testing.T) inbox {
	t.Helper()
	path := filepath.Join(t.TempDir(), "notify")
	fd, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_DGRAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Close(fd) })
	if err := errors.Join(syscall.Bind(fd, &syscall.SockaddrUnix{Name: path}), syscall.SetNonblock(fd, true)); err != nil {
		t.Fatal(err)
	}
	t.Setenv("NOTIFY_SOCKET", path)
	return inbox(fd)
}

// lines returns the lines that have come since the last call.
func (in inbox) lines() []string {
	var all []string
	for buf := make([]byte, 4096); ; {
		n, _, err := syscall.Recvfrom(int(in), buf, 0)
		if err != nil {
			return all
		}
		all = append(all, strings.Split(string(buf[:n]), "\n")...)
	}
}

func (in inbox) fed() bool { return slices.Contains(in.lines(), "WATCHDOG=1") }

// pass lets time pass, and what is due at its end happen; in a bubble.
func pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// bench is a manager whose stages run in a bubble.
func bench(t *testing.T, status func() string) (*Manager, *health.Board) {
	board := health.New()
	m := New(Config{Status: status, Logger: slog.New(slog.DiscardHandler), Health: board})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 2)
	go func() { ended <- m.Watch(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return m, board
}

// serve runs the last stage; the function it returns ends it.
func serve(t *testing.T, m *Manager) (stop func()) {
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- m.Serve(ctx) }()
	synctest.Wait()
	return func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
}

func TestTellsTheServiceManager(t *testing.T) {
	in := listen(t)
	synctest.Test(t, func(t *testing.T) {
		m, _ := bench(t, func() string { return "carries 3\nbatches" })
		synctest.Wait()
		if got := in.lines(); slices.Contains(got, "READY=1") {
			t.Errorf("ready before the stages are up: %q", got)
		}
		stop := serve(t, m)
		if got := in.lines(); !slices.Contains(got, "READY=1") || !slices.Contains(got, "STATUS=carries 3 batches") {
			t.Errorf("when the stages are up it says %q", got)
		}
		pass(2 * lookEvery)
		if got := in.lines(); slices.Contains(got, "WATCHDOG=1") {
			t.Errorf("a watchdog was fed that nobody set: %q", got)
		}
		stop()
		if got := in.lines(); !slices.Contains(got, "STOPPING=1") {
			t.Errorf("when it stops it says %q", got)
		}
	})
}

func TestFeedStopsWhenAStageHangs(t *testing.T) {
	in := listen(t)
	t.Setenv("WATCHDOG_USEC", "60000000")
	t.Setenv("WATCHDOG_PID", strconv.Itoa(os.Getpid()))
	synctest.Test(t, func(t *testing.T) {
		m, board := bench(t, func() string { return "works" })
		idle, busy := m.Pulse("idle"), m.Pulse("busy")
		defer serve(t, m)()
		in.lines()
		// An idle stage and one that is due in an hour are healthy.
		idle.Rest()
		busy.Due(time.Hour)
		for range 4 {
			if pass(15 * time.Second); !in.fed() {
				t.Fatal("not fed while all stages go on")
			}
		}
		// It hangs: the feed ends when the grace is over.
		busy.Due(0)
		pass(Grace - time.Second)
		if !in.fed() || len(board.Snapshot()) > 0 {
			t.Error("not fed within the grace")
		}
		pass(16 * time.Second)
		in.lines()
		var got []string
		for range 40 { // the socket holds a few messages only
			pass(15 * time.Second)
			got = append(got, in.lines()...)
		}
		if slices.Contains(got, "WATCHDOG=1") || !slices.Contains(got, "STATUS=works") {
			t.Errorf("a hung stage, and it says %q", got)
		}
		if up := board.Snapshot(); len(up) != 1 || !strings.Contains(up[0].Detail, "busy") || strings.Contains(up[0].Detail, "idle") {
			t.Errorf("health says %+v", up)
		}
		busy.Rest()
		if pass(15 * time.Second); !in.fed() || len(board.Snapshot()) > 0 {
			t.Error("not fed when the stage goes on again")
		}
	})
}

func TestLongStartIsGivenTime(t *testing.T) {
	in := listen(t)
	synctest.Test(t, func(t *testing.T) {
		m, _ := bench(t, nil)
		replay := m.Pulse("replay")
		replay.Due(0)
		extended := func() bool {
			return slices.Contains(in.lines(), "EXTEND_TIMEOUT_USEC=70000000")
		}
		if synctest.Wait(); !extended() {
			t.Error("a start that goes on is not given time")
		}
		pass(Grace + 2*lookEvery)
		in.lines()
		if pass(2 * lookEvery); extended() {
			t.Error("a start that hangs is given time")
		}
	})
}

func TestWithoutAManager(t *testing.T) {
	t.Setenv("NOTIFY_SOCKET", "")
	synctest.Test(t, func(t *testing.T) {
		m, board := bench(t, nil)
		m.Pulse("outbox").Due(0)
		defer serve(t, m)()
		if pass(2 * Grace); len(board.Snapshot()) != 1 {
			t.Errorf("health says %+v", board.Snapshot())
		}
	})
	var none *Manager
	p := none.Pulse("a test")
	p.Due(time.Second)
	p.Rest()
}

func TestManagerThatIsGone(t *testing.T) {
	t.Setenv("NOTIFY_SOCKET", filepath.Join(t.TempDir(), "gone"))
	if err := Notify("READY=1"); err == nil {
		t.Error("a manager that is not there was told")
	}
}

// TestOthersWatchdog: a child inherits the variables of its parent's service, and is not meant.
func TestOthersWatchdog(t *testing.T) {
	t.Setenv("WATCHDOG_USEC", "1000000")
	for pid, want := range map[string]time.Duration{"": time.Second, "1": 0, strconv.Itoa(os.Getpid()): time.Second} {
		t.Setenv("WATCHDOG_PID", pid)
		if got := watchdog(); got != want {
			t.Errorf("WATCHDOG_PID=%q: %s, want %s", pid, got, want)
		}
	}
}
