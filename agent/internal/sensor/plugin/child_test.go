package plugin

import (
	"encoding/hex"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/headwater-iot/headwater/shared/meter"
)

// childEnv makes the binary of the tests a plug-in.
const childEnv = "HEADWATER_TEST_PLUGIN"

// A program that is built to find races ends a second late, unless it is told.
const raceEnv, raceNow = "GORACE", "atexit_sleep_ms=0"

func TestMain(m *testing.M) {
	if os.Getenv(childEnv) != "" {
		child(os.Args[1:])
		return
	}
	os.Exit(m.Run())
}

// child does one thing after the other.
func child(orders []string) {
	for _, order := range orders {
		verb, what, _ := strings.Cut(order, ":")
		switch verb {
		case "say":
			fmt.Println(what)
		case "hex":
			b, _ := hex.DecodeString(what)
			_, _ = os.Stdout.Write(b)
		case "complain":
			fmt.Fprintln(os.Stderr, what)
		case "exit":
			code, _ := strconv.Atoi(what)
			os.Exit(code)
		case "env":
			fmt.Printf("{\"env\": %q, \"dir\": %q}\n", strings.Join(os.Environ(), " "), dir())
		case "deaf":
			signal.Ignore(syscall.SIGTERM)
		case "hang":
			hang()
		case "beget": // a child of its own in the same group, which tells its number
			c := exec.Command(os.Args[0], "say:", "hang")
			c.Stdout, c.Stderr = os.Stdout, os.Stderr
			_ = c.Start()
			fmt.Printf("{\"pid\": %d}\n", c.Process.Pid)
		case "once": // what follows is for the first time only
			f, err := os.OpenFile(what, os.O_CREATE|os.O_EXCL, 0o600)
			if err != nil {
				return
			}
			_ = f.Close()
		case "if": // the file is there, all is well
			if _, err := os.Stat(what); err == nil {
				well(Mode(os.Getenv("MODE")), Format(os.Getenv("FORMAT")))
				return
			}
		}
	}
}

// well is what a good plug-in does.
func well(mode Mode, format Format) {
	text := "{\"f\": 5}\n"
	if format == CBOR {
		text = "\xa1\x61\x66\x05"
	}
	fmt.Print(text)
	for mode == Stream {
		<-time.After(20 * time.Millisecond)
		fmt.Print(text)
	}
}

// hang waits for what never comes.
func hang() {
	r, _, _ := os.Pipe()
	_, _ = r.Read(make([]byte, 1))
}

func dir() string {
	d, _ := os.Getwd()
	return d
}

// runs returns settings that run a child.
func runs(t testing.TB, series map[string]Series, orders ...string) Settings {
	t.Helper()
	self, err := filepath.Abs(os.Args[0])
	if err != nil {
		t.Fatal(err)
	}
	s := Settings{Command: append([]string{self}, orders...), Series: series, Env: map[string]string{childEnv: "1", raceEnv: raceNow}}
	s.Check(func(path, format string, args ...any) { t.Errorf("%s: "+format, append([]any{path}, args...)...) })
	return s
}

// pluginOf returns a plug-in and its log and counters.
func pluginOf(s Settings) (*Plugin, *strings.Builder, *meter.Registry) {
	log, registry := new(strings.Builder), meter.New()
	return New(s, Config{Name: "lab", Prefix: "lab_", Logger: slog.New(slog.NewTextHandler(log, nil)), Meter: registry}), log, registry
}

func count(r *meter.Registry, what, reason string) uint64 {
	return r.Counter("headwater_exec_"+what+"_total", "", "sensor", "lab", "reason", reason).Value()
}

// gone waits until a process is none any more, or a zombie that its new parent has yet to see.
func gone(t *testing.T, pid int64) {
	t.Helper()
	for {
		status, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil || strings.Contains(string(status), ") Z ") {
			return
		}
		if t.Context().Err() != nil {
			t.Fatalf("process %d goes on", pid)
		}
	}
}
