package landtest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/headwater-iot/headwater/gateway/internal/commit"
	"github.com/headwater-iot/headwater/gateway/internal/cursor"
	"github.com/headwater-iot/headwater/gateway/internal/table"
	"github.com/headwater-iot/headwater/shared/record"
)

// The errors of a Lake.
var (
	ErrForeign  = errors.New("foreign")
	ErrStale    = errors.New("stale")
	ErrConflict = errors.New("conflict")
	ErrUnknown  = errors.New("unknown")
	ErrDays     = errors.New("too many days")
	ErrFailed   = errors.New("failed")
)

// Outcome tells the errors of a Lake apart.
func Outcome(err error) commit.Outcome {
	switch {
	case errors.Is(err, ErrForeign):
		return commit.Foreign
	case errors.Is(err, ErrStale):
		return commit.Stale
	case errors.Is(err, ErrConflict):
		return commit.Conflict
	case errors.Is(err, ErrUnknown):
		return commit.Unknown
	case errors.Is(err, ErrDays):
		return commit.TooManyDays
	}
	return commit.Failed
}

// Lake is the tables in memory.
type Lake struct {
	// Fault is asked before a commit changes anything. An error is what the commit returns: with applied after it has
	// taken place, otherwise instead. Nil = no faults.
	Fault func() (err error, applied bool)

	mu       sync.Mutex // guards all below
	marks    table.Marks
	owned    bool
	version  int
	cursors  map[table.Key]table.Cursor
	commits  []*table.Commit
	readings []table.Run
	rejects  []table.QuarantineRow
	gaps     []table.GapRow
}

// NewLake returns a lake that nobody owns.
func NewLake() *Lake { return &Lake{cursors: map[table.Key]table.Cursor{}} }

// Marks returns the owner and its marks.
func (l *Lake) Marks(context.Context) (table.Marks, bool, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return table.Marks{Log: l.marks.Log, Next: slices.Clone(l.marks.Next)}, l.owned, nil
}

// Load returns the cursors that may still change.
func (l *Lake) Load(context.Context) ([]table.Cursor, commit.Takeover, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var out []table.Cursor
	for _, row := range l.cursors {
		if !cursor.From(row).Complete() {
			out = append(out, copyCursor(row))
		}
	}
	pin := l.version
	return out, func(_ context.Context, marks table.Marks) error {
		l.mu.Lock()
		defer l.mu.Unlock()
		if l.version != pin {
			return ErrConflict
		}
		l.version++
		l.owned, l.marks = true, table.Marks{Log: marks.Log, Next: slices.Clone(marks.Next)}
		return nil
	}, nil
}

// Cursor looks a cursor up.
func (l *Lake) Cursor(_ context.Context, device string, epoch record.Epoch) (table.Cursor, bool, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	row, ok := l.cursors[table.Key{Device: device, Epoch: epoch}]
	return copyCursor(row), ok, nil
}

func copyCursor(c table.Cursor) table.Cursor {
	c.Closed, c.Presumed, c.Recent = c.Closed.Clone(), c.Presumed.Clone(), slices.Clone(c.Recent)
	return c
}

// Commit lands c, or not.
func (l *Lake) Commit(_ context.Context, c *table.Commit) error {
	var fault error
	if l.Fault != nil {
		err, applied := l.Fault()
		if err != nil && !applied {
			return err
		}
		fault = err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case !l.owned || c.Expect.Log != l.marks.Log:
		return ErrForeign
	case !slices.Equal(c.Expect.Next, l.marks.Next):
		return ErrStale
	case days(c) > 512:
		return ErrDays
	}
	if err := l.apply(c); err != nil {
		return err
	}
	l.version++
	l.marks = table.Marks{Log: c.Marks.Log, Next: slices.Clone(c.Marks.Next)}
	l.commits = append(l.commits, c)
	return fault
}

func (l *Lake) apply(c *table.Commit) error {
	for _, row := range c.Cursors {
		k := table.Key{Device: row.Device, Epoch: row.Epoch}
		if row.Version != l.cursors[k].Version+1 {
			return fmt.Errorf("%w: cursor %v has version %d behind %d", ErrFailed, k, row.Version, l.cursors[k].Version)
		}
		l.cursors[k] = copyCursor(row)
	}
	for _, k := range c.Regap {
		l.gaps = slices.DeleteFunc(l.gaps, func(g table.GapRow) bool {
			return g.Presumed && g.Device == k.Device && g.Epoch == k.Epoch
		})
	}
	l.gaps = append(l.gaps, c.Gaps...)
	l.readings = append(l.readings, c.Readings...)
	l.rejects = append(l.rejects, c.Quarantine...)
	return nil
}

func days(c *table.Commit) int {
	const day = 86_400_000_000
	seen := map[int64]bool{}
	for i := range c.Readings {
		for _, us := range c.Readings[i].EventTime {
			seen[(us-((us%day)+day)%day)/day] = true
		}
	}
	return len(seen)
}

// Tables is what a lake holds.
type Tables struct {
	Readings   []table.Run
	Quarantine []table.QuarantineRow
	Gaps       []table.GapRow
	Cursors    map[table.Key]table.Cursor
	Commits    int
}

// Tables returns what the lake holds.
func (l *Lake) Tables() Tables {
	l.mu.Lock()
	defer l.mu.Unlock()
	t := Tables{
		Readings: slices.Clone(l.readings), Quarantine: slices.Clone(l.rejects), Gaps: slices.Clone(l.gaps),
		Cursors: map[table.Key]table.Cursor{}, Commits: len(l.commits),
	}
	for k, row := range l.cursors {
		t.Cursors[k] = copyCursor(row)
	}
	return t
}
