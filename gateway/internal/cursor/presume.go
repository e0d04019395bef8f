package cursor

import (
	"github.com/headwater-iot/headwater/gateway/internal/table"
	"github.com/headwater-iot/headwater/shared/seqset"
	"github.com/headwater-iot/headwater/shared/wire"
)

// Reasons of a presumed gap.
const (
	PowerCut         = "power_cut"
	GatewayStateLost = "gateway_state_lost"
	Restored         = "restored_from_backup" // reserved
)

// Claim is what a device says of one epoch in a hello.
type Claim struct {
	Next     uint64     // seqs given out, or known of
	Held     seqset.Set // what the device still has
	State    wire.EpochState
	CountMax uint64 // with EpochLost: at most so many were given out from Next on; 0 = not known
}

// ClaimOf reads a checked entry of a hello.
func ClaimOf(e *wire.HelloEpoch) Claim {
	held, _ := seqset.FromFlat(e.Held) // checked when the hello was read
	held.Remove(0, e.Floor)            // nothing below the floor is held
	return Claim{Next: e.Next, Held: held, State: e.State, CountMax: e.CountMax}
}

// Hear takes in a claim: every seq below next that is neither closed nor held is presumed lost from now on. With
// mayEnd an epoch that the device calls over is over; only what an epoch's descendant says may be heard so.
func (c *Cursor) Hear(claim Claim, mayEnd bool, by table.Origin) {
	c.figures(claim, by)
	if mayEnd && claim.State == wire.EpochEnded {
		c.End(max(claim.Next, claim.Held.Max()), by)
	}
	next := claim.Next
	lost := mayEnd && claim.State == wire.EpochLost && !c.Row.HasFinal
	if lost {
		next = max(c.Row.Accepted, claim.Held.Max(), c.Row.PresumedFrom)
	}
	if c.Row.HasFinal {
		next = min(next, c.Row.FinalSeq)
	}
	// A row for each hole is a row for each pair of ranges; a claim that names too many is believed to hold more.
	held := claim.Held.Coarsen(MaxRanges)
	c.presume(next, &held, by)
	if lost {
		c.loseTail(claim, next, by)
	}
}

// figures keeps the agent's own words for the ledger.
func (c *Cursor) figures(claim Claim, by table.Origin) {
	var held uint64
	for _, r := range claim.Held.Ranges() {
		for _, open := range c.Row.Closed.Missing(r.From, r.To) {
			held += open.Len()
		}
	}
	if accepted := max(c.Row.Accepted, claim.Next); accepted != c.Row.Accepted || held != c.Row.Held {
		c.Row.Accepted, c.Row.Held = accepted, held
		c.touch(by)
	}
}

// presume makes the presumed seqs below next those that are neither closed nor held.
func (c *Cursor) presume(next uint64, held *seqset.Set, by table.Origin) {
	c.advance(next, by) // what lies below is presumed by name, or not at all
	after := c.Row.Presumed.Clone()
	for _, r := range c.Row.Closed.Missing(0, next) {
		after.Add(r.From, r.To)
	}
	for _, r := range held.Ranges() {
		after.Remove(r.From, r.To)
	}
	if !after.Equal(&c.Row.Presumed) {
		c.Row.Presumed = after
		c.move(by)
	}
}

// loseTail presumes everything from next on, of an epoch that ended without an `end`.
func (c *Cursor) loseTail(claim Claim, next uint64, by table.Origin) {
	left := claim.CountMax - min(claim.CountMax, next-min(next, claim.Next))
	if !c.Row.Ended {
		c.Row.Ended = true
		c.touch(by)
		if c.presumes() {
			c.move(by) // the reason changes
		}
	}
	// A bound that is used up says that nothing lies behind; no bound at all says nothing.
	open := left > 0 || claim.CountMax == 0
	from := next
	if !open {
		from = 0
	}
	if open != c.Row.PresumedOpen || from != c.Row.PresumedFrom || left != c.Row.PresumedMax {
		c.Row.PresumedOpen, c.Row.PresumedFrom, c.Row.PresumedMax = open, from, left
		c.move(by)
	}
}

func (c *Cursor) presumes() bool { return c.Row.PresumedOpen || !c.Row.Presumed.Empty() }

// Reason says why the presumed seqs are missing; it follows from the row alone; see the package comment.
func (c *Cursor) Reason() string {
	if c.Row.Ended && !c.Row.HasFinal {
		return PowerCut
	}
	return GatewayStateLost
}

// presumedRows returns the rows that stand for the presumed seqs, as the record that moved them last leaves them.
func (c *Cursor) presumedRows() []table.GapRow {
	row := table.GapRow{
		Device: c.Row.Device, Epoch: c.Row.Epoch, Reason: c.Reason(), Presumed: true,
		TimeFrom: table.Unknown, TimeTo: table.Unknown, Origin: c.movedBy,
	}
	var out []table.GapRow
	for _, r := range c.Row.Presumed.Ranges() {
		row.From, row.To, row.Count = r.From, r.To, r.Len()
		out = append(out, row)
	}
	if c.Row.PresumedOpen {
		row.From, row.To, row.Count, row.CountMax = c.Row.PresumedFrom, 0, 0, c.Row.PresumedMax
		out = append(out, row)
	}
	return out
}
