package service

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/headwater-iot/headwater/shared/health"
)

const (
	// Grace is how long a stage may be overdue before it counts as hung: a worn SD card takes tens of seconds for an fsync.
	Grace = time.Minute
	// lookEvery is how often the pulses are looked at when no watchdog waits to be fed.
	lookEvery = 10 * time.Second
	// feeds is how many times the watchdog is fed within its time, so that one late feed is no death.
	feeds = 4
)

// Config is what a Manager needs.
type Config struct {
	Grace  time.Duration // 0 = Grace
	Status func() string // what the program does, in one sentence; must not wait for a stage. Nil = says nothing
	Logger *slog.Logger
	Health *health.Board
}

// Manager speaks to the service manager. A nil *Manager gives out pulses that nobody feels: tests pass nil.
type Manager struct {
	cfg     Config
	base    time.Time
	hung    *health.Condition
	serving atomic.Bool
	silent  atomic.Bool // a message did not go out, and that was logged

	mu     sync.Mutex
	pulses []*Pulse
}

// New returns a manager that has not said anything yet.
func New(cfg Config) *Manager {
	if cfg.Grace == 0 {
		cfg.Grace = Grace
	}
	return &Manager{cfg: cfg, base: time.Now(), hung: &health.Condition{
		Code: "stage-hung", Severity: health.Error,
		Title: "A part of the program does not go on; the service manager, if there is one, ends it and starts it again",
	}}
}

// Pulse returns a new pulse, at rest. The name is for a person.
func (m *Manager) Pulse(name string) *Pulse {
	if m == nil {
		return nil
	}
	p := &Pulse{name: name, base: m.base}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.pulses = append(m.pulses, p)
	return p
}

// Pulse shows that a stage goes on. It belongs to one goroutine. A nil *Pulse takes all calls.
type Pulse struct {
	name string
	base time.Time
	due  atomic.Int64 // ns since base; 0 = at rest
}

// Due says that the stage shows up again within d, by Due or Rest; 0 means that it is at work.
func (p *Pulse) Due(d time.Duration) {
	if p != nil {
		p.due.Store(int64(max(1, time.Since(p.base)+d)))
	}
}

// Rest says that the stage waits for work, for as long as none comes.
func (p *Pulse) Rest() {
	if p != nil {
		p.due.Store(0)
	}
}

// Watch feeds the watchdog until ctx ends. As the first stage it also watches the others start and stop.
func (m *Manager) Watch(ctx context.Context) error {
	every := lookEvery
	fed := watchdog()
	if fed > 0 {
		every = fed / feeds
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		m.look(fed > 0)
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// look feeds the watchdog if every stage goes on.
func (m *Manager) look(fed bool) {
	if late := m.overdue(); late != "" {
		m.cfg.Health.Raise(m.hung, late)
		m.tell()
		return
	}
	m.cfg.Health.Clear(m.hung)
	var state []string
	switch {
	case m.serving.Load() && fed:
		state = append(state, "WATCHDOG=1")
	case !m.serving.Load(): // the start takes as long as it takes, if it goes on
		state = append(state, fmt.Sprintf("EXTEND_TIMEOUT_USEC=%d", (m.cfg.Grace+lookEvery).Microseconds()))
	}
	m.tell(state...)
}

// overdue names the stages that do not go on.
func (m *Manager) overdue() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := time.Since(m.base)
	var late []string
	for _, p := range m.pulses {
		due := time.Duration(p.due.Load())
		if due != 0 && now > due+m.cfg.Grace {
			late = append(late, fmt.Sprintf("%s: nothing seen for %s after it was due", p.name, (now-due).Round(time.Second)))
		}
	}
	return strings.Join(late, "; ")
}

// Serve is the last stage: while it runs the program serves.
func (m *Manager) Serve(ctx context.Context) error {
	m.serving.Store(true)
	m.tell("READY=1")
	<-ctx.Done()
	m.tell("STOPPING=1")
	return nil
}

// tell sends lines, and the status with them.
func (m *Manager) tell(state ...string) {
	if m.cfg.Status != nil {
		state = append(state, "STATUS="+strings.ReplaceAll(m.cfg.Status(), "\n", " "))
	}
	if len(state) == 0 {
		return
	}
	if err := Notify(strings.Join(state, "\n")); err != nil && !m.silent.Swap(true) {
		m.cfg.Logger.Warn("the service manager is not told how we are", "error", err)
	}
}
