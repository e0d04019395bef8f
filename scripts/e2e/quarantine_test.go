package e2e

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/headwater-iot/headwater/shared/need"
	"github.com/headwater-iot/headwater/shared/record"
	"github.com/headwater-iot/headwater/shared/wire"
)

// below is a contract under which `v` lies in [0, maximum].
func below(version string, maximum int) string {
	return fmt.Sprintf(`apiVersion: v3.1.0
kind: DataContract
id: limited
version: %s
status: active
schema:
- name: all
  physicalType: series
  logicalType: object
  properties:
  - {name: v, logicalType: number, logicalTypeOptions: {minimum: 0, maximum: %d}, customProperties: [{property: onViolation, value: quarantine}]}
customProperties:
- {property: devices, value: ['held-*']}
`, version, maximum)
}

// decided is what `quarantine replay --json` prints.
type decided struct {
	status int
	stderr string

	Readings  uint64            `json:"readings"`
	Landed    uint64            `json:"landed"`
	Present   uint64            `json:"present"`
	Discarded uint64            `json:"discarded"`
	Rows      uint64            `json:"rows"`
	Elsewhere uint64            `json:"elsewhere"`
	Held      map[string]uint64 `json:"held"`
	NoSeqs    int               `json:"no_seqs"`
}

// decide runs `quarantine replay` or `quarantine discard`, from any goroutine.
func (g *gateway) decide(verb string, args ...string) decided {
	g.t.Helper()
	cmd := exec.Command(built.gateway, slices.Concat([]string{"quarantine", verb, "--data", g.data, "--json"}, args)...)
	var out, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &stderr
	err := cmd.Run()
	d := decided{stderr: stderr.String()}
	if exit := new(exec.ExitError); errors.As(err, &exit) {
		d.status = exit.ExitCode()
	} else if err != nil {
		g.t.Error(err)
	}
	if err := json.Unmarshal(out.Bytes(), &d); err != nil {
		g.t.Errorf("quarantine %s: %v; it printed %q\n%s", verb, err, out.String(), stderr.String())
	}
	return d
}

// fates returns how many readings quarantine has of each reason and fate.
func (g *gateway) fates() map[string]uint64 {
	g.t.Helper()
	cmd := exec.Command(built.gateway, "quarantine", "list", "--data", g.data, "--json", "--fate", "all")
	out, err := cmd.Output()
	if err != nil {
		g.t.Fatalf("quarantine list: %v", err)
	}
	var doc struct {
		Groups []struct {
			Reason, Rule, Fate string
			Readings           uint64
		} `json:"groups"`
	}
	if err := json.Unmarshal(out, &doc); err != nil {
		g.t.Fatal(err)
	}
	fates := map[string]uint64{}
	for _, x := range doc.Groups {
		fates[strings.TrimSpace(x.Reason+" "+x.Rule)+" "+x.Fate] += x.Readings
	}
	return fates
}

// values seals readings of v, a second apart.
func (d *device) values(epoch record.Epoch, first uint64, values ...float64) []byte {
	d.t.Helper()
	g := record.Group{Unit: record.Milli, Columns: []record.Column{{Series: "v", Kind: record.Float, Floats: values}}}
	for i := range values {
		g.Times = append(g.Times, int64(1000+10*(first+uint64(i))))
	}
	h := wire.Header{Device: d.name, Epoch: epoch, Boot: d.boot, First: first, Base: g.Times[0]}
	sealed, err := d.enc.AppendReadings(nil, h, &record.Body{Groups: []record.Group{g}})
	if err != nil {
		d.t.Fatal(err)
	}
	return sealed
}

// replaySteps are those of a commit that replays: readings, quarantine and cursors take part in it. Without
// HEADWATER_E2E=heavy one of each kind has to do.
func replaySteps(t *testing.T) []string {
	t.Helper()
	out, err := exec.Command(built.gateway, "steps").Output()
	if err != nil {
		t.Fatalf("headwater-gateway steps: %v", err)
	}
	few := []string{"begin", "files readings", "manifests quarantine", "metadata cursors", "swap quarantine", "commit", "committed"}
	return slices.DeleteFunc(strings.Split(strings.TrimSpace(string(out)), "\n"), func(step string) bool {
		return strings.HasSuffix(step, " gaps") || strings.HasSuffix(step, " contracts") ||
			os.Getenv("HEADWATER_E2E") != "heavy" && !slices.Contains(few, step)
	})
}

