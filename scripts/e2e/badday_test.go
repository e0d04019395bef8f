package e2e

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"

	"github.com/headwater-iot/headwater/shared/record"
	"github.com/headwater-iot/headwater/shared/topic"
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
	accepted := a.accepted()
	if status := a.stop(t); status != 0 {
		t.Errorf("the agent of %s stopped with status %d", device, status)
	}
	a.drain() // what the stop left on flash is sent by the next start
	acc := g.settled(device, int64(accepted))
	acc.exact(t)
	if missing, doubled := holes(g.epochs(device)); missing != 0 || doubled != 0 {
		t.Errorf("%s: %d readings lost, %d doubled, of %d", device, missing, doubled, acc.Landed)
	}
	t.Logf("%s: %.0f accepted as it said, %d by the ledger, %d landed", device, accepted, acc.Accepted, acc.Landed)
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

// greedy is a device that sends as fast as it can, whatever it is told, until stop is closed. Batches are of values that
// no codec can squeeze; window is how many wait for their PUBACK.
type greedy struct {
	*device
	sent    chan uint64 // readings that were sent, once it has stopped
	refused atomic.Int64
}

func (d *device) greedy(stop <-chan struct{}, epoch record.Epoch, rows, window int) *greedy {
	g := &greedy{device: d, sent: make(chan uint64, 1)}
	go func() { // whoever runs it reads sent
		next := uint64(0)
		defer func() { g.sent <- next }()
		var waiting []mqtt.Token
		for {
			select {
			case <-stop:
				for _, tok := range waiting {
					tok.WaitTimeout(patience)
				}
				return
			case <-d.acks:
				continue
			case n := <-d.nacks:
				if n.Reason == wire.ShareFull {
					g.refused.Add(1)
				}
				continue
			default:
			}
			waiting = append(waiting, d.publish(d.random(epoch, next, rows)))
			next += uint64(rows)
			if len(waiting) == window {
				waiting[0].WaitTimeout(patience)
				waiting = waiting[1:]
			}
		}
	}()
	return g
}

// random seals readings of a series at times that lie before now.
func (d *device) random(epoch record.Epoch, first uint64, rows int) []byte {
	g := record.Group{Unit: record.Milli}
	col := record.Column{Series: "noise", Kind: record.Float}
	rng := rand.New(rand.NewPCG(first, uint64(epoch)))
	for i := range rows {
		g.Times = append(g.Times, int64(i))
		col.Floats = append(col.Floats, math.Float64frombits(rng.Uint64()>>2))
	}
	g.Columns = []record.Column{col}
	sealed, err := d.enc.AppendReadings(nil, wire.Header{Device: d.name, Epoch: epoch, Boot: d.boot, First: first}, &record.Body{Groups: []record.Group{g}})
	if err != nil {
		d.t.Error(err)
	}
	return sealed
}

// TestOneDeviceMayNotFillTheLog stops landing, by a lake without room, while one device sends without end. It is refused
// at its share and named; an agent beside it stays served; and with room again both go on, and what was taken lands.
func TestOneDeviceMayNotFillTheLog(t *testing.T) {
	g := newGateway(t)
	lake, state := filepath.Join(g.data, "lake"), filepath.Join(g.data, "state")
	tmpfs(t, lake, 256)
	tmpfs(t, state, 256)
	g.start()
	a := newAgent(t, "modest", g.mqtt, counting, "outbox: {flush_interval: 1s}").start()
	waitFor(t, "the first readings to land", func() bool { return g.ledger("modest").Landed >= 50 })
	_, total := free(t, lake)
	file := ballast(t, lake, total*4/100)
	waitFor(t, "the lake to be full", func() bool { return g.condition("lake-full") != "" })

	const epoch record.Epoch = 0x6eed
	d := dial(t, g.mqtt, "greedy")
	d.hello(1, wire.HelloEpoch{Epoch: epoch, Boot: d.boot, State: wire.EpochCurrent})
	stop := make(chan struct{})
	mad := d.greedy(stop, epoch, 20_000, 8)
	waitFor(t, "the greedy device to be refused", func() bool { return mad.refused.Load() > 20 })
	if detail := g.condition("log-share"); !strings.HasPrefix(detail, "greedy;") {
		t.Errorf("health says %q; want the device named", detail)
	}
	if left, total := free(t, state); left < total/2 {
		t.Errorf("one device took %d of %d bytes of the log's disk", total-left, total)
	}
	stored := labelled(g.http, `headwater_intake_appended_total{message="batch"}`)
	waitFor(t, "batches of the other device to be stored", func() bool {
		return labelled(g.http, `headwater_intake_appended_total{message="batch"}`) >= stored+3
	})
	close(stop)
	<-mad.sent
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	fate(t, g, a, "modest")
	waitFor(t, "what was taken of the greedy device to land", func() bool {
		return g.condition("log-share") == "" && metric(g.http, "headwater_log_unlanded_bytes") < 1<<20
	})
	if acc := g.ledger("greedy"); acc.Landed == 0 || acc.Landed != acc.Present || acc.Duplicates != 0 || acc.Landed%20_000 != 0 {
		t.Errorf("the ledger says %+v", acc)
	}
}

