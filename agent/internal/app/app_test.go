package app

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/headwater-iot/headwater/agent/internal/sensor/bme280"
	"github.com/headwater-iot/headwater/agent/internal/sensor/roster"
	"github.com/headwater-iot/headwater/agent/internal/settings"
	"github.com/headwater-iot/headwater/shared/durable"
	"github.com/headwater-iot/headwater/shared/volatile"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// simulated returns the settings of an agent with one simulated chip, a broker that is not there, and
// directories of its own.
func simulated(t *testing.T) settings.Settings {
	t.Helper()
	s := settings.Default()
	s.Device, s.Data = "pump-7", t.TempDir()
	shm, err := os.MkdirTemp("/dev/shm", "headwater-test-")
	if err != nil {
		shm = t.TempDir() // no tmpfs here: the ring is on the heap
	}
	s.RunDir = shm
	t.Cleanup(func() { _ = os.RemoveAll(shm) })
	s.Uplink.Broker = "tcp://127.0.0.1:1" // tcpmux: nobody listens
	s.HTTP.Listen = "127.0.0.1:0"
	s.Sensors = []roster.Settings{{Name: "air", Interval: 20 * time.Millisecond, BME280: &bme280.Settings{Bus: "sim", Seed: 1}}}
	return s
}

// journal is a log that can be waited on.
type journal struct {
	mu   sync.Mutex
	text bytes.Buffer
	more chan struct{} // one token = something was written
}

func newJournal() *journal { return &journal{more: make(chan struct{}, 1)} }

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	select {
	case j.more <- struct{}{}:
	default:
	}
	return j.text.Write(p)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.String()
}

// await returns when the log has a line with a text, or the agent has ended.
func (j *journal) await(t *testing.T, text string, ended <-chan error) {
	t.Helper()
	for !strings.Contains(j.String(), text) {
		select {
		case <-j.more:
		case err := <-ended:
			t.Fatalf("ended without %q: %v\n%s", text, err, j)
		}
	}
}

// start runs an agent, changed by with; stop ends it and returns its error.
func start(t *testing.T, s settings.Settings, with ...func(*App)) (a *App, j *journal, ended chan error, stop func() error) {
	t.Helper()
	j = newJournal()
	a = New(s, slog.New(slog.NewTextHandler(j, nil)))
	for _, change := range with {
		change(a)
	}
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	ended = make(chan error, 1) // so that it can end when a test has failed
	go func() { ended <- a.Run(ctx) }()
	return a, j, ended, func() error { cancel(); return <-ended }
}

func get(t *testing.T, url string) string {
	t.Helper()
	r, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	http.DefaultClient.CloseIdleConnections()
	return string(body)
}

// counted waits until a metric of the page has reached a number.
func counted(t *testing.T, a *App, name string, n uint64) {
	t.Helper()
	c := a.meter.Counter(name, "")
	for c.Value() < n {
		if t.Context().Err() != nil {
			t.Fatalf("%s is %d, want %d", name, c.Value(), n)
		}
		get(t, "http://"+a.page.Addr().String()+"/status") // yields, and reads what others write
	}
}

func TestRunsWithoutANetwork(t *testing.T) {
	a, j, ended, stop := start(t, simulated(t))
	j.await(t, "agent started", ended)
	j.await(t, "broker not reached", ended)
	counted(t, a, "headwater_sampler_rows_total", 5)
	page := "http://" + a.page.Addr().String()
	for path, part := range map[string]string{
		"/": "pump-7", "/status": `"device": "pump-7"`, "/metrics": "headwater_uplink_connect_failures_total", "/healthz": "ok",
	} {
		if body := get(t, page+path); !strings.Contains(body, part) {
			t.Errorf("%s has no %q:\n%s", path, part, body)
		}
	}
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	first := a.outbox.Epoch()

	// Again on the same data: another epoch, and the readings of the first are still there.
	s := a.settings
	a, j, ended, stop = start(t, s)
	j.await(t, "agent started", ended)
	held := false
	for _, e := range a.outbox.Report().Epochs {
		held = held || e.Epoch == first && e.Next >= 15 && len(e.Held) > 0 // five rows of three readings
	}
	if !held || a.outbox.Epoch() == first {
		t.Errorf("epoch %s after %s; hello says %+v", a.outbox.Epoch(), first, a.outbox.Report().Epochs)
	}
	if err := stop(); err != nil {
		t.Fatal(err)
	}
}

