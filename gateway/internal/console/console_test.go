package console

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/headwater-iot/headwater/gateway/internal/contract/words"
	"github.com/headwater-iot/headwater/shared/health"
	"github.com/headwater-iot/headwater/shared/meter"
)

// serve starts a console on a free port and returns its address; the end of the test stops it.
func serve(t *testing.T, cfg Config) (*Console, string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := New(cfg)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- c.Serve(ctx, l) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Serve returned %v after its context ended", err)
		}
	})
	return c, "http://" + l.Addr().String()
}

func get(t *testing.T, url string) (int, string) {
	t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}

func TestConsole(t *testing.T) {
	registry, board := meter.New(), health.New()
	registry.Counter("headwater_test_total", "A counter.").Add(7)
	broken := &health.Condition{Code: "log-failing", Title: "The log cannot be written", Severity: health.Error}
	tablesErr := errors.New("the catalogue is away")
	fail := false
	c, url := serve(t, Config{
		Version: "v1", MQTT: "127.0.0.1:1883", Data: "<data>", Started: time.Now(), Metrics: registry, Board: board,
		Tables: func(context.Context) ([]Table, error) {
			if fail {
				return nil, tablesErr
			}
			return []Table{{Name: "readings", Rows: 42}}, nil
		},
	})

	if code, _ := get(t, url+"/readyz"); code != http.StatusServiceUnavailable {
		t.Errorf("readyz before ready: %d", code)
	}
	c.SetReady(true)
	if code, _ := get(t, url+"/readyz"); code != http.StatusOK {
		t.Errorf("readyz when ready: %d", code)
	}
	if _, body := get(t, url+"/metrics"); !strings.Contains(body, "headwater_test_total 7") {
		t.Errorf("metrics: %s", body)
	}
	if code, body := get(t, url+"/"); code != http.StatusOK || !strings.Contains(body, "<td>42</td>") || !strings.Contains(body, "&lt;data&gt;") {
		t.Errorf("status page: %d %s", code, body)
	}
	if _, body := get(t, url+"/"); !strings.Contains(body, "<b>stale</b></dt><dd>"+words.Meaning("stale")) {
		t.Errorf("the status page does not say what stale means: %s", body)
	}
	if code, _ := get(t, url+"/healthz"); code != http.StatusOK {
		t.Errorf("healthz without conditions: %d", code)
	}
	board.Raise(broken, "no space left")
	if code, body := get(t, url+"/healthz"); code != http.StatusServiceUnavailable || !strings.Contains(body, "log-failing") {
		t.Errorf("healthz with an error: %d %s", code, body)
	}
	fail = true
	if _, body := get(t, url+"/"); !strings.Contains(body, "the catalogue is away") {
		t.Errorf("status page hides the error: %s", body)
	}
	if code, _ := get(t, url+"/nothing"); code != http.StatusNotFound {
		t.Errorf("unknown path: %d", code)
	}
}