// TestReplayThroughKilledGateways holds readings back by a rule, loosens the rule, and replays batch after batch through
// gateways that die at each step of the commit. Every reading lands once, the ledger balances all the time, and the log
// read from its start gives the same tables.
func TestReplayThroughKilledGateways(t *testing.T) {
	steps := replaySteps(t)
	g := newGateway(t).start()
	g.apply(below("1.0.0", 100))
	d := dial(t, g.mqtt, "held-1")
	const epoch = record.Epoch(9)
	d.hello(1, wire.HelloEpoch{Epoch: epoch, Boot: d.boot, State: wire.EpochCurrent})
	n := uint64(0)
	batches := uint64(2*len(steps) + 1)
	for range batches { // six readings each, of which four break the rule and one always will
		d.send(d.values(epoch, n, 1, 500, 501, 1e9, 2, 502))
		n += 6
	}
	broken, err := wire.AppendSealed(nil, wire.Header{
		Kind: wire.KindReadings, Device: d.name, Epoch: epoch, Boot: d.boot, First: n, Count: 5, Codec: wire.Zstd,
	}, []byte("no zstd frame"))
	if err != nil {
		t.Fatal(err)
	}
	d.send(broken)
	n += 5
	d.ack("all readings to have a fate", landed(epoch, n))
	rest, never := 3*batches, batches
	check := func(what string) {
		t.Helper()
		a := g.ledger("held-1")
		if want := int64(rest + never + 5); !a.Balanced || a.Quarantined != want || a.Landed != int64(n)-want || a.Present != a.Landed || a.Duplicates != 0 || a.Pending != 0 {
			t.Fatalf("%s: the ledger says %+v; want %d quarantined of %d", what, a, want, n)
		}
	}
	check("held")
	if r := g.decide("replay", "--device", "held-1"); r.status != 1 || r.Landed != 0 || r.Held["contract"] != rest+never || r.Held["unreadable"] != 5 {
		t.Errorf("replay under the same rule: %+v", r)
	}
	check("judged again by the same rule")
	g.apply(below("1.1.0", 1000))
	g.stop(t)

	for i, step := range steps {
		name := func(batch int) string { return fmt.Sprintf("held-1/%s/%d-%d", epoch, 6*batch, 6*batch+6) }
		// It dies the second time it comes there. That is the second replay, unless a commit of another table, such as
		// devices, comes there in between; what must hold is the same.
		g.start("HEADWATER_DIE_AT=" + step)
		for n := range 2 {
			if r := g.decide("replay", name(2*i+n)); r.status != 1 || r.Landed != 0 && n == 1 {
				t.Fatalf("step %s: %+v", step, r)
			}
		}
		waitFor(t, "the gateway to die at "+step, g.ended)
		g.start()
		for n := range 2 { // it waits for what was logged before it
			if r := g.decide("replay", name(2*i+n)); r.status != 1 || r.Held["contract"] != 1 || r.Landed != 0 && r.Landed != 3 {
				t.Errorf("step %s: again: %+v", step, r)
			}
		}
		rest -= 6
		check("died at " + step)
		g.stop(t)
	}

	g.start()
	began := time.Now()
	if r := g.decide("replay", "--all", "--rate", "20"); r.status != 1 || r.Landed != 3 || r.Held["contract"] != never || r.Held["unreadable"] != 5 {
		t.Errorf("the rest: %+v", r)
	}
	t.Logf("%d records at 20 a second took %s", batches+1, time.Since(began))
	rest = 0
	check("all replayed")
	if r := g.decide("discard", "--reason", "unreadable"); r.status != 0 || r.Discarded != 5 {
		t.Errorf("discard: %+v", r)
	}
	if r := g.decide("replay", "--reason", "unreadable"); r.status != 0 || r.Readings != 0 {
		t.Errorf("replay of what was discarded: %+v", r)
	}
	check("the unreadable ones discarded") // they are quarantined for good
	want := map[string]uint64{"contract range held": never, "contract range replayed": 3 * batches, "unreadable discarded": 5}
	if got := g.fates(); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("fates %v, want %v", got, want)
	}
	if got := labelled(g.http, `headwater_quarantine_replayed_total{outcome="landed"}`); got != 3 {
		t.Errorf("%v replayed readings are counted since the start", got)
	}
	for _, r := range g.scan("readings", "--columns", "seq,value,contract", "--where", "device = 'held-1'") {
		if r[2] == "limited@1.1.0" != strings.HasPrefix(r[1], "50") {
			t.Errorf("reading %v is under the wrong contract", r)
		}
	}
	t.Run("read by others", func(t *testing.T) {
		seen := read(t, need.Python(t), g)
		for reader, s := range map[string]int64{"PyIceberg": seen.PyIceberg.Distinct, "DuckDB": seen.DuckDB.Distinct} {
			if s != int64(5*batches) || seen.PyIceberg.Rows != s || seen.DuckDB.Rows != s {
				t.Errorf("%s sees %d readings, want %d once", reader, s, 5*batches)
			}
		}
	})
	g.replayed()
}

