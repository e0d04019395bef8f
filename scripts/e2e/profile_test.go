package e2e

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

// profileOf is a row of `headwater-gateway profile --json`.
type profileOf struct {
	Device string   `json:"device"`
	Series string   `json:"series"`
	Day    string   `json:"day"`
	Count  int64    `json:"count"`
	Min    *float64 `json:"min"`
	Max    *float64 `json:"max"`
}

// profiles returns the readings that the rows of a device speak of; a key that has two rows ends the test.
func (g *gateway) profiles(device string) (readings int64) {
	g.t.Helper()
	var out struct {
		Profiles []profileOf `json:"profiles"`
	}
	text := g.command("profile", "--device", device, "--json")
	if err := json.Unmarshal([]byte(text), &out); err != nil {
		g.t.Fatalf("profile printed %q: %v", text, err)
	}
	seen := map[string]bool{}
	for _, p := range out.Profiles {
		key := fmt.Sprint(p.Device, p.Series, p.Day)
		if seen[key] || p.Device != device || p.Count > 0 && (p.Min == nil || p.Max == nil) {
			g.t.Fatalf("profile printed %s", text)
		}
		seen[key] = true
		readings += p.Count
	}
	return readings
}

// TestKilledJobLeavesOneRowPerKey lets the gateway die at each step of the transaction that replaces profiles.
func TestKilledJobLeavesOneRowPerKey(t *testing.T) {
	g := newGateway(t)
	g.configure("profile: {every: 300ms}\n")
	a := newAgent(t, "profiled", g.mqtt, counting, "outbox: {flush_interval: 1s}").start()
	for _, step := range []string{"files profile", "manifests profile", "metadata profile", "swap profile"} {
		g.launch("HEADWATER_DIE_AT=" + step)
		a.kill() // one that has been turned away so often waits for minutes; a fresh one does not
		a.start()
		waitFor(t, "the gateway to die at "+step, g.ended)
		if n, landed := g.profiles("profiled"), g.ledger("profiled").Present; n > landed {
			t.Fatalf("died at %s: profiles of %d readings, and there are %d", step, n, landed)
		}
	}
	g.start()
	accepted := a.metric("headwater_outbox_accepted_total")
	a.stop(t)
	a.drain()
	present := g.settled("profiled", int64(accepted)).Present
	waitFor(t, "profiles of all readings", func() bool { return present > 0 && g.profiles("profiled") == present })
	if text := g.command("profile"); !strings.Contains(text, "DRIFT") || strings.Count(text, "profiled") == 0 {
		t.Errorf("profile printed %s", text)
	} else {
		t.Logf("\n%s", text)
	}
}
