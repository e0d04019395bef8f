package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/headwater-iot/headwater/shared/need"
)

// agentFor builds the agent for another platform, as it is shipped.
func agentFor(t *testing.T, platform string) string {
	t.Helper()
	dir := t.TempDir()
	build := exec.Command(filepath.Join(need.Repo(t), "scripts", "cross.sh"), platform)
	// The size is the matter of make size.
	build.Env = append(os.Environ(), "OUT="+dir, "PROGRAM=agent", "AGENT_TAGS=nethttpomithttp2", "AGENT_LIMIT=1000000000")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build the agent for %s: %v\n%s", platform, err, out)
	}
	return filepath.Join(dir, "headwater-agent-linux-"+strings.ReplaceAll(platform, "/", "-"))
}

// TestAgentForARM sends from an emulated agent to a gateway of this machine: connected, killed, and with a backlog on
// flash from a time without a gateway. Every reading lands once.
func TestAgentForARM(t *testing.T) {
	for _, c := range []struct{ qemu, platform string }{{"qemu-arm", "arm/6"}, {"qemu-aarch64", "arm64"}} {
		t.Run(c.platform, func(t *testing.T) {
			g := newGateway(t).start()
			sensors := counting + "  - {name: air, interval: 100ms, bme280: {bus: sim, seed: 1}}\n"
			a := newAgent(t, "emulated", g.mqtt, sensors, "outbox: {flush_interval: 1s}")
			a.command = []string{need.Tool(t, c.qemu, "apt-get install qemu-user"), agentFor(t, c.platform)}
			accepted := 0
			lives := func(until func() bool) { // one life of the agent, ended by a kill
				a.start()
				waitFor(t, "the emulated agent to go on", until)
				accepted += int(a.metric("headwater_outbox_accepted_total"))
				a.kill()
			}
			lives(func() bool { return g.ledger("emulated").Landed >= 200 })
			g.kill()
			lives(func() bool { return a.metric("headwater_outbox_flash_writes_total") >= 3 })
			g.start()
			a.drain()
			acc := g.settled("emulated", int64(accepted))
			acc.exact(t)
			if missing, doubled := holes(g.epochs("emulated")); missing != 0 || doubled != 0 {
				t.Errorf("%d counts lost, %d doubled, of %d", missing, doubled, acc.Landed)
			}
		})
	}
}
