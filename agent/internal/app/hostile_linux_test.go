package app

import (
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/headwater-iot/headwater/agent/internal/timebase"
	"github.com/headwater-iot/headwater/shared/record"
)

// TestConnectedAgentWritesOneLine runs the whole agent for some seconds against a gateway that lands all it is
// sent: from its start on nothing goes to flash.
func TestConnectedAgentWritesOneLine(t *testing.T) {
	s := simulated(t)
	s.Outbox.FlushInterval = time.Second // seals twice a second, so that nine tenths of it pass many times
	g := startGateway(t)
	s.Uplink.Broker = "tcp://" + g.addr
	a, j, ended, stop := start(t, s)
	j.await(t, "agent started", ended)
	facts := a.meter.Counter("headwater_outbox_meta_writes_total", "")
	before := facts.Value()
	epoch := a.outbox.Epoch()
	g.run(nil, func() bool { return g.count(epoch) >= 600 }) // four seconds of a row of three each 20 ms
	for name, n := range map[string]uint64{
		"transactions on segments": a.meter.Counter("headwater_outbox_flash_writes_total", "").Value(),
		"bytes":                    a.meter.Counter("headwater_outbox_flash_written_bytes_total", "").Value(),
	} {
		if n != 0 {
			t.Errorf("%d %s", n, name)
		}
	}
	if n := facts.Value() - before; n > 1 {
		t.Errorf("%d transactions on facts, want at most that of the first floor", n)
	}
	if before != 1 {
		t.Errorf("%d transactions at the start, want the one of the epoch's line", before)
	}
	finish(t, g, stop)
}

// finish stops an agent while its gateway answers.
func finish(t *testing.T, g *gateway, stop func() error) {
	t.Helper()
	done := make(chan struct{})
	var err error
	go func() { defer close(done); err = stop() }()
	g.run(done, func() bool { return false })
	if err != nil {
		t.Fatal(err)
	}
}

// TestEveryReadingIsCounted: sampled = accepted + refused, and accepted = landed + held + gaps, at the stop of an
// agent that had a gateway for a part of its life.
func TestEveryReadingIsCounted(t *testing.T) {
	s := simulated(t)
	s.Outbox.FlushInterval = time.Second
	g := startGateway(t)
	s.Uplink.Broker = "tcp://" + g.addr
	a, j, ended, stop := start(t, s)
	j.await(t, "agent started", ended)
	epoch := a.outbox.Epoch()
	g.run(nil, func() bool { return g.count(epoch) >= 100 })
	// From here on the gateway is silent.
	counted(t, a, "headwater_sampler_rows_total", g.count(epoch)/3+50)
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	count := func(name string, labels ...string) uint64 { return a.meter.Counter(name, "", labels...).Value() }
	accepted := count("headwater_outbox_accepted_total")
	if sampled := count("headwater_sampler_readings_total"); sampled != accepted || count("headwater_sampler_dropped_total", "reason", "append") != 0 {
		t.Errorf("sampled %d, accepted %d", sampled, accepted)
	}

	a, j, ended, stop = start(t, s) // what it left is on flash
	j.await(t, "agent started", ended)
	landed := g.seen[epoch]
	for _, e := range a.outbox.Report().Epochs {
		if e.Epoch != epoch {
			continue
		}
		for i := 0; i < len(e.Held); i += 2 {
			landed.Add(e.Held[i], e.Held[i+1])
		}
		if e.Next != accepted {
			t.Errorf("%d seqs given out, %d accepted", e.Next, accepted)
		}
	}
	if landed.Count() != accepted || landed.Mark() != accepted {
		t.Errorf("accepted %d; landed or held %v", accepted, landed.Ranges())
	}
	if err := stop(); err != nil {
		t.Fatal(err)
	}
}

// TestNoSensorsDrainsOnly: an agent whose sensors were taken out still brings what it holds.
func TestNoSensorsDrainsOnly(t *testing.T) {
	s := simulated(t)
	a, j, ended, stop := start(t, s)
	j.await(t, "agent started", ended)
	counted(t, a, "headwater_sampler_rows_total", 20)
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	epoch, left := a.outbox.Epoch(), a.meter.Counter("headwater_sampler_readings_total", "").Value()
	g := startGateway(t)
	s.Sensors, s.Uplink.Broker = nil, "tcp://"+g.addr
	_, j, ended, stop = start(t, s)
	j.await(t, "agent started", ended)
	g.run(nil, func() bool { return g.ended[epoch] && g.count(epoch) == left })
	finish(t, g, stop)
}

// TestTwoAgentsOnOneMachine: the same device name by mistake, two data directories: neither touches the other.
func TestTwoAgentsOnOneMachine(t *testing.T) {
	one := simulated(t)
	two := one
	two.Data = t.TempDir()
	a, j, ended, stopOne := start(t, one)
	j.await(t, "agent started", ended)
	b, j, ended, stopTwo := start(t, two)
	j.await(t, "agent started", ended)
	for _, x := range []*App{a, b} {
		counted(t, x, "headwater_sampler_rows_total", 5)
		if !x.outbox.Tmpfs() {
			t.Error("no ring on tmpfs")
		}
	}
	if a.ring == b.ring || a.outbox.Epoch() == record.Epoch(0) {
		t.Errorf("both use %s", a.ring)
	}
	for _, stop := range []func() error{stopOne, stopTwo} {
		if err := stop(); err != nil {
			t.Fatal(err)
		}
	}
}

