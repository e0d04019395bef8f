package health

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"
)

// Severity says how bad a condition is.
type Severity int

const (
	// Warning means that the program works, but with less reserve than it should have.
	Warning Severity = iota
	// Error means that something the program is for does not happen now.
	Error
)

// String returns "warning" or "error".
func (s Severity) String() string {
	if s == Error {
		return "error"
	}
	return "warning"
}

// MarshalText writes the severity by its name in JSON.
func (s Severity) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// Condition is something that can be wrong. Declare one as a constant-like value of the part that
// raises it; it is known by its Code.
type Condition struct {
	Code     string        // stable, short, kebab-case: "broker-unreachable"
	Title    string        // one line for a person
	Severity Severity      //
	Hold     time.Duration // how long it must last before it is shown
}

// Status is one condition that is up.
type Status struct {
	Code     string    `json:"code"`
	Title    string    `json:"title"`
	Severity Severity  `json:"severity"`
	Detail   string    `json:"detail,omitempty"`
	Since    time.Time `json:"since"` // when it was raised, not when it was shown
}

// Board holds the conditions that are up now.
type Board struct {
	logger *slog.Logger

	mu sync.Mutex
	up map[string]*raised // by code
}

// raised is one condition that is up.
type raised struct {
	condition Condition
	detail    string
	since     time.Time
	shown     bool        // it lasted for its hold, and was logged
	timer     *time.Timer // shows it; nil when the hold is zero
}

// New returns an empty board that logs nowhere.
func New() *Board { return NewLogged(slog.New(slog.DiscardHandler)) }

// NewLogged returns an empty board that logs when a condition shows and when it clears.
func NewLogged(logger *slog.Logger) *Board {
	return &Board{logger: logger, up: map[string]*raised{}}
}

// Raise says that c holds now. Raising it again only renews the detail: the time since when it holds stays.
func (b *Board) Raise(c *Condition, detail string) {
	if b == nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if r, ok := b.up[c.Code]; ok {
		r.detail = detail
		return
	}
	r := &raised{condition: *c, detail: detail, since: time.Now()}
	b.up[c.Code] = r
	if c.Hold <= 0 {
		b.show(r)
		return
	}
	r.timer = time.AfterFunc(c.Hold, func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		if b.up[c.Code] == r { // it may have cleared, and come again, since
			b.show(r)
		}
	})
}

// Clear says that c does not hold any more.
func (b *Board) Clear(c *Condition) {
	if b == nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	r, ok := b.up[c.Code]
	if !ok {
		return
	}
	delete(b.up, c.Code)
	if r.timer != nil {
		r.timer.Stop()
	}
	if r.shown {
		b.logger.Info("condition cleared", "code", r.condition.Code, "title", r.condition.Title,
			"lasted", time.Since(r.since).Round(time.Millisecond))
	}
}

// Snapshot returns the shown conditions, errors first, then by code.
func (b *Board) Snapshot() []Status {
	if b == nil {
		return nil
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	var out []Status
	worstFirst := func(x, y *raised) int {
		return cmp.Or(cmp.Compare(y.condition.Severity, x.condition.Severity), cmp.Compare(x.condition.Code, y.condition.Code))
	}
	for _, r := range slices.SortedFunc(maps.Values(b.up), worstFirst) {
		if r.shown {
			out = append(out, Status{
				Code: r.condition.Code, Title: r.condition.Title,
				Severity: r.condition.Severity, Detail: r.detail, Since: r.since,
			})
		}
	}
	return out
}

// Sentence names the first condition of the snapshot and counts the others, for a line of text.
func (b *Board) Sentence() string {
	up := b.Snapshot()
	switch len(up) {
	case 0:
		return "nothing is wrong"
	case 1:
		return up[0].Severity.String() + ": " + up[0].Title
	}
	return fmt.Sprintf("%s: %s (and %d more)", up[0].Severity, up[0].Title, len(up)-1)
}

// Close stops the timers of conditions that are up but not shown yet.
func (b *Board) Close() {
	if b == nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, r := range b.up {
		if r.timer != nil {
			r.timer.Stop()
		}
	}
}

// show marks r as shown and logs it. b.mu is held.
func (b *Board) show(r *raised) {
	r.shown = true
	level := slog.LevelWarn
	if r.condition.Severity == Error {
		level = slog.LevelError
	}
	b.logger.Log(context.Background(), level, "condition raised", "code", r.condition.Code,
		"title", r.condition.Title, "detail", r.detail)
}