// TestQuarantineIsShown shows what is held beside a running gateway and without one, and refuses what cannot be done.
func TestQuarantineIsShown(t *testing.T) {
	g := newGateway(t).start()
	g.apply(below("1.0.0", 100))
	d := dial(t, g.mqtt, "held-2")
	d.hello(1, wire.HelloEpoch{Epoch: 9, Boot: d.boot, State: wire.EpochCurrent})
	d.send(d.values(9, 0, 1, 12345.5, 2))
	d.ack("all readings to have a fate", landed(9, 3))
	run := func(args ...string) string {
		out, err := exec.Command(built.gateway, slices.Concat([]string{"quarantine"}, args, []string{"--data", g.data})...).CombinedOutput()
		if err != nil {
			out = append(out, "\nfailed: "+err.Error()...)
		}
		return string(out)
	}
	for range 2 {
		for want, args := range map[string][]string{
			"contract  range  limited@1.0.0  held-2  held  1        1 ": {"list"},
			"v       12345.5        0        true":                      {"show", "held-2/0000000000000009/1-2"},
			"READINGS  FIRST  LAST  EXAMPLE\n":                          {"list", "--device", "another"},
			"quarantine has no such row":                                {"show", "held-2/0000000000000009/2-3"},
			"say which rows":                                            {"replay"},
			"want a time such as":                                       {"list", "--since", "yesterday"},
			"want DEVICE/EPOCH/FROM-TO":                                 {"show", "held-2/9"},
			"replay: 0 readings of 0 records":                           {"replay", "--since", "2099-01-01T00:00:00Z"},
			"anchor synced":                                             {"show", "held-2/0000000000000009"},
		} {
			if got := run(args...); !strings.Contains(got, want) {
				t.Errorf("quarantine %q printed\n%s\nwant %q in it", args, got, want)
			}
		}
		if !g.ended() {
			g.stop(t)
		}
	}
	if got := run("discard", "--all"); !strings.Contains(got, "no gateway runs") || !strings.Contains(got, "failed") {
		t.Errorf("discard without a gateway printed %s", got)
	}
	g.start()
	clone := dial(t, g.mqtt, "held-2")
	clone.hello(2, wire.HelloEpoch{Epoch: 9, Boot: clone.boot, State: wire.EpochCurrent})
	clone.send(clone.values(9, 0, 7, 8, 9, 10)) // other bytes under the same seqs, and one that is new
	place := ""
	waitFor(t, "the evidence of a clone", func() bool {
		for _, r := range g.scan("quarantine", "--columns", "log_id,partition,offset", "--where", "reason = 'seqs_conflict' and fate = 'held'") {
			place = strings.Join(r, ":")
		}
		return place != ""
	})
	for _, c := range []struct {
		want string
		args []string
	}{
		{"seqs_conflict", []string{"show", place}},
		{"they can only be discarded", []string{"replay", place}},
		{"1 rows hold no reading", []string{"replay", "--device", "held-2"}},
		{"1 rows without seqs discarded", []string{"discard", place}},
		{"discard: 0 readings of 0 records", []string{"discard", place}},
		{"1 readings of 1 records: 0 landed, 0 were there already, 1 discarded", []string{"discard", "--all"}},
	} {
		if got := run(c.args...); !strings.Contains(got, c.want) {
			t.Errorf("quarantine %q printed\n%s\nwant %q in it", c.args, got, c.want)
		}
	}
	if a := g.ledger("held-2"); !a.Balanced || a.Quarantined != 1 || a.Landed != 3 {
		t.Errorf("the ledger says %+v", a)
	}
}

