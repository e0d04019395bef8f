package e2e

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// patience bounds every wait: long, because CI shares two cores; a wait that
// runs out fails the test, none is ever slept through.
const patience = 90 * time.Second

// bins is where TestMain put the binaries.
type bins struct{ agent, gateway string }

var built bins // set once by TestMain, read only after

func TestMain(m *testing.M) { os.Exit(testMain(m)) }

func testMain(m *testing.M) int {
	dir, err := os.MkdirTemp("", "headwater-e2e-")
	if err != nil {
		fmt.Fprintln(os.Stderr, "make room for the binaries:", err)
		return 1
	}
	defer os.RemoveAll(dir)
	// What is tested is what is shipped, out of the same build cache.
	build := exec.Command("make", "--no-print-directory", "-C", "../..", "build", "BIN="+dir+"/")
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "build the binaries: %v\n%s", err, out)
		return 1
	}
	built = bins{filepath.Join(dir, "headwater-agent"), filepath.Join(dir, "headwater-gateway")}
	return m.Run()
}

// waitFor asks until the answer is yes.
func waitFor(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.After(patience)
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-deadline:
			t.Fatalf("still waiting for %s after %s", what, patience)
		case <-tick.C:
		}
	}
}

// process is a running binary whose log the test can read.
type process struct {
	cmd  *exec.Cmd
	done chan struct{} // closed when it has ended and its log is complete

	mu  sync.Mutex
	log bytes.Buffer
}

func start(t *testing.T, env []string, bin string, args ...string) *process {
	t.Helper()
	p := &process{cmd: exec.Command(bin, args...), done: make(chan struct{})}
	p.cmd.Env = append(os.Environ(), env...)
	pipe, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	p.cmd.Stdout, p.cmd.Stderr = w, w
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	w.Close()
	go func() {
		defer close(p.done)
		lines := bufio.NewReader(pipe)
		for {
			line, err := lines.ReadBytes('\n')
			p.mu.Lock()
			p.log.Write(line)
			p.mu.Unlock()
			if err != nil {
				break
			}
		}
		pipe.Close()
		_ = p.cmd.Wait()
	}()
	t.Cleanup(func() {
		p.kill()
		if t.Failed() {
			t.Logf("log of %s %s:\n%s", filepath.Base(bin), strings.Join(args, " "), tail(p.text(), 6000))
		}
	})
	return p
}

func tail(s string, n int) string { return s[max(0, len(s)-n):] }

func (p *process) text() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.log.String()
}

func (p *process) ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// kill is kill -9.
func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	<-p.done
}

// stop is what an init system does; it returns the exit status.
func (p *process) stop(t *testing.T) int {
	t.Helper()
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	waitFor(t, "the process to stop", p.ended)
	return p.cmd.ProcessState.ExitCode()
}

// freePort returns a port that was free a moment ago.
func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// gateway is a gateway that can be killed and started again on the same ports.
type gateway struct {
	t                *testing.T
	data, mqtt, http string
	config           string // file that says how devices come in; "" = by the embedded broker
	args             []string
	*process
}

func newGateway(t *testing.T) *gateway {
	return &gateway{t: t, data: filepath.Join(t.TempDir(), "gateway"), mqtt: freePort(t), http: freePort(t)}
}

// start runs the gateway and waits until it says that it is ready.
func (g *gateway) start(env ...string) *gateway {
	g.t.Helper()
	g.launch(env...)
	waitFor(g.t, "the gateway to be ready", func() bool {
		if g.ended() {
			g.t.Fatalf("the gateway ended: %s", tail(g.text(), 3000))
		}
		resp, err := http.Get("http://" + g.http + "/readyz")
		if err != nil {
			return false
		}
		resp.Body.Close()
		return resp.StatusCode == http.StatusOK
	})
	return g
}

// launch runs the gateway and does not wait.
func (g *gateway) launch(env ...string) {
	door := []string{"--mqtt", g.mqtt}
	if g.config != "" {
		door = []string{"--config", g.config}
	}
	args := slices.Concat([]string{"run", "--data", g.data, "--http", g.http}, door, g.args)
	g.process = start(g.t, env, built.gateway, args...)
}

