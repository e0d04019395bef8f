package status

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/headwater-iot/headwater/shared/health"
	"github.com/headwater-iot/headwater/shared/meter"
)

// Snapshot is what the page says at one moment.
type Snapshot struct {
	Device     string          `json:"device"`
	Version    string          `json:"version"`
	Epoch      string          `json:"epoch"`
	Boot       string          `json:"boot"`
	Clock      string          `json:"clock"`
	Sensors    []Sensor        `json:"sensors"`
	Bytes      uint64          `json:"backlog_bytes"`
	Batches    uint64          `json:"backlog_batches"`
	Conditions []health.Status `json:"conditions"`
}

// Sensor is the state of one sensor.
type Sensor struct {
	Name  string    `json:"name"`
	State string    `json:"state"`
	Error string    `json:"error,omitempty"`
	Since time.Time `json:"since"`
}

// Page serves snapshots.
type Page struct {
	Snapshot func() Snapshot // called from many goroutines
	Meter    *meter.Registry
}

// patience bounds a request: the page is small and near.
const patience = 10 * time.Second

// Serve answers on l until ctx ends.
func (p Page) Serve(ctx context.Context, l net.Listener) error {
	s := &http.Server{Handler: p.handler(), ReadTimeout: patience, WriteTimeout: patience, IdleTimeout: patience, MaxHeaderBytes: 8 << 10}
	ended := make(chan error, 1) // Serve's one result
	go func() { ended <- s.Serve(l) }()
	select {
	case err := <-ended:
		return fmt.Errorf("serve status page: %w", err)
	case <-ctx.Done():
	}
	stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	if s.Shutdown(stop) != nil {
		_ = s.Close()
	}
	if err := <-ended; !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve status page: %w", err)
	}
	return nil
}

func (p Page) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", p.plain)
	mux.HandleFunc("GET /status", p.json)
	mux.HandleFunc("GET /healthz", p.healthz)
	mux.HandleFunc("GET /metrics", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
		_, _ = p.Meter.WriteTo(w)
	})
	return mux
}

// healthz is bad while something the agent is for does not happen: an Error condition.
func (p Page) healthz(w http.ResponseWriter, _ *http.Request) {
	code, lines := http.StatusOK, []string{"ok"}
	for _, c := range p.Snapshot().Conditions {
		if c.Severity == health.Error {
			code, lines[0] = http.StatusServiceUnavailable, "not ok"
		}
		lines = append(lines, fmt.Sprintf("%s %s: %s (%s)", c.Severity, c.Code, c.Title, c.Detail))
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(code)
	_, _ = io.WriteString(w, strings.Join(lines, "\n")+"\n")
}

func (p Page) json(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	_ = e.Encode(p.Snapshot()) // the client went away
}

func (p Page) plain(w http.ResponseWriter, _ *http.Request) {
	s := p.Snapshot()
	var b strings.Builder
	fmt.Fprintf(&b, "headwater-agent %s\n\ndevice   %s\nboot     %s\nepoch    %s\nclock    %s\nbacklog  %d batches, %d bytes\n\n",
		s.Version, s.Device, s.Boot, s.Epoch, s.Clock, s.Batches, s.Bytes)
	for _, x := range s.Sensors {
		fmt.Fprintf(&b, "sensor %-16s %-9s since %s  %s\n", x.Name, x.State, x.Since.Format(time.RFC3339), x.Error)
	}
	b.WriteByte('\n')
	for _, c := range s.Conditions {
		fmt.Fprintf(&b, "%-8s %s: %s (%s)\n", c.Severity, c.Code, c.Title, c.Detail)
	}
	b.WriteString("\n/metrics  /healthz  /status\n")
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = io.WriteString(w, b.String())
}
