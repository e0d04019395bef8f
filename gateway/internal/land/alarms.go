package land

import "github.com/headwater-iot/headwater/shared/health"

// alarms are the conditions of landing. A conflict or a fork stands until a restart: only a person can resolve it.
type alarms struct {
	board    *health.Board
	kind     *health.Condition
	conflict *health.Condition
	fork     *health.Condition
	lacking  *health.Condition
}

func newAlarms(board *health.Board) alarms {
	return alarms{
		board: board,
		kind: &health.Condition{
			Code:     "land_unknown_kind",
			Title:    "The log has a record that this version does not know: landing has stopped until a later version runs",
			Severity: health.Error,
		},
		conflict: &health.Condition{
			Code:     "land_seqs_conflict",
			Title:    "Two devices use one identity: other bytes came under the same seqs",
			Severity: health.Error,
		},
		fork: &health.Condition{
			Code:     "land_fork",
			Title:    "Two devices go on from one past: a memory card was copied",
			Severity: health.Error,
		},
		lacking: &health.Condition{
			Code:     "contract_lacking",
			Title:    "Devices do not announce series that their contracts require",
			Severity: health.Warning,
		},
	}
}

func (a *alarms) raise(c *health.Condition, detail string) { a.board.Raise(c, detail) }
