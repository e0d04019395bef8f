package app

import (
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/headwater-iot/headwater/shared/need"
	"github.com/headwater-iot/headwater/shared/service"
	"github.com/headwater-iot/headwater/shared/volatile"
)

// manager is a service manager that listens.
func manager(t *testing.T) *net.UnixConn {
	t.Helper()
	path := filepath.Join(t.TempDir(), "notify")
	l, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	t.Setenv("NOTIFY_SOCKET", path)
	t.Setenv("WATCHDOG_USEC", "200000")
	return l
}

// told waits for a message with a text, and returns it.
func told(t *testing.T, l *net.UnixConn, text string) string {
	t.Helper()
	for buf := make([]byte, 4096); ; {
		n, err := l.Read(buf)
		if err != nil {
			t.Fatal(err)
		}
		if got := string(buf[:n]); strings.Contains(got, text) {
			return got
		}
	}
}

// waiting returns what has been said already.
func waiting(t *testing.T, l *net.UnixConn) (all string) {
	t.Helper()
	raw, err := l.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	for buf := make([]byte, 4096); err == nil; {
		var n int
		_ = raw.Read(func(fd uintptr) bool {
			n, _, err = unix.Recvfrom(int(fd), buf, unix.MSG_DONTWAIT)
			return true
		})
		all += string(buf[:max(n, 0)])
	}
	return all
}

// TestHungFlashStopsTheFeed: an fsync that does not return ends the feed after its grace, with the sampler and everything else going on.
func TestHungFlashStopsTheFeed(t *testing.T) {
	l := manager(t)
	s := simulated(t)
	dir, freeze, thaw := need.Freezer(t)
	s.Data, s.Outbox.FlushInterval = filepath.Join(dir, "data"), 100*time.Millisecond
	a, j, ended, stop := start(t, s, func(a *App) {
		a.service = service.New(service.Config{Grace: 2 * time.Second, Status: a.sentence, Logger: a.log, Health: a.health})
	})
	if got := told(t, l, "READY=1"); !strings.Contains(got, "STATUS=") {
		t.Errorf("no status with %q", got)
	}
	told(t, l, "WATCHDOG=1")
	counted(t, a, "headwater_outbox_flash_writes_total", 1)
	freeze()
	j.await(t, "code=stage-hung", ended)
	waiting(t, l) // what was said before
	// It samples on, for several looks of the watchdog.
	rows, tick := a.meter.Counter("headwater_sampler_rows_total", ""), time.NewTicker(5*time.Millisecond)
	defer tick.Stop()
	for enough := rows.Value() + 20; rows.Value() < enough && t.Context().Err() == nil; {
		<-tick.C
	}
	if got := waiting(t, l); strings.Contains(got, "WATCHDOG=1") {
		t.Errorf("fed while the flash hangs: %q", got)
	}
	thaw()
	told(t, l, "WATCHDOG=1")
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	told(t, l, "STOPPING=1")
}

func TestDataInMemoryIsSaid(t *testing.T) {
	s := simulated(t)
	s.Data = filepath.Join(s.RunDir, "data") // on tmpfs
	if !volatile.Tmpfs(volatile.Existing(s.Data)) {
		t.Skip("no tmpfs at /dev/shm")
	}
	a, j, ended, stop := start(t, s)
	j.await(t, "agent started", ended)
	if up := a.health.Snapshot(); len(up) == 0 || up[0].Code != "data-in-memory" {
		t.Errorf("health says %+v", up)
	}
	if !strings.Contains(j.String(), "WARNING: the data directory") {
		t.Errorf("the log says nothing:\n%s", j)
	}
	if err := stop(); err != nil {
		t.Fatal(err)
	}
}
