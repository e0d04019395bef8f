package e2e

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/headwater-iot/headwater/shared/need"
)

// deployed returns the text of a file of deploy/.
func deployed(t *testing.T, path ...string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(append([]string{need.Repo(t), "deploy"}, path...)...))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestUnitsAreSound has systemd read the units, and weigh how much each leaves open: 0 is nothing, 100 is everything.
func TestUnitsAreSound(t *testing.T) {
	analyze := need.Tool(t, "systemd-analyze", "apt-get install systemd")
	for name, limit := range map[string]int{"headwater-agent": 25, "headwater-gateway": 20} {
		unit := strings.Replace(deployed(t, "systemd", name+".service"), "/usr/bin/"+name, "/bin/true", 1)
		dir := t.TempDir()
		judge := func(unit string, status int) {
			t.Helper()
			path := filepath.Join(dir, name+".service")
			if err := os.WriteFile(path, []byte(unit), 0o644); err != nil {
				t.Fatal(err)
			}
			output(t, 0, analyze, "verify", "--man=no", path)
			output(t, status, analyze, "security", "--offline=true", "--no-pager", fmt.Sprintf("--threshold=%d", limit), path)
		}
		judge(unit, 0)
		judge(regexp.MustCompile(`(?m)^(SystemCall|Capability|Protect)\w+=.*\n`).ReplaceAllString(unit, ""), 1) // the control
	}
}

// allowed returns the system calls that a unit allows.
func allowed(t *testing.T, analyze, name string) map[string]bool {
	t.Helper()
	lines := regexp.MustCompile(`(?m)^SystemCallFilter=(.*)$`).FindAllStringSubmatch(deployed(t, "systemd", name+".service"), -1)
	if len(lines) != 1 {
		t.Fatalf("%s has %d filters", name, len(lines))
	}
	calls := map[string]bool{}
	for todo := strings.Fields(lines[0][1]); len(todo) > 0; todo = todo[1:] {
		if !strings.HasPrefix(todo[0], "@") {
			calls[todo[0]] = true
			continue
		}
		for line := range strings.Lines(output(t, 0, analyze, "syscall-filter", "--no-pager", todo[0])) {
			if call := strings.TrimSpace(line); strings.HasPrefix(line, "    ") && !strings.HasPrefix(call, "#") {
				todo = append(todo, call)
			}
		}
	}
	return calls
}

// TestUnitsAllowWhatTheProgramsCall lists the system calls of both programs at work: one that the unit forbids would fail
// under systemd and nowhere else.
func TestUnitsAllowWhatTheProgramsCall(t *testing.T) {
	analyze := need.Tool(t, "systemd-analyze", "apt-get install systemd")
	strace := need.Tool(t, "strace", "apt-get install strace")
	traces := t.TempDir()
	// -D: the tracer stands aside, so that the program is the process that is told to stop.
	traced := func(name, program string) []string {
		return []string{strace, "-D", "-f", "-qq", "-e", "signal=none", "-o", filepath.Join(traces, name), program}
	}
	g := newGateway(t)
	sensors := "  - {name: air, interval: 100ms, bme280: {bus: sim, seed: 1}}\n  - {name: machine, interval: 1s, machine: {}}\n"
	a := newAgent(t, "traced", g.mqtt, sensors, "outbox: {flush_interval: 1s}")
	a.command = traced("headwater-agent", built.agent)
	a.start()
	waitFor(t, "readings to go to flash", func() bool { return a.metric("headwater_outbox_flash_writes_total") >= 1 })
	command := append(traced("headwater-gateway", built.gateway), "run", "--data", g.data, "--mqtt", g.mqtt, "--http", g.http)
	g.process = start(t, nil, command[0], command[1:]...)
	waitFor(t, "readings to land", func() bool { return metric(g.http, "headwater_commit_rows_total") >= 100 })
	a.stop(t)
	g.stop(t)

	for _, name := range []string{"headwater-agent", "headwater-gateway"} {
		trace, err := os.ReadFile(filepath.Join(traces, name))
		if err != nil {
			t.Fatal(err)
		}
		may, forbidden := allowed(t, analyze, name), map[string]bool{}
		calls := regexp.MustCompile(`(?m)^\d+ +([a-z0-9_]+)\(`).FindAllStringSubmatch(string(trace), -1)
		for _, call := range calls {
			if !may[call[1]] {
				forbidden[call[1]] = true
			}
		}
		if len(forbidden) > 0 || len(calls) < 100 {
			t.Errorf("%s made %d calls, and its unit forbids %q", name, len(calls), slices.Sorted(maps.Keys(forbidden)))
		}
		if may["adjtimex"] != (name == "headwater-agent") || may["mount"] {
			t.Errorf("the calls that %s may make were not read from its unit", name)
		}
	}
}

// TestRouterService runs the init script of a router with the functions of procd written down.
func TestRouterService(t *testing.T) {
	script := filepath.Join(need.Repo(t), "deploy", "openwrt", "headwater-agent.init")
	got := output(t, 0, "sh", "-euc", `
		for f in procd_open_instance procd_set_param procd_close_instance mkdir chown chmod group_add_next user_add; do
			eval "$f() { echo $f \"\$*\"; }"
		done
		group_exists() { return 1; }
		user_exists() { return 1; }
		. "$0"
		start_service`, script)
	for _, line := range []string{
		"procd_set_param command /usr/bin/headwater-agent run --config /etc/headwater/agent.yaml --data /srv/headwater-agent",
		"procd_set_param user headwater", "procd_set_param respawn 3600 5 0", "group_add_next headwater",
	} {
		if !strings.Contains(got, line) {
			t.Errorf("no %q in\n%s", line, got)
		}
	}
	config := filepath.Join(need.Repo(t), "deploy", "openwrt", "agent.yaml")
	if text := output(t, 0, built.agent, "check", "--config", config); !strings.Contains(text, "data: /srv/headwater-agent\n") {
		t.Errorf("script and configuration name different directories:\n%s", text)
	}
}

// TestCheckWarnsOfMemory: a configuration as somebody writes it on OpenWrt, where /var is memory.
func TestCheckWarnsOfMemory(t *testing.T) {
	memory, err := os.MkdirTemp("/dev/shm", "headwater-e2e-")
	if err != nil {
		t.Skipf("no tmpfs: %v", err)
	}
	defer os.RemoveAll(memory)
	for _, program := range []string{built.agent, built.gateway} {
		for dir, warned := range map[string]bool{memory: true, need.Repo(t): false} {
			config := filepath.Join(t.TempDir(), "config.yaml")
			if err := os.WriteFile(config, []byte("data: "+filepath.Join(dir, "data")+"\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			got := output(t, 0, program, "check", "--config", config)
			if strings.Contains(got, "WARNING: the data directory") != warned {
				t.Errorf("%s check with data in %s says\n%s", filepath.Base(program), dir, got)
			}
		}
	}
}
