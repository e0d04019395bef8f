package status

import (
	"bytes"
	"encoding/json"
	"fmt"
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

// answer returns what stands at a path.
func (p Page) answer(path string) answer {
	switch path {
	case "/":
		return answer{code: ok, kind: plain, body: p.plain()}
	case "/status":
		body, err := json.MarshalIndent(p.Snapshot(), "", "  ")
		if err != nil {
			panic("status: a snapshot that is no JSON: " + err.Error())
		}
		return answer{code: ok, kind: "application/json", body: body}
	case "/healthz":
		return p.healthz()
	case "/metrics":
		var b bytes.Buffer
		_, _ = p.Meter.WriteTo(&b) // memory takes everything
		return answer{code: ok, kind: "text/plain; version=0.0.4; charset=utf-8", body: b.Bytes()}
	}
	return answer{code: notFound, kind: plain, body: []byte("there is /, /status, /healthz and /metrics\n")}
}

// healthz is bad while something the agent is for does not happen: an Error condition.
func (p Page) healthz() answer {
	code, lines := ok, []string{"ok"}
	for _, c := range p.Snapshot().Conditions {
		if c.Severity == health.Error {
			code, lines[0] = unavailable, "not ok"
		}
		lines = append(lines, fmt.Sprintf("%s %s: %s (%s)", c.Severity, c.Code, c.Title, c.Detail))
	}
	return answer{code: code, kind: plain, body: []byte(strings.Join(lines, "\n") + "\n")}
}

func (p Page) plain() []byte {
	s := p.Snapshot()
	var b bytes.Buffer
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
	return b.Bytes()
}
