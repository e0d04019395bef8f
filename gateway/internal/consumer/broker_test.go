package consumer

import (
	"bufio"
	"context"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"
	"go.uber.org/goleak"

	"github.com/headwater-iot/headwater/shared/health"
	"github.com/headwater-iot/headwater/shared/meter"
	"github.com/headwater-iot/headwater/shared/need"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience bounds waits that must not be needed.
const patience = 30 * time.Second

// mosquitto starts a real broker on a free port, and returns its address once it listens. It ends with the test.
func mosquitto(t testing.TB, lines ...string) string {
	t.Helper()
	bin := need.Tool(t, "mosquitto", "apt-get install mosquitto")
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	_, port, _ := net.SplitHostPort(address)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	config := filepath.Join(t.TempDir(), "mosquitto.conf")
	text := "user root\nlistener " + port + " 127.0.0.1\n" + strings.Join(lines, "\n") + "\n"
	if !strings.Contains(text, "password_file") {
		text += "allow_anonymous true\n"
	}
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(bin, "-c", config, "-v")
	out, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	running, said := make(chan struct{}), &strings.Builder{}
	var read sync.WaitGroup
	read.Go(func() {
		for lines := bufio.NewScanner(out); lines.Scan(); {
			said.WriteString(lines.Text() + "\n")
			if strings.HasSuffix(lines.Text(), " running") {
				close(running)
			}
		}
	})
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		read.Wait()
		_ = cmd.Wait()
		if t.Failed() {
			t.Log(said)
		}
	})
	recv(t, "Mosquitto to run", running)
	return address
}

// recv returns what comes.
func recv[T any](t testing.TB, what string, from <-chan T) T {
	t.Helper()
	select {
	case v := <-from:
		return v
	case <-time.After(patience):
		t.Fatalf("still waiting for %s", what)
		panic("unreachable")
	}
}

// until asks until the answer is yes.
func until(t testing.TB, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.After(patience); !ok(); {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("still waiting for %s", what)
		}
	}
}

// heard is a message as the handler got it.
type heard struct{ client, kind, payload string }

// handler is an intake that says what it got.
type handler struct {
	got    chan heard // of what it took
	missed chan string

	mu   sync.Mutex
	fail error
	seen int // times that it was called
}

func newHandler() *handler {
	return &handler{got: make(chan heard, 1000), missed: make(chan string, 10)}
}

func (h *handler) refuse(err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.fail = err
}

func (h *handler) calls() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.seen
}

func (h *handler) take(client, kind string, payload []byte) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.seen++
	if h.fail == nil {
		h.got <- heard{client, kind, string(payload)}
	}
	return h.fail
}

func (h *handler) Batch(_ context.Context, client string, payload []byte) error {
	return h.take(client, "batch", payload)
}

func (h *handler) Hello(_ context.Context, client string, payload []byte) error {
	return h.take(client, "hello", payload)
}

func (h *handler) Missed(client string) { h.missed <- client }

// site is a consumer that runs until stop.
type site struct {
	*Consumer
	*handler
	meters *meter.Registry
	board  *health.Board
	stop   func()
}

func start(t testing.TB, address string, change ...func(*Consumer)) *site {
	t.Helper()
	s := &site{handler: newHandler(), meters: meter.New(), board: health.New()}
	c, err := Open(Config{Broker: "tcp://" + address, ClientID: "gateway", Logger: slog.New(slog.DiscardHandler), Meter: s.meters, Health: s.board})
	if err != nil {
		t.Fatal(err)
	}
	c.pace = pace{
		retryMin: 20 * time.Millisecond, retryMax: 200 * time.Millisecond, again: 20 * time.Millisecond,
		healthy: time.Minute, tell: 10 * time.Millisecond, probe: 50 * time.Millisecond,
	}
	for _, f := range change {
		f(c)
	}
	s.Consumer = c
	ctx, cancel := context.WithCancel(context.Background())
	var run sync.WaitGroup
	run.Go(func() {
		if err := c.Run(ctx, s.handler); err != nil {
			t.Error(err)
		}
	})
	s.stop = func() { cancel(); run.Wait() }
	t.Cleanup(s.stop)
	return s
}

// subscribed waits until the broker brings what devices publish.
func (s *site) subscribed(t testing.TB, d paho.Client) *site {
	t.Helper()
	until(t, "the consumer to hear", func() bool {
		publish1(t, d, "hw/1/up/early/hello", "early")
		return len(s.got) > 0
	})
	for publish1(t, d, "hw/1/up/early/batch", "last"); recv(t, "the last", s.got).payload != "last"; {
	}
	return s
}

// shows returns the detail of a condition that shows, or "".
func (s *site) shows(code string) string {
	for _, c := range s.board.Snapshot() {
		if c.Code == code {
			return c.Detail
		}
	}
	return ""
}

func device(t testing.TB, address, id string, change ...func(*paho.ClientOptions)) paho.Client {
	t.Helper()
	o := paho.NewClientOptions().AddBroker("tcp://" + address).SetClientID(id).SetAutoReconnect(false).SetProtocolVersion(4)
	for _, f := range change {
		f(o)
	}
	c := paho.NewClient(o)
	if token := c.Connect(); !token.WaitTimeout(patience) || token.Error() != nil {
		t.Fatal(token.Error())
	}
	t.Cleanup(func() { c.Disconnect(100) })
	return c
}

func publish1(t testing.TB, c paho.Client, topic, payload string) {
	t.Helper()
	if token := c.Publish(topic, 1, false, payload); !token.WaitTimeout(patience) || token.Error() != nil {
		t.Fatal(token.Error())
	}
}