// mounted returns a tmpfs of a size, or skips.
func mounted(t *testing.T, options string) string {
	t.Helper()
	dir := t.TempDir()
	if err := unix.Mount("headwater-test", dir, "tmpfs", 0, options); err != nil {
		t.Skipf("a tmpfs cannot be mounted here: %v", err)
	}
	t.Cleanup(func() { _ = unix.Unmount(dir, unix.MNT_DETACH) })
	return dir
}

// TestStartWaitsForFiles: a process that may open no more files keeps what is stored, and starts when it may.
func TestStartWaitsForFiles(t *testing.T) {
	for name, begin := range map[string]func(*testing.T, *App) (open func() error){
		"for the data directory": func(t *testing.T, a *App) func() error {
			return func() error { return a.open(t.Context()) }
		},
		"for the outbox": func(t *testing.T, a *App) func() error {
			if err := a.takeData(t.Context()); err != nil {
				t.Fatal(err)
			}
			clock, err := timebase.System()
			if err != nil {
				t.Fatal(err)
			}
			a.clock = clock
			config := a.outboxConfig()
			return func() error { return a.openOutbox(t.Context(), config) }
		},
	} {
		t.Run(name, func(t *testing.T) {
			j := newJournal()
			a := New(simulated(t), slog.New(slog.NewTextHandler(j, nil)))
			open := begin(t, a)
			var old unix.Rlimit
			if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &old); err != nil {
				t.Fatal(err)
			}
			if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: 3, Max: old.Max}); err != nil {
				t.Fatal(err)
			}
			ended := make(chan error, 1)
			go func() { ended <- open() }()
			j.await(t, "cannot be opened now", ended)
			if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &old); err != nil {
				t.Fatal(err)
			}
			if err := <-ended; err != nil {
				t.Fatal(err)
			}
			if err := a.close(); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// TestFullTmpfs: the ring goes to the heap, and the agent says so.
func TestFullTmpfs(t *testing.T) {
	s := simulated(t)
	s.RunDir = mounted(t, "size=256k")
	a, j, ended, stop := start(t, s)
	j.await(t, "agent started", ended)
	counted(t, a, "headwater_sampler_rows_total", 5)
	if page := get(t, "http://"+a.page.Addr().String()+"/status"); a.outbox.Tmpfs() || !strings.Contains(page, "outbox-no-tmpfs") {
		t.Errorf("ring on tmpfs: %v\n%s", a.outbox.Tmpfs(), page)
	}
	if err := stop(); err != nil {
		t.Fatal(err)
	}
}

// TestReadOnlyData: a card that the kernel has made read-only after an error. The agent starts, samples and says
// so; what lies on the card stays there.
func TestReadOnlyData(t *testing.T) {
	s := simulated(t)
	s.Data = mounted(t, "size=32m")
	a, j, ended, stop := start(t, s)
	j.await(t, "agent started", ended)
	counted(t, a, "headwater_sampler_rows_total", 5)
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount("headwater-test", s.Data, "", unix.MS_REMOUNT|unix.MS_RDONLY, ""); err != nil {
		t.Fatal(err)
	}
	first := a.outbox.Epoch()
	s.Device, s.Named = "renamed", false
	a, j, ended, stop = start(t, s)
	j.await(t, "agent started", ended)
	counted(t, a, "headwater_sampler_rows_total", 5)
	page := get(t, "http://"+a.page.Addr().String()+"/status")
	for _, part := range []string{`"device": "pump-7"`, "data-not-writable"} {
		if !strings.Contains(page, part) {
			t.Errorf("no %s in\n%s", part, page)
		}
	}
	if err := stop(); err != nil {
		t.Fatal(err)
	}

	// Repaired: both epochs arrive, and neither follows the other.
	if err := unix.Mount("headwater-test", s.Data, "", unix.MS_REMOUNT, ""); err != nil {
		t.Fatal(err)
	}
	a, j, ended, stop = start(t, s)
	j.await(t, "agent started", ended)
	held := false
	for _, e := range a.outbox.Report().Epochs {
		held = held || e.Epoch == first && len(e.Held) > 0
	}
	if !held {
		t.Error("what lay on the card is gone")
	}
	if !strings.Contains(j.String(), "sensors: []") {
		t.Error("what is kept in memory is not named")
	}
	if err := stop(); err != nil {
		t.Fatal(err)
	}
}

// TestFullDataAtTheFirstStart: others have filled the card before there is an outbox on it. The agent samples, says
// so, and takes the card once there is room.
func TestFullDataAtTheFirstStart(t *testing.T) {
	for name, options := range map[string]string{
		"no room for a page": "size=4k", "no room for the facts": "size=48k", "no inode": "size=32m,nr_inodes=2",
	} {
		t.Run(name, func(t *testing.T) {
			s := simulated(t)
			card := mounted(t, options)
			s.Data = card
			a, j, ended, stop := start(t, s)
			j.await(t, "agent started", ended)
			counted(t, a, "headwater_sampler_rows_total", 5)
			if page := get(t, "http://"+a.page.Addr().String()+"/status"); !strings.Contains(page, "data-not-writable") {
				t.Errorf("nothing of it in\n%s", page)
			}
			if err := stop(); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = os.RemoveAll(a.settings.Data) })

			if err := unix.Mount("headwater-test", card, "", unix.MS_REMOUNT, "size=32m,nr_inodes=1000"); err != nil {
				t.Fatal(err)
			}
			a, j, ended, stop = start(t, s)
			j.await(t, "agent started", ended)
			counted(t, a, "headwater_sampler_rows_total", 5)
			if a.settings.Data != card || !strings.Contains(j.String(), "sensors: []") {
				t.Errorf("the agent works in %s", a.settings.Data)
			}
			if err := stop(); err != nil {
				t.Fatal(err)
			}
		})
	}
}
