package console

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"io"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/headwater-iot/headwater/gateway/internal/contract/words"
	"github.com/headwater-iot/headwater/shared/health"
)

// Limits of one request: an operator's tools are quick, and nobody else is served.
const (
	readHeaderWithin = 5 * time.Second
	writeWithin      = 30 * time.Second
	stopWithin       = 2 * time.Second
)

// Table is one line of the page.
type Table struct {
	Name               string
	Rows, Files, Bytes int64
	Snapshots          int
	LastCommit         time.Time
	Metadata           string
}

// Config is what the console shows. Metrics, Board and Tables are read at each request, from any goroutine.
type Config struct {
	Version string
	MQTT    string
	Data    string
	Started time.Time
	Metrics io.WriterTo
	Board   *health.Board
	Tables  func(ctx context.Context) ([]Table, error)
}

// Console serves cfg. Make one with New.
type Console struct {
	cfg   Config
	ready atomic.Bool
	page  *template.Template
}

// New returns a console that is not ready yet.
func New(cfg Config) *Console {
	return &Console{cfg: cfg, page: template.Must(template.New("status").Parse(statusPage))}
}

// SetReady says whether devices are served.
func (c *Console) SetReady(ready bool) { c.ready.Store(ready) }

// Serve answers on l until ctx ends, then lets requests finish for a moment.
func (c *Console) Serve(ctx context.Context, l net.Listener) error {
	srv := &http.Server{
		Handler:           c.handler(),
		ReadHeaderTimeout: readHeaderWithin,
		WriteTimeout:      writeWithin,
		BaseContext:       func(net.Listener) context.Context { return context.WithoutCancel(ctx) },
	}
	served := make(chan error, 1) // one result
	go func() { served <- srv.Serve(l) }()
	select {
	case err := <-served:
		return fmt.Errorf("serve HTTP on %s: %w", l.Addr(), err)
	case <-ctx.Done():
	}
	stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopWithin)
	defer cancel()
	err := srv.Shutdown(stop)
	if errors.Is(err, context.DeadlineExceeded) {
		err = srv.Close() // a reader that is still busy has no claim on our end
	}
	<-served
	return err
}

func (c *Console) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", c.healthz)
	mux.HandleFunc("GET /readyz", c.readyz)
	mux.HandleFunc("GET /metrics", c.metrics)
	mux.HandleFunc("GET /{$}", c.status)
	return mux
}

// healthz answers 200 while the process can answer at all, 503 while a condition of severity error shows.
func (c *Console) healthz(w http.ResponseWriter, _ *http.Request) {
	status, conditions := http.StatusOK, c.cfg.Board.Snapshot()
	for _, s := range conditions {
		if s.Severity == health.Error {
			status = http.StatusServiceUnavailable
		}
	}
	writeJSON(w, status, map[string]any{"version": c.cfg.Version, "conditions": conditions})
}

func (c *Console) readyz(w http.ResponseWriter, _ *http.Request) {
	if !c.ready.Load() {
		writeJSON(w, http.StatusServiceUnavailable, map[string]bool{"ready": false})
		return
	}
	writeJSON(w, http.StatusOK, map[string]bool{"ready": true})
}

func (c *Console) metrics(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
	_, _ = c.cfg.Metrics.WriteTo(w) // the client went away
}

func (c *Console) status(w http.ResponseWriter, r *http.Request) {
	tables, err := c.cfg.Tables(r.Context())
	data := map[string]any{
		"Config": c.cfg, "Ready": c.ready.Load(), "Conditions": c.cfg.Board.Snapshot(),
		"Tables": tables, "Err": err, "Up": time.Since(c.cfg.Started).Round(time.Second),
		"Words": words.All(),
	}
	var page bytes.Buffer
	if err := c.page.Execute(&page, data); err != nil {
		http.Error(w, "draw the status page: "+err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'")
	_, _ = page.WriteTo(w) // the client went away
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // the client went away
}
