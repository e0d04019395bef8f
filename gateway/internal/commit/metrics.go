package commit

import (
	"time"

	"github.com/headwater-iot/headwater/gateway/internal/table"
	"github.com/headwater-iot/headwater/shared/health"
	"github.com/headwater-iot/headwater/shared/meter"
)

// instruments watch the commits.
type instruments struct {
	seconds   *meter.Histogram
	rows      map[string]*meter.Counter // by table
	unknown   *meter.Counter
	conflicts *meter.Counter
	retries   *meter.Counter
	takeovers *meter.Counter
}

func newInstruments(r *meter.Registry) instruments {
	in := instruments{
		seconds: r.Histogram("headwater_commit_seconds", "Time of one commit of all tables.",
			[]float64{0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30}),
		rows:      map[string]*meter.Counter{},
		unknown:   r.Counter("headwater_commit_unknown_total", "Commits whose outcome had to be read from the lake."),
		conflicts: r.Counter("headwater_commit_conflicts_total", "Commits that met a table which had moved, or other marks."),
		retries:   r.Counter("headwater_commit_retries_total", "Times that landing began again from what the lake says."),
		takeovers: r.Counter("headwater_commit_takeover_retries_total", "Takeovers that were tried again."),
	}
	for _, t := range []string{table.Readings, table.Quarantine, table.Gaps, table.Contracts, table.Cursors} {
		in.rows[t] = r.Counter("headwater_commit_rows_total", "Rows committed, by table.", "table", t)
	}
	return in
}

// committed counts a commit that has succeeded.
func (in *instruments) committed(took time.Duration, c *table.Commit) {
	in.seconds.Observe(took.Seconds())
	var readings uint64
	for i := range c.Readings {
		readings += uint64(len(c.Readings[i].Seq))
	}
	in.rows[table.Readings].Add(readings)
	in.rows[table.Quarantine].Add(uint64(len(c.Quarantine)))
	in.rows[table.Gaps].Add(uint64(len(c.Gaps)))
	in.rows[table.Contracts].Add(uint64(len(c.Contracts)))
	in.rows[table.Cursors].Add(uint64(len(c.Cursors)))
}

// alarms are the conditions of the loop.
type alarms struct {
	board   *health.Board
	stall   *health.Condition
	foreign *health.Condition
}

func newAlarms(board *health.Board) alarms {
	return alarms{
		board: board,
		stall: &health.Condition{
			Code:     "commit_failing",
			Title:    "Readings are stored in the log but do not reach the lake",
			Severity: health.Error, Hold: 10 * time.Second,
		},
		foreign: &health.Condition{
			Code:     "lake_foreign",
			Title:    "Another log owns the lake; landing has stopped",
			Severity: health.Error,
		},
	}
}

func (a *alarms) stalled(err error) {
	detail := "the log reader ended"
	if err != nil {
		detail = err.Error()
	}
	a.board.Raise(a.stall, detail)
}

func (a *alarms) usurped(err error) { a.board.Raise(a.foreign, err.Error()) }

func (a *alarms) calm() { a.board.Clear(a.stall) }
