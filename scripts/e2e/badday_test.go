package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/headwater-iot/headwater/shared/record"
	"github.com/headwater-iot/headwater/shared/wire"
)

// accepted waits until the agent has accepted so many readings more.
func (a *agent) accepts(more float64) {
	a.t.Helper()
	const accepted = "headwater_outbox_accepted_total"
	before := a.metric(accepted)
	waitFor(a.t, "the agent to accept some more", func() bool { return a.metric(accepted) >= before+more })
}

// fate stops the agent, lets what it holds drain, and holds that every reading landed once.
func fate(t *testing.T, g *gateway, a *agent, device string) {
	t.Helper()
	accepted := a.metric("headwater_outbox_accepted_total")
	a.stop(t)
	a.drain()
	acc := g.settled(device, int64(accepted))
	acc.exact(t)
	if missing, doubled := holes(g.epochs(device)); missing != 0 || doubled != 0 {
		t.Errorf("%d readings lost, %d doubled, of %d", missing, doubled, acc.Landed)
	}
	t.Logf("%s: %d accepted, %d landed", device, acc.Accepted, acc.Landed)
}

// TestLogDiskFull fills the disk of the log to its reserve under a running agent: no PUBACK, nothing of the reserve is
// taken, health names the directory and the bytes. With room again all goes on by itself.
func TestLogDiskFull(t *testing.T) {
	g := newGateway(t)
	state := filepath.Join(g.data, "state")
	tmpfs(t, state, 32)
	g.start()
	a := newAgent(t, "full", g.mqtt, counting, "outbox: {flush_interval: 1s}").start()
	waitFor(t, "the first readings to land", func() bool { return g.ledger("full").Landed >= 50 })

	_, total := free(t, state)
	file := ballast(t, state, total*4/100)
	waitFor(t, "the gateway to say that its log is full", func() bool { return g.condition("log-full") != "" })
	if detail := g.condition("log-full"); !strings.Contains(detail, state) || !strings.Contains(detail, "free ") {
		t.Errorf("an operator reads %q; want the directory and the bytes to free", detail)
	}
	left, _ := free(t, state)
	a.accepts(200)
	if now, _ := free(t, state); now < left {
		t.Errorf("the gateway took %d bytes of its reserve", left-now)
	}
	if labelled(g.http, `headwater_log_refused_total{reason="full"}`) == 0 {
		t.Error("what the full log refused is not counted")
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "the log to go on", func() bool { return g.condition("log-full") == "" })
	fate(t, g, a, "full")
}

// TestLakeDiskFull fills the disk of the lake: once to its reserve, once to the last byte with the reserve switched off,
// so that commits fail in the middle. Readings wait in the log; with room again landing goes on by itself, and what the
// failed commits wrote is not left behind.
func TestLakeDiskFull(t *testing.T) {
	for _, c := range []struct {
		name, config string
		leave        func(total int64) int64
	}{
		{"at the reserve", "commit: {reserve_percent: 5}\n", func(total int64) int64 { return total * 4 / 100 }},
		{"in the middle of a commit", "commit: {reserve_percent: 0}\n", func(int64) int64 { return 24 << 10 }},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := newGateway(t)
			g.configure(c.config)
			lake := filepath.Join(g.data, "lake")
			tmpfs(t, lake, 64)
			g.start()
			a := newAgent(t, "full", g.mqtt, counting, "outbox: {flush_interval: 1s}").start()
			waitFor(t, "the first readings to land", func() bool { return g.ledger("full").Landed >= 50 })

			_, total := free(t, lake)
			file := ballast(t, lake, c.leave(total))
			failed := func() float64 {
				return labelled(g.http, `headwater_lake_commits_total{outcome="full"}`) + labelled(g.http, `headwater_lake_commits_total{outcome="failed"}`)
			}
			waitFor(t, "commits to fail for want of room", func() bool { return failed() >= 3 })
			if detail := g.condition("lake-full"); !strings.Contains(detail, lake) {
				t.Errorf("an operator reads %q; want the directory", detail)
			}
			stored := metric(g.http, "headwater_log_records_total")
			waitFor(t, "the log to take more", func() bool { return metric(g.http, "headwater_log_records_total") >= stored+3 })
			rows := len(g.scan("readings", "--columns", "seq", "--where", "device = 'full'"))
			if landed := g.ledger("full").Landed; int64(rows) != landed {
				t.Errorf("the tables show %d rows and the ledger says that %d landed", rows, landed)
			}

			if err := os.Remove(file); err != nil {
				t.Fatal(err)
			}
			waitFor(t, "landing to go on", func() bool { return g.condition("lake-full") == "" })
			fate(t, g, a, "full")
		})
	}
}