// command runs a read-only subcommand and returns its output.
func (g *gateway) command(args ...string) string {
	g.t.Helper()
	args = append([]string{args[0], "--data", g.data}, args[1:]...)
	cmd := exec.Command(built.gateway, args...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil && stderr.Len() > 0 {
		g.t.Fatalf("headwater-gateway %s: %v\n%s", strings.Join(args, " "), err, stderr.String())
	}
	return string(out)
}

// account is one device's line of the ledger.
type account struct {
	Device      string `json:"device"`
	Accepted    int64  `json:"accepted"`
	Landed      int64  `json:"landed"`
	Present     int64  `json:"present"`
	Duplicates  int64  `json:"duplicates"`
	Quarantined int64  `json:"quarantined"`
	Gaps        int64  `json:"gaps"`
	Presumed    int64  `json:"presumed"`
	PresumedMax int64  `json:"presumed_max"`
	Pending     int64  `json:"pending"`
	Difference  int64  `json:"difference"`
	Balanced    bool   `json:"balanced"`
}

func (g *gateway) ledger(device string) account {
	g.t.Helper()
	var doc struct {
		Devices []account `json:"devices"`
	}
	out := g.command("ledger", "--device", device, "--json")
	if err := json.Unmarshal([]byte(out), &doc); err != nil {
		g.t.Fatalf("ledger printed %q: %v", out, err)
	}
	for _, a := range doc.Devices {
		if a.Device == device {
			return a
		}
	}
	return account{Device: device}
}

// settled waits until nothing of the device is pending, and returns its account.
func (g *gateway) settled(device string, atLeast int64) account {
	g.t.Helper()
	var a account
	defer func() {
		if g.t.Failed() {
			g.t.Logf("the ledger says %+v", a)
		}
	}()
	waitFor(g.t, fmt.Sprintf("%d readings of %s to land", atLeast, device), func() bool {
		a = g.ledger(device)
		return a.Landed >= atLeast && a.Pending == 0
	})
	return a
}

// exact fails unless nothing is lost and nothing is doubled.
func (a account) exact(t *testing.T) {
	t.Helper()
	if !a.Balanced || a.Difference != 0 || a.Accepted != a.Landed || a.Landed != a.Present || a.Duplicates != 0 {
		t.Errorf("want every accepted reading landed once, the ledger says %+v", a)
	}
}

// scan returns the rows of a table as CSV records without the header.
func (g *gateway) scan(table string, args ...string) [][]string {
	g.t.Helper()
	out := g.command(append(append([]string{"scan"}, args...), "--format", "csv", table)...)
	lines := strings.Split(strings.TrimSpace(out), "\n")
	var rows [][]string
	for _, l := range lines[min(1, len(lines)):] {
		rows = append(rows, strings.Split(l, ","))
	}
	return rows
}

// agent is an agent that can be killed and started again.
type agent struct {
	t                    *testing.T
	config, data, runDir string
	http                 string
	command              []string // the program, behind its emulator where it has one
	killed               float64  // readings that processes of it had accepted, as they said, when they were killed
	*process
}

// newAgent writes a configuration; sensors is its YAML list.
func newAgent(t *testing.T, device, broker, sensors string, more ...string) *agent {
	t.Helper()
	dir := t.TempDir()
	ring, err := os.MkdirTemp("/dev/shm", "headwater-e2e-")
	if err != nil {
		t.Fatalf("a tmpfs is needed for the ring: %v", err)
	}
	t.Cleanup(func() { os.RemoveAll(ring) })
	a := &agent{t: t, config: filepath.Join(dir, "agent.yaml"), data: filepath.Join(dir, "data"), runDir: ring, http: freePort(t)}
	a.command = []string{built.agent}
	text := fmt.Sprintf("device: %s\nrun_dir: %s\nuplink:\n  broker: tcp://%s\nhttp:\n  listen: %s\n%s\nsensors:\n%s",
		device, ring, broker, a.http, strings.Join(more, "\n"), sensors)
	if err := os.WriteFile(a.config, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return a
}

func (a *agent) start(env ...string) *agent {
	a.t.Helper()
	command := append(a.command, "run", "--config", a.config, "--data", a.data)
	a.process = start(a.t, env, command[0], command[1:]...)
	return a
}

// kill is kill -9, and remembers what is owed.
func (a *agent) kill() {
	a.killed = a.accepted()
	a.process.kill()
}

// accepted returns how many readings the agent has accepted so far, over its kills.
func (a *agent) accepted() float64 {
	return a.killed + max(0, a.metric("headwater_outbox_accepted_total"))
}

// noTmpfs gives the agent a run directory on a disk, so that its ring is on the heap.
func (a *agent) noTmpfs() {
	a.t.Helper()
	text, err := os.ReadFile(a.config)
	if err == nil {
		err = os.WriteFile(a.config, bytes.Replace(text, []byte(a.runDir), []byte(a.t.TempDir()), 1), 0o644)
	}
	if err != nil {
		a.t.Fatal(err)
	}
}

// drain runs the agent without sensors, so that what it holds is sent and nothing is added.
func (a *agent) drain() *agent {
	a.t.Helper()
	text, err := os.ReadFile(a.config)
	if err != nil {
		a.t.Fatal(err)
	}
	head, _, _ := strings.Cut(string(text), "\nsensors:")
	if err := os.WriteFile(a.config, []byte(head+"\nsensors: []\n"), 0o644); err != nil {
		a.t.Fatal(err)
	}
	return a.start()
}

// metric returns the sum of the samples of a metric, -1 where the agent does not answer.
func (a *agent) metric(name string) float64 { return metric(a.http, name) }

func metric(addr, name string) float64 {
	client := http.Client{Timeout: 2 * time.Second}
	resp, err := client.Get("http://" + addr + "/metrics")
	if err != nil {
		return -1
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return -1
	}
	sum, found := 0.0, false
	for line := range strings.Lines(string(body)) {
		rest, ok := strings.CutPrefix(line, name)
		if !ok || rest[0] != ' ' && rest[0] != '{' {
			continue
		}
		fields := strings.Fields(rest)
		if v, err := strconv.ParseFloat(fields[len(fields)-1], 64); err == nil {
			sum, found = sum+v, true
		}
	}
	if !found {
		return -1
	}
	return sum
}
