package app_test

import (
	"bytes"
	"context"
	"log/slog"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"

	"github.com/headwater-iot/headwater/gateway/internal/app"
	"github.com/headwater-iot/headwater/gateway/internal/settings"
	"github.com/headwater-iot/headwater/shared/need"
	"github.com/headwater-iot/headwater/shared/topic"
	"github.com/headwater-iot/headwater/shared/wire"
)

// told waits for a message to the service manager with a text.
func told(t *testing.T, l *net.UnixConn, text string) {
	t.Helper()
	for buf := make([]byte, 4096); ; {
		n, err := l.Read(buf)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(buf[:n]), text) {
			return
		}
	}
}

// raised is a log that tells when a condition shows.
type raised struct {
	mu   sync.Mutex
	text bytes.Buffer
	code string
	seen chan struct{}
}

func (r *raised) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if bytes.Contains(p, []byte("condition raised")) && bytes.Contains(p, []byte(r.code)) {
		close(r.seen)
		r.seen, r.code = nil, "none that there is"
	}
	return r.text.Write(p)
}

// TestHungLogStopsTheFeed: an fsync of the log that does not return ends the feed after its grace.
func TestHungLogStopsTheFeed(t *testing.T) {
	dir, freeze, thaw := need.Freezer(t)
	path := filepath.Join(t.TempDir(), "notify")
	l, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	t.Setenv("NOTIFY_SOCKET", path)
	t.Setenv("WATCHDOG_USEC", "200000")
	s := settings.Default()
	s.Data, s.MQTT.Listen, s.HTTP.Listen = filepath.Join(dir, "data"), "127.0.0.1:0", "127.0.0.1:0"
	s.Log.ReservePercent, s.Commit.ReservePercent = 0, 0
	seen := make(chan struct{})
	journal, ready, ended := &raised{code: "stage-hung", seen: seen}, make(chan string, 1), make(chan error, 1)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go func() {
		handler := readyLine{slog.NewTextHandler(journal, nil), ready}
		ended <- app.Run(ctx, s, app.Options{Logger: slog.New(both{handler}), Grace: time.Second})
	}()
	var address string
	select {
	case address = <-ready:
	case err := <-ended:
		t.Fatal(err)
	}
	told(t, l, "READY=1")
	told(t, l, "WATCHDOG=1")
	freeze()
	c := paho.NewClient(paho.NewClientOptions().AddBroker("tcp://" + address).SetClientID("dev").SetProtocolVersion(4).SetAutoReconnect(false))
	if token := c.Connect(); token.Wait() && token.Error() != nil {
		t.Fatal(token.Error())
	}
	defer c.Disconnect(0)
	hello, err := wire.AppendHello(nil, &wire.Hello{Device: "dev", Client: "dev", Nonce: 1, Boot: 1, Epochs: []wire.HelloEpoch{{Epoch: 1, Boot: 1}}})
	if err != nil {
		t.Fatal(err)
	}
	c.Publish(topic.Up("dev", topic.Hello), 1, false, hello)
	<-seen
	thaw()
	told(t, l, "STATUS=") // what was said before
	told(t, l, "WATCHDOG=1")
	cancel()
	if err := <-ended; err != nil {
		t.Errorf("the gateway ended with %v\n%s", err, &journal.text)
	}
	told(t, l, "STOPPING=1")
}

// both writes lines and hears the ready one.
type both struct{ readyLine }

func (b both) Handle(ctx context.Context, r slog.Record) error {
	_ = b.readyLine.Handle(ctx, r)
	return b.Handler.Handle(ctx, r)
}

// TestOpenHTTPShows lets others read status and metrics, and nobody else in: that has to stand in health.
func TestOpenHTTPShows(t *testing.T) {
	s := settings.Default()
	s.Data, s.MQTT.Listen, s.HTTP.Listen, s.MQTT.InsecureLAN = t.TempDir(), "127.0.0.1:0", "0.0.0.0:0", true
	seen, ended := make(chan struct{}), make(chan error, 1)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go func() {
		ended <- app.Run(ctx, s, app.Options{Logger: slog.New(slog.NewTextHandler(&raised{code: "insecure-http", seen: seen}, nil))})
	}()
	select {
	case <-seen:
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	case <-time.After(30 * time.Second):
		t.Error("nothing is said of an open HTTP listener")
	}
}