// TestReadOnlyDisks lets a disk of the gateway go read-only, as ext4 does when the medium fails. A log that cannot be
// written ends the gateway; a lake that cannot be written makes readings wait in the log. Mounted again, all is there.
func TestReadOnlyDisks(t *testing.T) {
	for _, c := range []struct {
		dir  string
		ends bool
	}{{"state", true}, {"lake", false}} {
		t.Run(c.dir, func(t *testing.T) {
			g := newGateway(t)
			dir := filepath.Join(g.data, c.dir)
			loop := ext4(t, dir, 64)
			g.start()
			a := newAgent(t, "worn", g.mqtt, counting, "outbox: {flush_interval: 1s}").start()
			waitFor(t, "the first readings to land", func() bool { return g.ledger("worn").Landed >= 50 })

			command(t, "mount", "-o", "remount,abort", dir)
			if c.ends {
				waitFor(t, "the gateway to end", g.ended)
				if g.cmd.ProcessState.ExitCode() == 0 || !strings.Contains(g.text(), "the log cannot be written") {
					t.Errorf("it ended with status %d", g.cmd.ProcessState.ExitCode())
				}
			} else {
				waitFor(t, "the gateway to say that nothing lands", func() bool { return g.condition("commit_failing") != "" })
				stored := metric(g.http, "headwater_log_records_total")
				waitFor(t, "the log to take more", func() bool { return metric(g.http, "headwater_log_records_total") >= stored+3 })
				g.stop(t)
			}
			command(t, "umount", dir)
			command(t, "mount", "-t", "ext4", "-o", "errors=remount-ro", loop, dir)
			g.start()
			fate(t, g, a, "worn")
		})
	}
}

// TestPoisonBatch lets a batch of one device take the gateway down whenever it is opened. The third start that meets it
// puts it into quarantine unopened, and everybody else goes on.
func TestPoisonBatch(t *testing.T) {
	g := newGateway(t).start()
	a := newAgent(t, "bystander", g.mqtt, counting, "outbox: {flush_interval: 1s}").start()
	waitFor(t, "the first readings to land", func() bool { return g.ledger("bystander").Landed >= 50 })
	g.stop(t)

	const epoch record.Epoch = 0xd1e
	poison := "HEADWATER_DIE_AT=open poison"
	g.start(poison)
	d := dial(t, g.mqtt, "poison")
	d.hello(1, wire.HelloEpoch{Epoch: epoch, Boot: d.boot, State: wire.EpochCurrent})
	d.publish(d.batch(epoch, 0, 10))
	waitFor(t, "the gateway to die", g.ended)
	deaths := 1
	for range 2 {
		g.launch(poison)
		waitFor(t, "the gateway to die again", g.ended)
		deaths++
	}
	g.start(poison)
	a.kill() // one that has been turned away so often waits for minutes; a fresh one does not
	a.start()
	waitFor(t, "the poison to be in quarantine", func() bool { return g.ledger("poison").Quarantined == 10 })
	rows := g.scan("quarantine", "--columns", "seq_from,seq_to,reason", "--where", "device = 'poison'")
	if len(rows) != 1 || strings.Join(rows[0], ",") != "0,10,unopened" {
		t.Errorf("the quarantine says %v", rows)
	}
	if acc := g.ledger("poison"); !acc.Balanced {
		t.Errorf("the ledger says %+v", acc)
	}
	fate(t, g, a, "bystander")
	t.Logf("the gateway died %d times", deaths)
}
