package status

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/headwater-iot/headwater/shared/health"
	"github.com/headwater-iot/headwater/shared/meter"
)

func TestPages(t *testing.T) {
	m := meter.New()
	m.Counter("headwater_test_total", "A test.").Inc()
	conditions := make(chan []health.Status, 1) // what the next snapshot shows
	p := Page{Meter: m, Snapshot: func() Snapshot {
		s := Snapshot{Device: "pump-7", Version: "v1", Sensors: []Sensor{{Name: "air", State: "ok"}}}
		select {
		case s.Conditions = <-conditions:
		default:
		}
		return s
	}}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- p.Serve(ctx, l) }()

	get := func(path string) (int, string) {
		t.Helper()
		r, err := http.Get("http://" + l.Addr().String() + path)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Body.Close()
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Fatal(err)
		}
		return r.StatusCode, string(body)
	}
	for path, part := range map[string]string{"/": "pump-7", "/metrics": "headwater_test_total 1", "/healthz": "ok"} {
		if code, body := get(path); code != http.StatusOK || !strings.Contains(body, part) {
			t.Errorf("%s: %d %q, want %q", path, code, body, part)
		}
	}
	conditions <- []health.Status{{Code: "w", Severity: health.Warning}}
	if code, body := get("/healthz"); code != http.StatusOK || !strings.Contains(body, "warning w") {
		t.Errorf("a warning: %d %q", code, body)
	}
	conditions <- []health.Status{{Code: "e", Severity: health.Error}}
	if code, body := get("/healthz"); code != http.StatusServiceUnavailable || !strings.HasPrefix(body, "not ok") {
		t.Errorf("an error: %d %q", code, body)
	}
	_, body := get("/status")
	var s Snapshot
	if err := json.Unmarshal([]byte(strings.ReplaceAll(body, `"severity": "`, `"x": "`)), &s); err != nil || s.Device != "pump-7" {
		t.Errorf("/status: %v %+v", err, s)
	}
	if code, _ := get("/nothing"); code != http.StatusNotFound {
		t.Errorf("/nothing: %d", code)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func TestBadClients(t *testing.T) {
	p := Page{Snapshot: func() Snapshot { return Snapshot{Device: "pump-7"} }}
	for name, c := range map[string]struct{ request, want string }{
		"a good one":      {"GET /status?x=1 HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 200 OK"},
		"head":            {"HEAD / HTTP/1.0\r\n\r\n", "HTTP/1.1 200 OK"},
		"writes":          {"POST / HTTP/1.1\r\n\r\n", "HTTP/1.1 405"},
		"another program": {"SSH-2.0-x\r\n\r\n", "HTTP/1.1 400"},
		"endless":         {"GET / HTTP/1.1\r\n" + strings.Repeat("A: b\r\n", maxHead), "HTTP/1.1 400"},
		"empty":           {"", ""},
	} {
		t.Run(name, func(t *testing.T) {
			near, far := net.Pipe()
			served := make(chan struct{})
			go func() {
				defer close(served)
				p.serve(t.Context(), far)
			}()
			go func() { // the page stops reading at maxHead, so that this may fail
				_, _ = io.WriteString(near, c.request)
				if c.request == "" {
					_ = near.Close()
				}
			}()
			got, _ := io.ReadAll(near) // what it could say
			<-served
			if !strings.HasPrefix(string(got), c.want) || name == "head" && !strings.HasSuffix(string(got), "\r\n\r\n") {
				t.Errorf("answered %q, want %q", got, c.want)
			}
		})
	}
}

func TestSilentClientLosesItsSeat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := net.Pipe()
		defer near.Close()
		begin := time.Now()
		Page{}.serve(t.Context(), far)
		if took := time.Since(begin); took != patience {
			t.Errorf("it was held for %s, want %s", took, patience)
		}
	})
}