// TestPoisonIsReplayedOnceCured replays a batch that takes the gateway down whenever it is opened. It stays held, landing goes
// on, and a gateway that can open it lands it.
func TestPoisonIsReplayedOnceCured(t *testing.T) {
	const epoch record.Epoch = 0xd1e
	poison := "HEADWATER_DIE_AT=open poison"
	g := newGateway(t).start(poison)
	d := dial(t, g.mqtt, "poison")
	d.hello(1, wire.HelloEpoch{Epoch: epoch, Boot: d.boot, State: wire.EpochCurrent})
	dies := func(times int) {
		t.Helper()
		for range times {
			g.launch(poison)
			waitFor(t, "the gateway to die again", g.ended)
		}
	}
	d.publish(d.batch(epoch, 0, 10))
	waitFor(t, "the gateway to die", g.ended)
	dies(2)
	g.start(poison)
	waitFor(t, "the poison to be in quarantine", func() bool { return g.ledger("poison").Quarantined == 10 })

	if r := g.decide("replay", "--device", "poison"); r.status != 1 || r.Landed != 0 {
		t.Errorf("the gateway was to die of it: %+v", r)
	}
	waitFor(t, "the gateway to die of the replay", g.ended)
	dies(2)
	g.start(poison)
	other := dial(t, g.mqtt, "bystander")
	other.hello(1, wire.HelloEpoch{Epoch: 1, Boot: other.boot, State: wire.EpochCurrent})
	other.send(other.batch(1, 0, 10))
	other.ack("readings of others to land", landed(1, 10))
	if got := fmt.Sprint(g.fates()); got != "map[unopened held:10]" {
		t.Errorf("fates %s", got)
	}
	g.stop(t)

	g.start()
	if r := g.decide("replay", "--reason", "unopened"); r.status != 0 || r.Landed != 10 {
		t.Errorf("replay by a gateway that can open it: %+v", r)
	}
	if a := g.ledger("poison"); !a.Balanced || a.Landed != 10 || a.Present != 10 || a.Quarantined != 0 {
		t.Errorf("the ledger says %+v", a)
	}
}

// TestReplaysAmidKills kills the gateway at random moments while one replay after the other is cut off, and live data of
// another device comes in.
func TestReplaysAmidKills(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	kills := 4
	if os.Getenv("HEADWATER_E2E") == "heavy" {
		kills = 40
	}
	g := newGateway(t).start()
	g.apply(below("1.0.0", 100))
	live := newAgent(t, "live", g.mqtt, counting, "outbox: {flush_interval: 1s}").start()
	d := dial(t, g.mqtt, "held-3")
	d.hello(1, wire.HelloEpoch{Epoch: 9, Boot: d.boot, State: wire.EpochCurrent})
	batches := uint64(100 * kills)
	for i := range batches {
		d.send(d.values(9, 4*i, 1, 500, 501, 2))
	}
	d.ack("all readings to have a fate", landed(9, 4*batches))
	g.apply(below("1.1.0", 1000))
	for range kills {
		cut := make(chan decided, 1) // one result
		go func() { cut <- g.decide("replay", "--device", "held-3", "--rate", "50") }()
		select {
		case <-time.After(time.Duration(200+rng.IntN(2500)) * time.Millisecond):
		case r := <-cut:
			t.Fatalf("it was over before its kill: %+v", r)
		}
		g.kill()
		if r := <-cut; r.status != 1 || r.Landed > 2*batches {
			t.Errorf("a replay that was cut off: %+v", r)
		}
		g.start()
		if a := g.ledger("held-3"); !a.Balanced || a.Duplicates != 0 || a.Landed+a.Quarantined != int64(4*batches) {
			t.Fatalf("the ledger says %+v", a)
		}
	}
	if r := g.decide("replay", "--device", "held-3"); r.status != 0 || len(r.Held) > 0 {
		t.Errorf("the last replay: %+v", r)
	}
	a := g.ledger("held-3")
	if a.exact(t); a.Landed != int64(4*batches) {
		t.Errorf("the ledger says %+v", a)
	}
	accepted := live.accepted()
	live.stop(t)
	live.drain()
	g.settled("live", int64(accepted)).exact(t)
	g.replayed()
}
