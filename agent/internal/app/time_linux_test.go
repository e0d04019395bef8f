package app

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/headwater-iot/headwater/agent/internal/outbox"
	"github.com/headwater-iot/headwater/agent/internal/timebase"
	"github.com/headwater-iot/headwater/shared/record"
	"github.com/headwater-iot/headwater/shared/wire"
)

const second = int64(1_000_000)

// bench is a device on a bench: its clocks are set by hand, its outbox is real, and the test is its gateway.
type bench struct {
	t     *testing.T
	truth int64 // us wall

	boot   record.Boot
	began  int64 // true time of its monotonic 0
	rtc    int64 // what its wall clock is off by; a device without one is off by its boot: 1970
	synced bool
	lie    int64 // what the clocks that it trusts are off by

	config outbox.Config
	clock  *timebase.Clock
	outbox *outbox.Outbox
	acks   uint64
}

func newBench(t *testing.T) *bench {
	run, err := os.MkdirTemp("/dev/shm", "headwater-test-")
	if err != nil {
		t.Skipf("no tmpfs: %v", err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(run) })
	b := &bench{t: t, truth: time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC).UnixMicro()}
	b.config = outbox.Config{Device: "pump-7", Dir: t.TempDir(), RingDir: run}
	t.Cleanup(func() { _ = b.outbox.Close() })
	return b
}

// start boots the device if it is another boot than the last, and starts the agent's outbox on it.
func (b *bench) start(boot record.Boot) {
	b.t.Helper()
	if boot != b.boot {
		b.boot, b.began, b.rtc, b.synced = boot, b.truth, -b.truth, false
	}
	b.clock = timebase.New(boot, timebase.Source{
		Monotonic: func() int64 { return b.truth - b.began },
		Wall:      func() int64 { return b.truth + b.rtc },
		Sync:      func() (int64, bool) { return 1000, b.synced },
	})
	b.config.Boot, b.config.Clock, b.config.Floor = boot, b.clock, b.clock.Floor
	var err error
	if b.outbox, err = outbox.Open(b.config); err != nil {
		b.t.Fatal(err)
	}
}

func (b *bench) stop() {
	b.t.Helper()
	if err := b.outbox.Close(); err != nil {
		b.t.Fatal(err)
	}
}

func (b *bench) pass(seconds int64) { b.truth += seconds * second }

// sample seals one reading of now.
func (b *bench) sample() {
	b.t.Helper()
	r := record.Row{Sensor: "s", Unit: record.Milli, Time: b.clock.Monotonic() / 1000, Cells: []record.Cell{record.IntCell("n", "", 1)}}
	if err := b.outbox.Append(r); err != nil {
		b.t.Fatal(err)
	}
	if err := b.outbox.Seal(); err != nil {
		b.t.Fatal(err)
	}
}

// hello is answered within rtt, as the uplink hears it.
func (b *bench) hello(rtt int64) {
	b.t.Helper()
	report := b.outbox.Report()
	sent := b.clock.Monotonic()
	b.truth += rtt
	b.clock.Learn(b.truth-rtt/2+b.lie, sent, b.clock.Monotonic())
	b.acks++
	if err := b.outbox.Apply(&wire.Ack{Lake: wire.ID{1}, Log: wire.ID{1}, Start: 1, N: b.acks}); err != nil {
		b.t.Fatal(err)
	}
	for _, a := range report.Anchors {
		b.check("hello", a.Boot, a.Anchor())
	}
}

// check fails if an anchor of the running boot claims more than is true.
func (b *bench) check(what string, boot record.Boot, a wire.Anchor) {
	b.t.Helper()
	off := a.Wall - a.Monotonic - b.began - b.lie
	if boot == b.boot && a.State >= wire.Gateway && max(off, -off) > int64(a.Uncertainty) {
		b.t.Errorf("%s: off by %d us: %+v", what, off, a)
	}
}

// sent returns what the next envelope of every batch that is held says of its clock, oldest first.
func (b *bench) sent() (lines []string) {
	b.t.Helper()
	seen := map[outbox.Ref]bool{}
	for _, lane := range []outbox.Lane{outbox.Backlog, outbox.Live} {
		for {
			batch, ok := b.outbox.Next(lane, func(r outbox.Ref) bool { return seen[r] })
			if !ok {
				break
			}
			seen[batch.Ref] = true
			if batch.Kind != wire.KindReadings {
				continue
			}
			b.check("batch", batch.Boot, batch.Anchor)
			a := batch.Anchor
			line := fmt.Sprintf("boot %d %s %d at %ds", batch.Boot, a.State, a.Generation, a.Monotonic/second)
			if a.Uncertainty < math.MaxInt64 {
				line += fmt.Sprintf(" ±%dms", a.Uncertainty/1000)
			}
			lines = append(lines, line)
		}
	}
	return lines
}

func (b *bench) want(lines ...string) {
	b.t.Helper()
	if got := b.sent(); fmt.Sprint(got) != fmt.Sprint(lines) {
		b.t.Errorf("sent\n%q\nwant\n%q", got, lines)
	}
}

// TestAnchorComesLate: readings of a device that begins in 1970 wait for days, and get the time that is heard then.
func TestAnchorComesLate(t *testing.T) {
	b := newBench(t)
	b.start(1)
	b.pass(10)
	b.sample()
	b.want("boot 1 unsynced 1 at 10s")
	b.pass(2 * 86400)
	b.sample()
	b.hello(200_000)
	b.want("boot 1 gateway 2 at 172810s ±100ms", "boot 1 gateway 2 at 172810s ±100ms")

	// Another process of the same boot, while the gateway is away: it goes on with what is known.
	b.pass(100)
	b.stop()
	b.pass(900)
	b.start(1)
	b.want("boot 1 gateway 2 at 173810s ±200ms", "boot 1 gateway 2 at 173810s ±200ms")

	// NTP comes, and goes on being the better one.
	b.rtc, b.synced = 0, true
	b.hello(200_000)
	b.want("boot 1 synced 2 at 173810s ±1ms", "boot 1 synced 2 at 173810s ±1ms")
}

