package cursor

import (
	"fmt"
	"strings"

	"github.com/headwater-iot/headwater/gateway/internal/table"
)

// Counts is what the tables hold of a device, counted row by row.
type Counts struct {
	Readings    uint64 // rows of readings
	Quarantined uint64 // sum of count, but for what was replayed
	Gaps        uint64 // sum of count, sealed by the agent
	Presumed    uint64 // sum of count of presumed rows
	Removed     uint64 // landed once, and expired or forgotten since
	Duplicates  uint64 // rows of readings beyond the first of a (device, epoch, seq)
}

// Ledger is the balance of a device: accepted = landed + quarantined + gaps + pending.
type Ledger struct {
	Accepted    uint64 // the agent's own figure
	Landed      uint64
	Quarantined uint64
	Gaps        uint64 // given up by the agent
	Presumed    uint64 // presumed lost; a late batch may still bring it
	Pending     uint64 // neither closed nor presumed: on the device, on the way, or in the log
	Held        uint64 // of these, what the device claimed to hold in its last hello
	OpenEnded   bool   // an epoch ended by a power cut: how much was behind its last seq is not known
	OpenMax     uint64 // with OpenEnded: at most so much, by what the agents declared; 0 = they did not

	Difference int64  // accepted less the terms; 0 in a lake that is whole
	Problem    string // what does not agree, "" = nothing
}

// Balanced reports whether every accepted reading is accounted for and the tables hold what the cursors say.
func (l *Ledger) Balanced() bool { return l.Problem == "" }

// Balance sums up the cursors of a device and holds them against what its tables hold.
func Balance(cursors []table.Cursor, have Counts) Ledger {
	var l Ledger
	var closed uint64
	for i := range cursors {
		c := &cursors[i]
		l.Accepted += c.Accepted
		l.Landed += c.Landed
		l.Quarantined += c.Quarantined
		l.Gaps += c.GapSeqs
		l.Presumed += c.Presumed.Count()
		l.Held += c.Held
		if c.PresumedOpen {
			l.OpenEnded = true
			l.OpenMax += c.PresumedMax
		}
		filled := c.Closed.Clone()
		filled.AddSet(&c.Presumed)
		for _, r := range filled.Missing(0, c.Accepted) {
			l.Pending += r.Len()
		}
		closed += c.Closed.Count()
	}
	l.Difference = int64(l.Accepted - l.Landed - l.Quarantined - l.Gaps - l.Presumed - l.Pending)
	l.Problem = l.compare(closed, have)
	return l
}

// compare names what does not agree.
func (l *Ledger) compare(closed uint64, have Counts) string {
	var bad []string
	same := func(what string, cursors, rows uint64) {
		if cursors != rows {
			bad = append(bad, fmt.Sprintf("%s: %d by the cursors, %d by the rows", what, cursors, rows))
		}
	}
	same("landed", l.Landed, have.Readings+have.Removed)
	same("quarantined", l.Quarantined, have.Quarantined)
	same("gaps", l.Gaps, have.Gaps)
	same("presumed", l.Presumed, have.Presumed)
	same("closed", closed, l.Landed+l.Quarantined+l.Gaps)
	if have.Duplicates != 0 {
		bad = append(bad, fmt.Sprintf("%d rows of readings that were there before", have.Duplicates))
	}
	if l.Difference != 0 {
		bad = append(bad, fmt.Sprintf("accepted is %+d off its terms", l.Difference))
	}
	return strings.Join(bad, "; ")
}
