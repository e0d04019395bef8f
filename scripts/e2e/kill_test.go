package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sort"
	"strconv"
	"strings"
	"testing"
)

// counting is a sensor whose every reading is one more than the last: a hole in the table is a lost reading.
const counting = "  - {name: count, interval: 10ms, counter: {}}\n"

// epochs returns the landed values of the counter by epoch, in order.
func (g *gateway) epochs(device string) map[string][]int {
	g.t.Helper()
	out := map[string][]int{}
	rows := g.scan("readings", "--columns", "epoch,value", "--where", fmt.Sprintf("device = '%s' and series = 'count'", device))
	for _, r := range rows {
		v, err := strconv.ParseFloat(r[1], 64)
		if err != nil {
			g.t.Fatalf("scan printed %q: %v", r, err)
		}
		out[r[0]] = append(out[r[0]], int(v))
	}
	for _, v := range out {
		sort.Ints(v)
	}
	return out
}

// holes returns the counts that are missing or twice within any epoch.
func holes(epochs map[string][]int) (missing, doubled int) {
	for _, v := range epochs {
		for i, x := range v {
			switch {
			case i > 0 && x == v[i-1]:
				doubled++
			case i > 0:
				missing += x - v[i-1] - 1
			default:
				missing += x
			}
		}
	}
	return missing, doubled
}

// TestKillsAreSeenToLose is the negative control: with the ring on the heap, a killed agent loses
// what it had accepted, and this harness must see that.
func TestKillsAreSeenToLose(t *testing.T) {
	g := newGateway(t).start()
	a := newAgent(t, "careless", g.mqtt, counting, "outbox: {flush_interval: 1h}")
	a.noTmpfs()
	lost := 0
	for range 3 {
		a.start()
		waitFor(t, "the agent to accept some", func() bool { return a.metric("headwater_outbox_accepted_total") >= 100 })
		lost += int(a.metric("headwater_outbox_accepted_total"))
		a.kill()
	}
	landed := g.ledger("careless").Landed
	if int64(lost) <= landed {
		t.Fatalf("an agent with a heap ring was killed and nothing was seen to be lost: %d accepted, %d landed", lost, landed)
	}
}

// TestStateDirectoryLost deletes the gateway's log and caches under a running fleet.
func TestStateDirectoryLost(t *testing.T) {
	g := newGateway(t).start()
	a := newAgent(t, "patient", g.mqtt, counting, "outbox: {flush_interval: 1s}").start()
	for range 2 {
		before := g.ledger("patient").Landed
		waitFor(t, "readings to land", func() bool { return g.ledger("patient").Landed >= before+100 })
		g.kill()
		if err := os.RemoveAll(filepath.Join(g.data, "state")); err != nil {
			t.Fatal(err)
		}
		g.start()
	}
	accepted := a.metric("headwater_outbox_accepted_total")
	a.stop(t)
	a.drain()
	g.settled("patient", int64(accepted)).exact(t)
	if missing, doubled := holes(g.epochs("patient")); missing != 0 || doubled != 0 {
		t.Errorf("%d readings lost, %d doubled", missing, doubled)
	}
}

// TestKilledBetweenEveryTwoSteps lets the gateway die at each named step of a commit, once.
func TestKilledBetweenEveryTwoSteps(t *testing.T) {
	g := newGateway(t)
	steps := steps(t)
	a := newAgent(t, "stepped", g.mqtt, counting, "outbox: {flush_interval: 1s}").start()
	for _, step := range steps {
		g.launch("HEADWATER_DIE_AT=" + step)
		a.kill() // one that has been turned away so often waits for minutes; a fresh one does not
		a.start()
		waitFor(t, "the gateway to die at "+step, g.ended)
	}
	g.start()
	accepted := a.metric("headwater_outbox_accepted_total")
	a.stop(t)
	a.drain()
	g.settled("stepped", int64(accepted)).exact(t)
	if missing, doubled := holes(g.epochs("stepped")); missing != 0 || doubled != 0 {
		t.Errorf("%d readings lost, %d doubled", missing, doubled)
	}
	t.Logf("died at %d steps: %s", len(steps), strings.Join(steps, ", "))
}

// TestRestartedAgentReusesNoSeq stops an agent whose outbox is empty and starts it again, as after a clean week.
func TestRestartedAgentReusesNoSeq(t *testing.T) {
	g := newGateway(t).start()
	a := newAgent(t, "weekly", g.mqtt, counting, "outbox: {flush_interval: 1s}")
	for range 3 {
		a.start()
		waitFor(t, "readings to land", func() bool { return a.metric("headwater_outbox_accepted_total") >= 50 })
		waitFor(t, "the outbox to be empty", func() bool { return a.metric("headwater_outbox_held_batches") == 0 })
		a.stop(t)
	}
	a.drain()
	acc := g.settled("weekly", 150)
	acc.exact(t)
	if n := len(g.epochs("weekly")); n != 3 {
		t.Errorf("3 starts left readings in %d epochs", n)
	}
	if missing, doubled := holes(g.epochs("weekly")); missing != 0 || doubled != 0 {
		t.Errorf("%d readings lost, %d doubled", missing, doubled)
	}
}

// TestAgentOutlivesBroker samples and buffers before there is anything to connect to, and while it is gone.
func TestAgentOutlivesBroker(t *testing.T) {
	g := newGateway(t)
	a := newAgent(t, "early", g.mqtt, counting, "outbox: {flush_interval: 1s}").start()
	waitFor(t, "readings to be accepted", func() bool { return a.metric("headwater_outbox_accepted_total") >= 200 })
	g.start()
	waitFor(t, "the first readings to land", func() bool { return g.ledger("early").Landed >= 200 })
	g.kill() // broker gone
	before := a.metric("headwater_outbox_accepted_total")
	waitFor(t, "readings to be accepted", func() bool { return a.metric("headwater_outbox_accepted_total") >= before+200 })
	g.start() // and back
	a.stop(t)
	a.drain()
	g.settled("early", int64(before)+200).exact(t)
	if missing, doubled := holes(g.epochs("early")); missing != 0 || doubled != 0 {
		t.Errorf("%d readings lost, %d doubled", missing, doubled)
	}
}

// steps asks the gateway for the names of the steps of a commit.
func steps(t *testing.T) []string {
	t.Helper()
	out, err := exec.Command(built.gateway, "steps").Output()
	if err != nil {
		t.Fatalf("headwater-gateway steps: %v", err)
	}
	// This fleet has nothing in quarantine, no gaps and no contract; the lake's own fault loop has the steps of all tables.
	return slices.DeleteFunc(strings.Split(strings.TrimSpace(string(out)), "\n"), func(step string) bool {
		return strings.HasSuffix(step, "quarantine") || strings.HasSuffix(step, "gaps") || strings.HasSuffix(step, "contracts")
	})
}
