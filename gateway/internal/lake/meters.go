package lake

import (
	"errors"
	"time"

	"github.com/headwater-iot/headwater/gateway/internal/table"
	"github.com/headwater-iot/headwater/shared/meter"
)

// meters counts what leaves the flow here: every row of a commit that landed, by table, and every commit by outcome.
type meters struct {
	rows    map[string]*meter.Counter // by table
	commits map[string]*meter.Counter // by outcome
	seconds *meter.Histogram
	removed *meter.Counter
}

// Outcomes of a commit, as the label has them.
const (
	outcomeLanded   = "landed"
	outcomeStale    = "stale"
	outcomeForeign  = "foreign"
	outcomeConflict = "conflict"
	outcomeUnknown  = "unknown"
	outcomeFull     = "full"
	outcomeFailed   = "failed"
)

func newMeters(r *meter.Registry) *meters {
	m := &meters{
		rows:    make(map[string]*meter.Counter),
		commits: make(map[string]*meter.Counter),
		seconds: r.Histogram("headwater_lake_commit_seconds", "Duration of commits, whatever their outcome.",
			[]float64{0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10}),
		removed: r.Counter("headwater_lake_files_deleted_total", "Files deleted after an hour out of use."),
	}
	for _, t := range []string{table.Readings, table.Quarantine, table.Gaps, table.Contracts, table.Cursors} {
		m.rows[t] = r.Counter("headwater_lake_rows_total", "Rows landed in committed transactions.", "table", t)
	}
	for _, o := range []string{outcomeLanded, outcomeStale, outcomeForeign, outcomeConflict, outcomeUnknown, outcomeFull, outcomeFailed} {
		m.commits[o] = r.Counter("headwater_lake_commits_total", "Commits by outcome.", "outcome", o)
	}
	return m
}

func (m *meters) committed(c *table.Commit, took time.Duration, err error) {
	m.seconds.Observe(took.Seconds())
	m.commits[outcome(err)].Inc()
	if err != nil {
		return
	}
	m.rows[table.Readings].Add(uint64(readingsOf(c)))
	m.rows[table.Quarantine].Add(uint64(len(c.Quarantine)))
	m.rows[table.Gaps].Add(uint64(len(c.Gaps)))
	m.rows[table.Contracts].Add(uint64(len(c.Contracts)))
	m.rows[table.Cursors].Add(uint64(len(c.Cursors)))
}

// readingsOf returns how many readings a commit lands.
func readingsOf(c *table.Commit) (n int) {
	for i := range c.Readings {
		n += len(c.Readings[i].EventTime)
	}
	return n
}

func outcome(err error) string {
	switch {
	case err == nil:
		return outcomeLanded
	case errors.Is(err, ErrUnknown):
		return outcomeUnknown
	case errors.Is(err, ErrForeign):
		return outcomeForeign
	case errors.Is(err, ErrStale):
		return outcomeStale
	case errors.Is(err, ErrConflict):
		return outcomeConflict
	case errors.Is(err, ErrFull):
		return outcomeFull
	}
	return outcomeFailed
}
