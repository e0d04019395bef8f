package landtest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/headwater-iot/headwater/gateway/internal/commit"
	"github.com/headwater-iot/headwater/gateway/internal/cursor"
	"github.com/headwater-iot/headwater/gateway/internal/table"
	"github.com/headwater-iot/headwater/shared/record"
	"github.com/headwater-iot/headwater/shared/seqset"
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
	changes  []table.ContractRow
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

// Held returns the rows of all log records that hold one of seqs.
func (l *Lake) Held(_ context.Context, key table.Key, seqs *seqset.Set) ([]table.QuarantineRow, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	records := map[table.Origin]bool{}
	for _, r := range l.rejects {
		if r.Fate == table.FateHeld && r.Device == key.Device && r.Epoch == key.Epoch && len(seqs.Within(r.From, r.To)) > 0 {
			records[r.Origin] = true
		}
	}
	return l.rejected(func(o table.Origin) bool { return records[o] }), nil
}

// HeldOf returns the rows of a log record.
func (l *Lake) HeldOf(_ context.Context, by table.Origin) ([]table.QuarantineRow, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.rejected(func(o table.Origin) bool {
		return o.Log == by.Log && o.Partition == by.Partition && o.Offset == by.Offset
	}), nil
}

func (l *Lake) rejected(by func(table.Origin) bool) []table.QuarantineRow {
	return slices.DeleteFunc(slices.Clone(l.rejects), func(r table.QuarantineRow) bool { return !by(r.Origin) })
}

// Present returns which of seqs stand in readings.
func (l *Lake) Present(_ context.Context, key table.Key, seqs *seqset.Set) (seqset.Set, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var present seqset.Set
	for i := range l.readings {
		run := &l.readings[i]
		for _, seq := range run.Seq {
			if run.Device == key.Device && run.Epoch == key.Epoch && seqs.Has(seq) {
				present.Add(seq, seq+1)
			}
		}
	}
	return present, nil
}

// Contracts returns the changes of contracts.
func (l *Lake) Contracts(context.Context) ([]table.ContractRow, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	rows := slices.Clone(l.changes)
	slices.SortStableFunc(rows, func(a, b table.ContractRow) int { return cmp.Compare(a.Origin.Partition, b.Origin.Partition) })
	return rows, nil
}

// revision returns the last one of a partition.
func (l *Lake) revision(partition int) (last uint64) {
	for _, row := range l.changes {
		if row.Origin.Partition == partition {
			last = row.Revision
		}
	}
	return last
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
	for _, row := range c.Contracts {
		if last := l.revision(row.Origin.Partition); row.Revision != last+1 {
			return fmt.Errorf("%w: contract %s has revision %d behind %d", ErrFailed, row.ID, row.Revision, last)
		}
		l.changes = append(l.changes, row)
	}
	l.gaps = append(l.gaps, c.Gaps...)
	l.readings = append(l.readings, c.Readings...)
	l.rejects = slices.DeleteFunc(l.rejects, func(r table.QuarantineRow) bool { return slices.Contains(c.Rehold, r.Origin) })
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
	Contracts  []table.ContractRow
	Cursors    map[table.Key]table.Cursor
	Commits    int
}

// Tables returns what the lake holds.
func (l *Lake) Tables() Tables {
	l.mu.Lock()
	defer l.mu.Unlock()
	t := Tables{
		Readings: slices.Clone(l.readings), Quarantine: slices.Clone(l.rejects), Gaps: slices.Clone(l.gaps),
		Contracts: slices.Clone(l.changes),
		Cursors:   map[table.Key]table.Cursor{}, Commits: len(l.commits),
	}
	for k, row := range l.cursors {
		t.Cursors[k] = copyCursor(row)
	}
	return t
}