// TestOneDeviceAtAThousandTimesTheRate lets one device send as fast as the gateway takes it beside normal ones: their
// batches are stored and land, memory stays within what the configuration says.
func TestOneDeviceAtAThousandTimesTheRate(t *testing.T) {
	normal, want := 4, 100.0
	if heavy() {
		normal, want = 20, 1500
	}
	g := newGateway(t).start()
	agents := fleet(t, g.mqtt, normal)
	const epoch record.Epoch = 0xfa57
	d := dial(t, g.mqtt, "fast")
	d.hello(1, wire.HelloEpoch{Epoch: epoch, Boot: d.boot, State: wire.EpochCurrent})
	stop := make(chan struct{})
	fast := d.greedy(stop, epoch, 200, 32)
	for _, a := range agents {
		a.accepts(want)
	}
	accepted := agents[0].metric("headwater_outbox_accepted_total")
	waitFor(t, "a normal device to land what it had, while the fast one goes on", func() bool {
		return g.ledger("dev-0").Landed >= int64(accepted)
	})
	behind := metric(g.http, "headwater_land_freshness_seconds")
	backlog := metric(g.http, "headwater_log_unlanded_bytes")
	_, peak := g.memory(t)
	close(stop)
	sent := <-fast.sent
	t.Logf("%d readings of one device beside %d normal ones of 100/s; %.1f s and %.1f MB behind; %d MiB at the peak; %d refusals by share",
		sent, normal, behind, backlog/1e6, peak, fast.refused.Load())
	if peak > 900 { // 512 MiB of heap by configuration, and what Go, SQLite and the cache of a busy box put on top
		t.Errorf("%d MiB of memory at the peak", peak)
	}
	for i, a := range agents {
		fate(t, g, a, fmt.Sprintf("dev-%d", i))
	}
	if fast.refused.Load() == 0 {
		d.ack("all of the fast device to land", landed(epoch, sent))
		if acc := g.ledger("fast"); acc.Landed != int64(sent) || acc.Present != acc.Landed || acc.Duplicates != 0 {
			t.Errorf("the ledger says %+v, want %d landed", acc, sent)
		}
	}
}

// TestTenThousandDays sends readings of ten thousand days, in random order, in one batch, beside agents. Commits touch
// at most 64 days each, so it takes many: others have to land between them, and the lake gets one file a day.
func TestTenThousandDays(t *testing.T) {
	days := 1000
	if heavy() {
		days = 10_000
	}
	g := newGateway(t).start()
	agents := fleet(t, g.mqtt, 4)
	for i := range agents {
		waitFor(t, "the first readings to land", func() bool { return g.ledger(fmt.Sprintf("dev-%d", i)).Landed >= 50 })
	}
	const epoch record.Epoch = 0xda75
	d := dial(t, g.mqtt, "historian")
	d.hello(1, wire.HelloEpoch{Epoch: epoch, Boot: d.boot, State: wire.EpochCurrent})
	const day = 86_400_000
	group := record.Group{Unit: record.Milli}
	col := record.Column{Series: "v", Kind: record.Float}
	for _, n := range rand.New(rand.NewPCG(1, 2)).Perm(days) {
		group.Times = append(group.Times, int64(n)*day)
		col.Floats = append(col.Floats, float64(n))
	}
	group.Columns = []record.Column{col}
	sealed, err := d.enc.AppendReadings(nil, wire.Header{Device: "historian", Epoch: epoch, Boot: d.boot}, &record.Body{Groups: []record.Group{group}})
	if err != nil {
		t.Fatal(err)
	}
	anchor := wire.Anchor{State: wire.Synced, Generation: 1, Wall: time.Now().UnixMicro(), Monotonic: int64(days) * day * 1000, Uncertainty: 1000}
	before := labelled(g.http, `headwater_lake_commits_total{outcome="landed"}`)
	began := time.Now()
	d.await(d.client.Publish(topic.Up("historian", topic.Batch), 1, false, wire.AppendEnvelope(nil, anchor, sealed)))

	part := func() int64 { return g.ledger("historian").Landed }
	waitFor(t, "the first days to land", func() bool { return part() > 0 })
	others := 0
	for i := range agents {
		was := g.ledger(fmt.Sprintf("dev-%d", i)).Landed
		for part() < int64(days) {
			if g.ledger(fmt.Sprintf("dev-%d", i)).Landed > was {
				others++
				break
			}
		}
	}
	waitFor(t, "all days to land", func() bool { return part() == int64(days) })
	commits := labelled(g.http, `headwater_lake_commits_total{outcome="landed"}`) - before
	_, peak := g.memory(t)
	files := 0
	root := filepath.Join(g.data, "lake", "warehouse", "headwater", "readings", "data")
	dirs, err := os.ReadDir(root)
	if err != nil {
		t.Fatal(err)
	}
	for _, dir := range dirs {
		if in, err := os.ReadDir(filepath.Join(root, dir.Name())); err == nil && len(in) == 1 {
			files++
		}
	}
	t.Logf("%d days in %s: %.0f commits, %d days of one file, %d of %d others landed between them, %d MiB at the peak",
		days, time.Since(began).Round(time.Millisecond), commits, files, others, len(agents), peak)
	if files < days-2 { // today and yesterday have those of the agents
		t.Errorf("%d of %d days have one file each", files, days)
	}
	if peak > 400 {
		t.Errorf("%d MiB of memory at the peak", peak)
	}
	if others == 0 { // one in four shares the partition, on average
		t.Error("nobody else landed between the first and the last day")
	}
	for i, a := range agents {
		fate(t, g, a, fmt.Sprintf("dev-%d", i))
	}
}