// TestBootEndsWithoutAnAnchor: what the next boot says of it is how long it lasted at least, and nothing more.
func TestBootEndsWithoutAnAnchor(t *testing.T) {
	b := newBench(t)
	for boot := range record.Boot(2) {
		b.start(boot + 1)
		b.pass(3600)
		b.sample()
		b.pass(1800)
		b.stop() // power goes down in order
		b.pass(86400)
	}
	b.start(3)
	b.pass(20)
	b.sample()
	b.hello(2000)
	b.want("boot 1 unsynced 1 at 5400s", "boot 2 unsynced 1 at 5400s", "boot 3 gateway 2 at 20s ±1ms")
	told := map[record.Boot]wire.AnchorState{}
	for _, a := range b.outbox.Report().Anchors {
		told[a.Boot] = a.State
	}
	if len(told) != 3 || told[1] != wire.Unsynced || told[2] != wire.Unsynced || told[3] != wire.Gateway {
		t.Errorf("hello tells %v", told)
	}
}

// TestStepsOfTheClock: the generation tells what is sent before a step from what is sent behind it.
func TestStepsOfTheClock(t *testing.T) {
	b := newBench(t)
	b.start(1)
	b.rtc, b.synced = 0, true
	b.sample()
	b.want("boot 1 synced 2 at 0s ±1ms")                  // it began in 1970
	for i, step := range []int64{3600, -7200, 3600, -1} { // the last as a leap second would
		b.pass(60)
		b.rtc += step * second
		b.lie += step * second
		b.want(fmt.Sprintf("boot 1 synced %d at %ds ±1ms", i+3, 60*(i+1)))
	}
	// The gateway's clock is wrong by an hour, then set; the device has none of its own.
	b = newBench(t)
	b.start(1)
	b.sample()
	b.lie = 3600 * second
	b.hello(2000)
	b.want("boot 1 gateway 2 at 0s ±1ms")
	b.pass(60)
	b.want("boot 1 gateway 2 at 60s ±7ms")
	b.lie = 0
	b.clock.Learn(b.truth, b.clock.Monotonic(), b.clock.Monotonic())
	b.want("boot 1 gateway 3 at 60s ±0ms")
}

// TestFloorOutlivesTheBoot: the battery of the clock is dead and the kernel believes what it reads.
func TestFloorOutlivesTheBoot(t *testing.T) {
	b := newBench(t)
	b.start(1)
	b.sample()
	b.hello(2000)
	b.pass(3600)
	b.stop()
	b.start(2)
	b.rtc, b.synced = -300*86400*second, true
	if got, want := clockState(b.clock), "unsynced, not before 2026-06-01T01:00:00Z"; got[:8] != want[:8] || b.clock.Floor() < b.truth-10*second {
		t.Errorf("%q, want about %q", got, want)
	}
	b.hello(2000)
	b.rtc = 0
	if got := clockState(b.clock); got != "synced to 1ms" {
		t.Errorf("%q", got)
	}

	// A clock of the future leaves a floor that the gateway takes back.
	b.rtc = 73 * 365 * 86400 * second
	b.stop()
	b.start(3)
	b.rtc, b.synced = 73*365*86400*second, true
	b.clock.Anchor()
	b.stop()
	b.start(4)
	b.rtc, b.synced = 0, true
	if got := clockState(b.clock); got != "unsynced, not before "+time.UnixMicro(b.clock.Floor()).UTC().Format(time.RFC3339) || b.clock.Floor() < b.truth {
		t.Errorf("poisoned: %q", got)
	}
	b.hello(2000)
	b.stop()
	b.start(5)
	b.rtc, b.synced = 0, true
	if got := clockState(b.clock); got != "synced to 1ms" {
		t.Errorf("after the gateway answered: %q", got)
	}
}

// TestClockBehindTheFloorIsNamed starts an agent in 1970 that has known the time before.
func TestClockBehindTheFloorIsNamed(t *testing.T) {
	s := simulated(t)
	for _, script := range []string{"boot=1,sync=5ms", "boot=2,began=0,wall=unset"} {
		t.Setenv(clockScript, script)
		_, j, ended, stop := start(t, s)
		j.await(t, "agent started", ended)
		if err := stop(); err != nil {
			t.Fatal(err)
		}
		if named := strings.Contains(j.String(), "behind a time that has passed"); named != strings.Contains(script, "unset") {
			t.Errorf("%s: named %v:\n%s", script, named, j)
		}
	}
}

// TestScriptedClockIsAnnounced runs the whole agent with the wrong clock that end-to-end tests give it.
func TestScriptedClockIsAnnounced(t *testing.T) {
	t.Setenv(clockScript, "boot=ab,began=0,wall=unset")
	a, j, ended, stop := start(t, simulated(t))
	j.await(t, "this is a test", ended)
	j.await(t, "agent started", ended)
	if a.clock.Boot() != 0xab || clockState(a.clock) != "unsynced" {
		t.Errorf("boot %s, %s", a.clock.Boot(), clockState(a.clock))
	}
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	t.Setenv(clockScript, "nonsense")
	if err := New(a.settings, a.log).Run(t.Context()); err == nil {
		t.Error("a clock that is none was taken")
	}
	if left, _ := filepath.Glob(filepath.Join(a.settings.Data, "*.tmp")); len(left) > 0 {
		t.Errorf("left %v", left)
	}
}
