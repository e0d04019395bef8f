package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Bad days of a device's card, the file system of its data directory. The gateway's are in badday_test.go.

// sparing is an outbox that holds little and leaves little to others.
const sparing = "outbox: {flush_interval: 1s, ring_size: 1MiB, quota: 4MiB, reserve: 1MiB}"

// condition returns the detail of a condition that the agent's page shows, "" where it does not.
func (a *agent) condition(code string) string {
	resp, err := http.Get("http://" + a.http + "/status")
	if err != nil {
		return ""
	}
	defer resp.Body.Close()
	var doc struct {
		Conditions []struct{ Code, Detail string } `json:"conditions"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&doc); err != nil {
		return ""
	}
	for _, c := range doc.Conditions {
		if c.Code == code {
			return c.Detail + " " // a condition without a detail shows, too
		}
	}
	return ""
}

const flashWrites = "headwater_outbox_flash_writes_total"

// writes waits until the agent has written to its card twice more.
func (a *agent) writes() {
	a.t.Helper()
	before := max(0, a.metric(flashWrites))
	waitFor(a.t, "readings to go to flash", func() bool { return a.metric(flashWrites) >= before+2 })
}

func remove(t *testing.T, path string) {
	t.Helper()
	if err := os.RemoveAll(path); err != nil {
		t.Fatal(err)
	}
}

// fillers are ways of somebody else to fill a card. Each returns what makes room again.
func fillers() map[string]func(t *testing.T, dir string) (empty func()) {
	leave := func(bytes int64) func(*testing.T, string) func() {
		return func(t *testing.T, dir string) func() {
			file := ballast(t, dir, bytes)
			return func() { remove(t, file) }
		}
	}
	return map[string]func(*testing.T, string) func(){
		"into the reserve": leave(600 << 10),
		"to the last byte": leave(0),
		"to the last inode": func(t *testing.T, dir string) func() {
			crowd := filepath.Join(dir, "crowd")
			if err := os.Mkdir(crowd, 0o755); err != nil {
				t.Fatal(err)
			}
			for i := 0; os.WriteFile(filepath.Join(crowd, fmt.Sprint(i)), nil, 0o600) == nil; i++ {
			}
			return func() { remove(t, crowd) }
		},
	}
}

// TestCardFull lets somebody else fill an agent's card while there is no gateway. It samples on, into the ring where the
// card takes nothing, and says so. What it held stays, and nothing of the reserve is taken. With room again all lands.
func TestCardFull(t *testing.T) {
	for name, fill := range fillers() {
		t.Run(name, func(t *testing.T) {
			t.Parallel() // they mostly wait
			g := newGateway(t)
			a := newAgent(t, "card", g.mqtt, counting, sparing)
			ext4(t, a.data, 16)
			a.start().writes()
			empty := fill(t, a.data)
			left, _ := free(t, a.data)
			if left < 1<<20 {
				waitFor(t, "the agent to say what to free", func() bool {
					return strings.Contains(a.condition("outbox-full"), a.data) && a.condition("outbox-flash-fails") != ""
				})
			}
			a.accepts(300)
			if now, _ := free(t, a.data); left < 1<<20 && now < left {
				t.Errorf("the agent took %d bytes of what is left to others", left-now)
			}
			empty()
			a.writes()
			waitFor(t, "the agent to say that flash works", func() bool { return a.condition("outbox-flash-fails") == "" })
			g.start()
			fate(t, g, a, "card")
		})
	}
}

// TestCardFullAtStop stops an agent whose card takes nothing: what is left waits in the ring, on tmpfs, and what the card
// holds is there for the start, which finds it as full.
func TestCardFullAtStop(t *testing.T) {
	for name, fill := range fillers() {
		t.Run(name, func(t *testing.T) {
			t.Parallel() // they mostly wait
			g := newGateway(t)
			a := newAgent(t, "card", g.mqtt, counting, sparing)
			ext4(t, a.data, 16)
			a.start().writes()
			empty := fill(t, a.data)
			for range 2 {
				a.accepts(150)
				a.killed = a.accepted()
				a.stop(t) // it may well say that it could not write everything
				a.start()
				waitFor(t, "the agent to sample", func() bool { return a.metric("headwater_outbox_accepted_total") > 0 })
			}
			empty()
			g.start()
			fate(t, g, a, "card")
		})
	}
}

// TestCardTooSmall gives an agent less room than its quota: the oldest readings are given up before the reserve is
// touched, and each is counted.
func TestCardTooSmall(t *testing.T) {
	const rows = 700_000 // more than the card takes
	g := newGateway(t)
	a := newAgent(t, "card", g.mqtt, fmt.Sprintf("  - {name: noise, replay: {files: [%s], times: original}}\n", noiseFile(t, rows)),
		"outbox: {flush_interval: 1s, ring_size: 1MiB, quota: 64MiB, reserve: 1MiB}")
	ext4(t, a.data, 8)
	a.start()
	least, _ := free(t, a.data)
	waitFor(t, "all rows to be accepted, and the oldest to be given up", func() bool {
		now, _ := free(t, a.data)
		least = min(least, now)
		return a.metric("headwater_outbox_accepted_total") >= rows && a.metric("headwater_outbox_dropped_total") > 0
	})
	if least < 1<<20 {
		t.Errorf("%d bytes were left to others", least)
	}
	if a.condition("outbox-full") == "" {
		t.Error("nobody says that readings are given up")
	}
	a.stop(t)
	g.start()
	a.drain()
	acc := g.settled("card", 1)
	if !acc.Balanced || acc.Accepted != rows || acc.Gaps == 0 || acc.Landed+acc.Gaps != rows || acc.Presumed != 0 || acc.Present != acc.Landed {
		t.Errorf("the ledger says %+v; want %d accepted, all landed or in gaps", acc, rows)
	}
	t.Logf("%d landed, %d given up; at least %d bytes were left to others", acc.Landed, acc.Gaps, least)
}

// TestCardReadOnly lets a card go read-only under a running agent, as ext4 does after an error of the medium. It samples on
// and sends. A start keeps readings in memory; mounted again and started anew, what the card holds lands, too.
func TestCardReadOnly(t *testing.T) {
	g := newGateway(t)
	a := newAgent(t, "card", g.mqtt, counting, sparing)
	loop := ext4(t, a.data, 16)
	a.start().writes()
	command(t, "mount", "-o", "remount,abort", a.data)
	waitFor(t, "the agent to say that flash fails", func() bool { return strings.Contains(a.condition("outbox-flash-fails"), "read-only") })
	a.accepts(100)
	a.killed = a.accepted()
	a.stop(t)
	a.start()
	waitFor(t, "the agent to say where readings are", func() bool { return strings.Contains(a.condition("data-not-writable"), "read-only") })
	a.accepts(100)
	g.start()
	held := int64(a.accepted() - a.killed)
	waitFor(t, "what is in memory to land", func() bool { return g.ledger("card").Landed >= held })
	a.killed = a.accepted()
	a.stop(t)
	command(t, "umount", a.data)
	command(t, "mount", "-t", "ext4", "-o", "errors=remount-ro", loop, a.data)
	a.start().accepts(10)
	fate(t, g, a, "card")
}

// closed waits until so many accepted readings of the device have landed or are in gaps, and returns its account.
func (g *gateway) closed(device string, accepted int64) (acc account) {
	g.t.Helper()
	waitFor(g.t, "all to be landed or given up", func() bool {
		acc = g.ledger(device)
		return acc.Accepted >= accepted && acc.Pending == 0
	})
	return acc
}

// TestCardDeleted deletes an agent's data directory. What was on it is presumed lost, and counted; what the ring held, and
// what came later, lands.
func TestCardDeleted(t *testing.T) {
	g := newGateway(t)
	a := newAgent(t, "card", g.mqtt, counting, sparing).start()
	a.writes()
	flashed := a.accepted()
	remove(t, a.data)
	waitFor(t, "the agent to say that flash fails", func() bool { return strings.Contains(a.condition("outbox-flash-fails"), "no such file") })
	a.accepts(100)
	accepted := a.accepted()
	a.stop(t)
	g.start()
	a.drain()
	acc := g.closed("card", int64(accepted))
	if lost := acc.Gaps + acc.Presumed; !acc.Balanced || acc.Landed+lost != acc.Accepted || lost > int64(flashed) || acc.Landed != acc.Present {
		t.Errorf("the ledger says %+v; %.0f were accepted before the directory went", acc, flashed)
	}
}

// TestCardGarbled spoils the files of an agent, stopped and running: it starts, sends what can be read, and says what
// cannot.
func TestCardGarbled(t *testing.T) {
	spoil := map[string]func(path string) error{
		"truncated": func(path string) error { return os.Truncate(path, 4096) },
		"emptied":   func(path string) error { return os.Truncate(path, 0) },
		"garbage": func(path string) error {
			st, err := os.Stat(path)
			if err != nil {
				return err
			}
			f, err := os.OpenFile(path, os.O_WRONLY, 0)
			if err != nil {
				return err
			}
			defer f.Close()
			_, err = f.WriteAt([]byte(strings.Repeat("\xa5garbage", int(st.Size()/8))), 0)
			return err
		},
	}
	for name, spoil := range spoil {
		if name != "garbage" && !heavy() {
			continue
		}
		for _, files := range []string{"meta.db", "*.seg"} {
			for _, running := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s %s, running %v", name, files, running), func(t *testing.T) {
					t.Parallel() // they mostly wait
					garble(t, files, spoil, running)
				})
			}
		}
	}
}

func garble(t *testing.T, files string, spoil func(path string) error, running bool) {
	g := newGateway(t)
	a := newAgent(t, "card", g.mqtt, counting, sparing).start()
	a.writes()
	if !running {
		a.killed = a.accepted()
		a.stop(t)
	}
	found, err := filepath.Glob(filepath.Join(a.data, "outbox", files))
	if err != nil || len(found) == 0 {
		t.Fatalf("no %s: %v", files, err)
	}
	for _, path := range found {
		if err := spoil(path); err != nil {
			t.Fatal(err)
		}
	}
	if !running {
		a.start()
		waitFor(t, "the agent to say what it has set aside", func() bool { return a.condition("outbox-damaged") != "" })
	}
	a.accepts(300)
	accepted := a.accepted()
	a.stop(t)
	g.start()
	a.drain()
	acc := g.closed("card", int64(accepted))
	if !acc.Balanced || acc.Landed+acc.Gaps+acc.Presumed != acc.Accepted || acc.Landed != acc.Present || acc.Duplicates != 0 || acc.Landed == 0 {
		t.Errorf("the ledger says %+v", acc)
	}
	t.Logf("%.0f accepted; %d landed, %d in gaps, %d presumed", accepted, acc.Landed, acc.Gaps, acc.Presumed)
}

// TestRingTmpfsFull fills the tmpfs of the ring under a running agent, whose ring has its pages, and then deletes the ring:
// the process goes on in what it has mapped.
func TestRingTmpfsFull(t *testing.T) {
	g := newGateway(t)
	a := newAgent(t, "card", g.mqtt, counting, sparing)
	tmpfs(t, a.runDir, 4)
	a.start().writes()
	ballast(t, a.runDir, 0)
	a.accepts(200)
	rings, err := filepath.Glob(filepath.Join(a.runDir, "card-*"))
	if err != nil || len(rings) != 1 {
		t.Fatalf("rings %v: %v", rings, err)
	}
	remove(t, rings[0])
	a.accepts(200)
	g.start()
	fate(t, g, a, "card")
}