func TestSecondAgentIsRefused(t *testing.T) {
	s := simulated(t)
	_, j, ended, stop := start(t, s)
	j.await(t, "agent started", ended)
	err := New(s, slog.New(slog.DiscardHandler)).Run(t.Context())
	if !errors.Is(err, durable.ErrLocked) || !strings.Contains(err.Error(), "--data") {
		t.Errorf("the second agent: %v", err)
	}
	if err := stop(); err != nil {
		t.Fatal(err)
	}
}

func TestBusyPageAddressIsRefused(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	s := simulated(t)
	s.HTTP.Listen = l.Addr().String()
	if err := New(s, slog.New(slog.DiscardHandler)).Run(t.Context()); err == nil || !strings.Contains(err.Error(), "http.listen") {
		t.Errorf("a busy address: %v", err)
	}
}

func TestUnwritableDataIsRefusedWithAHint(t *testing.T) {
	s := simulated(t)
	s.Data = "/dev/null/data"
	if err := New(s, slog.New(slog.DiscardHandler)).Run(t.Context()); err == nil || !strings.Contains(err.Error(), "--data") {
		t.Errorf("an unwritable directory: %v", err)
	}
}

func TestDeviceKeepsItsName(t *testing.T) {
	s, log := settings.Default(), slog.New(slog.DiscardHandler)
	s.Data = t.TempDir()
	for _, c := range []struct {
		device string
		named  bool
		want   string // "" = refused
	}{
		{"host-1", false, "host-1"},
		{"host-2", false, "host-1"}, // the host was renamed
		{"host-1", true, "host-1"},
		{"pump-7", true, ""},
	} {
		s.Device, s.Named = c.device, c.named
		got, err := identity(s, log)
		if got != c.want || (c.want == "") != errors.Is(err, ErrOtherDevice) {
			t.Errorf("%s, configured %v: %q, %v", c.device, c.named, got, err)
		}
	}
	if err := os.WriteFile(filepath.Join(s.Data, "device"), []byte{0xff, 0}, 0o600); err != nil {
		t.Fatal(err)
	}
	if got, err := identity(s, log); got != "pump-7" || err != nil {
		t.Errorf("a damaged name: %q, %v", got, err)
	}
}

func TestRingsDoNotCollide(t *testing.T) {
	s := simulated(t)
	seen := map[string]bool{}
	for _, x := range []struct{ device, data string }{{"a", "/d1"}, {"a", "/d2"}, {"b", "/d1"}} {
		dir := ringDir(s.RunDir, x.device, x.data)
		if seen[dir] {
			t.Errorf("%v shares %s", x, dir)
		}
		seen[dir] = true
	}
	if ringDir(s.RunDir, "a", "/d1") != ringDir(s.RunDir, "a", "/d1/../d1") {
		t.Error("one agent does not find its ring again")
	}
}

func TestRingDirFallsBack(t *testing.T) {
	s := simulated(t)
	if dir := ringDir(s.RunDir, "a", "/d"); !strings.HasPrefix(dir, s.RunDir) {
		t.Skipf("no tmpfs at /dev/shm: %q", dir)
	}
	onDisk := t.TempDir()
	if volatile.Tmpfs(onDisk) {
		t.Skip("the temporary directory is tmpfs")
	}
	dir := ringDir(onDisk, "headwater-test", onDisk)
	defer os.RemoveAll(dir)
	if dir == "" || strings.HasPrefix(dir, onDisk) || !volatile.Tmpfs(dir) {
		t.Errorf("the ring went to %q", dir)
	}
	if got, _ := os.ReadDir(onDisk); len(got) > 0 {
		t.Errorf("%s was left on the disk", got[0].Name())
	}
}

func TestForeignDirectoryIsNotTaken(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root can give a directory away")
	}
	s := simulated(t)
	if err := os.MkdirAll(s.RunDir, 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(s.RunDir, 12345, 12345); err != nil {
		t.Fatal(err)
	}
	dir := ringDir(s.RunDir, "headwater-test", t.TempDir())
	defer os.RemoveAll(dir)
	if strings.HasPrefix(dir, s.RunDir) {
		t.Errorf("a directory of another user was taken: %s", dir)
	}
}
