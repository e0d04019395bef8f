package app_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"os/signal"
	"runtime/pprof"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/headwater-iot/headwater/gateway/internal/app"
	"github.com/headwater-iot/headwater/gateway/internal/settings"
)

// What a process of this binary is to be, and its arguments.
const (
	roleVar     = "HEADWATER_BENCH_ROLE"
	roleGateway = "gateway"
	rolePlain   = "plain"
	dirVar      = "HEADWATER_BENCH_DIR"
	profileVar  = "HEADWATER_BENCH_PROFILE"
	loadVar     = "HEADWATER_BENCH_LOAD"
	tunedVar    = "HEADWATER_BENCH_TUNED"

	contractsVar = "HEADWATER_BENCH_CONTRACTS"
)

// gatewayMain is a gateway with its defaults, on free ports.
func gatewayMain() int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	logger := slog.New(slog.NewJSONHandler(os.Stdout, nil))
	profiled, err := startProfile()
	if err != nil {
		logger.Error("no profile", "err", err)
		return 1
	}
	defer profiled()
	s := settings.Default()
	s.Data, s.MQTT.Listen, s.HTTP.Listen = os.Getenv(dirVar), "127.0.0.1:0", "127.0.0.1:0"
	s.Contracts.Dir = os.Getenv(contractsVar)
	if err := app.Run(ctx, s, app.Options{Logger: logger}); err != nil {
		logger.Error("gateway failed", "err", err)
		return 1
	}
	return 0
}

// startProfile writes a CPU profile if one is asked for.
func startProfile() (stop func(), err error) {
	path := os.Getenv(profileVar)
	if path == "" {
		return func() {}, nil
	}
	f, err := os.Create(path)
	if err != nil {
		return nil, err
	}
	return func() {
		pprof.StopCPUProfile()
		_ = f.Close() // a short profile is found when it is read
	}, pprof.StartCPUProfile(f)
}

// gateway is a running gateway process.
type gateway struct {
	cmd  *exec.Cmd
	mqtt string        // where it serves devices
	log  chan []string // what it logged since, once it has ended
}

// again returns a command that runs this binary in a role.
func again(b *testing.B, env ...string) *exec.Cmd {
	b.Helper()
	self, err := os.Executable()
	if err != nil {
		b.Fatal(err)
	}
	cmd := exec.CommandContext(b.Context(), self)
	cmd.Env, cmd.Stderr = append(os.Environ(), env...), os.Stderr
	return cmd
}

// startGateway returns once devices are served.
func startGateway(b *testing.B, dir, profile string) *gateway {
	b.Helper()
	g := &gateway{log: make(chan []string, 1)}
	g.cmd = again(b, roleVar+"="+roleGateway, dirVar+"="+dir, profileVar+"="+profile)
	out, err := g.cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := g.cmd.Start(); err != nil {
		b.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	for said := ""; g.mqtt == ""; said = lines.Text() {
		if !lines.Scan() {
			b.Fatalf("the gateway ended before it served devices; it said %s", said)
		}
		var line struct{ Msg, MQTT string }
		if err := json.Unmarshal(lines.Bytes(), &line); err == nil && line.Msg == "ready" {
			g.mqtt = line.MQTT
		}
	}
	go func() { // stop waits for it
		var all []string
		for lines.Scan() {
			all = append(all, lines.Text())
		}
		g.log <- all
	}()
	return g
}

// stop ends the gateway and returns the CPU time it has used, user and system.
func (g *gateway) stop(b *testing.B) time.Duration {
	b.Helper()
	if err := g.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		b.Fatal(err)
	}
	said := <-g.log
	if err := g.cmd.Wait(); err != nil {
		b.Fatalf("gateway: %v\n%s", err, strings.Join(said, "\n"))
	}
	return g.cmd.ProcessState.UserTime() + g.cmd.ProcessState.SystemTime()
}

func (g *gateway) peakMB(b *testing.B) float64 {
	b.Helper()
	mb, err := peakMB(fmt.Sprint(g.cmd.Process.Pid))
	if err != nil {
		b.Fatal(err)
	}
	return mb
}

// peakMB is the largest resident memory of a process so far. The figure of wait4 would not do: it counts what the
// parent had at the fork.
func peakMB(pid string) (float64, error) {
	text, err := os.ReadFile("/proc/" + pid + "/status")
	if err != nil {
		return 0, err
	}
	_, rest, _ := strings.Cut(string(text), "VmHWM:")
	kb := 0.0
	if _, err := fmt.Sscanf(rest, "%f kB", &kb); err != nil {
		return 0, fmt.Errorf("read the peak memory of process %s: %w", pid, err)
	}
	return kb / 1000, nil
}
