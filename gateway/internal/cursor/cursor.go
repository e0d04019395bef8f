package cursor

import (
	"github.com/headwater-iot/headwater/gateway/internal/table"
	"github.com/headwater-iot/headwater/shared/record"
	"github.com/headwater-iot/headwater/shared/seqset"
	"github.com/headwater-iot/headwater/shared/wire"
)

// MaxRanges is the largest number of ranges a cursor may need, presumed seqs counted as filled. Intake refuses the
// batch that would open one more (Fits); what is in the log lands all the same.
const MaxRanges = 64

// maxRecent is how many batches of an epoch are remembered by their CRC.
const maxRecent = 16

// Fate is where a closed seq went.
type Fate uint8

// The fates.
const (
	Landed Fate = 1 + iota
	Quarantined
	GivenUp // by a gap that the agent sealed
)

// Cursor is the state of one epoch of one device, and what has changed of it since it was committed.
type Cursor struct {
	Row table.Cursor

	stands  bool         // presumed rows of this key stand in the table
	moved   bool         // they are not what the table should say now
	movedBy table.Origin // the record that moved them last
	dirty   bool         // Row is not that of the table

	memory   map[string]Memory // by contract; nil = not read from Row yet
	recalled bool              // it is not what Row says
}

// New returns the cursor of an epoch that nobody has heard of.
func New(key table.Key) *Cursor {
	return &Cursor{Row: table.Cursor{
		Device: key.Device, Epoch: key.Epoch,
		Promise: table.Unknown, ClockOffset: table.Unknown,
	}}
}

// From returns the cursor of a row as it stands in the table.
func From(row table.Cursor) *Cursor {
	c := &Cursor{Row: row}
	c.stands = c.presumes()
	return c
}

// clone returns a copy that shares nothing that changes.
func (c *Cursor) clone() *Cursor {
	d := *c
	d.Row.Closed, d.Row.Presumed = c.Row.Closed.Clone(), c.Row.Presumed.Clone()
	d.Row.Recent = append([]table.BatchMark(nil), c.Row.Recent...)
	return &d
}

// settled returns c as it is once its draft is committed.
func (c *Cursor) settled() *Cursor {
	c.stands, c.moved, c.movedBy, c.dirty = c.presumes(), false, table.Origin{}, false
	return c
}

// Key names the cursor.
func (c *Cursor) Key() table.Key { return table.Key{Device: c.Row.Device, Epoch: c.Row.Epoch} }

// Changed reports whether the cursor has something to commit.
func (c *Cursor) Changed() bool { return c.dirty }

// Open returns the seqs of [from, to) that have no fate yet, ascending.
func (c *Cursor) Open(from, to uint64) []seqset.Range { return c.Row.Closed.Missing(from, to) }

// Close gives the seqs of [from, to) that have no fate yet one, and returns how many they were.
func (c *Cursor) Close(from, to uint64, fate Fate, by table.Origin) uint64 {
	seqs := seqset.Of(seqset.Range{From: from, To: to})
	return c.CloseSet(&seqs, fate, by)
}

// CloseSet does so for a set, in about the time that it takes to walk it.
func (c *Cursor) CloseSet(seqs *seqset.Set, fate Fate, by table.Origin) uint64 {
	var n uint64
	for _, s := range seqs.Ranges() {
		for _, r := range c.Row.Closed.Missing(s.From, s.To) {
			n += r.Len()
			c.unpresume(r, by)
		}
	}
	if n == 0 {
		return 0
	}
	c.Row.Closed.AddSet(seqs)
	c.Row.Accepted = max(c.Row.Accepted, seqs.Max()) // the agent gave them out, whether or not a hello said so yet
	switch fate {
	case Landed:
		c.Row.Landed += n
	case Quarantined:
		c.Row.Quarantined += n
	case GivenUp:
		c.Row.GapSeqs += n
	default:
		panic("cursor: a fate that does not exist")
	}
	c.touch(by)
	return n
}

// Replay moves n closed readings from the quarantined ones to the landed ones. More than were quarantined, in a lake that
// somebody wrote to by hand, are left for the ledger to show.
func (c *Cursor) Replay(n uint64, by table.Origin) {
	n = min(n, c.Row.Quarantined)
	c.Row.Quarantined -= n
	c.Row.Landed += n
	c.touch(by)
}

// unpresume takes seqs that have come out of the presumed ones. When they came from behind the start of an open
// presumed range, what they jumped over is presumed by name and the open range starts behind them.
func (c *Cursor) unpresume(r seqset.Range, by table.Origin) {
	if len(c.Row.Presumed.Within(r.From, r.To)) > 0 {
		c.Row.Presumed.Remove(r.From, r.To)
		c.move(by)
	}
	if c.Row.PresumedOpen && r.To > c.Row.PresumedFrom {
		c.Row.Presumed.Add(c.Row.PresumedFrom, max(c.Row.PresumedFrom, r.From))
		c.advance(r.To, by)
	}
}

// advance moves the start of the open presumed range up. When its bound is used up nothing is left behind it.
func (c *Cursor) advance(to uint64, by table.Origin) {
	if !c.Row.PresumedOpen || to <= c.Row.PresumedFrom {
		return
	}
	n := to - c.Row.PresumedFrom
	switch {
	case c.Row.PresumedMax == 0: // no bound
		c.Row.PresumedFrom = to
	case c.Row.PresumedMax <= n:
		c.Row.PresumedOpen, c.Row.PresumedFrom, c.Row.PresumedMax = false, 0, 0
	default:
		c.Row.PresumedFrom, c.Row.PresumedMax = to, c.Row.PresumedMax-n
	}
	c.move(by)
}

// End notes the `end` of the epoch: no seq at or above final was given out. It returns false when seqs from there on
// are closed already, which no honest device brings about; then the end lies behind those.
func (c *Cursor) End(final uint64, by table.Origin) bool {
	honest := c.Row.Closed.Max() <= final
	final = max(final, c.Row.Closed.Max())
	if c.Row.HasFinal && c.Row.FinalSeq <= final {
		return honest
	}
	if c.presumes() && c.Reason() != GatewayStateLost {
		c.move(by) // the reason changes
	}
	c.Row.Ended, c.Row.HasFinal, c.Row.FinalSeq = true, true, final
	c.Row.Accepted = max(c.Row.Accepted, final)
	if c.Row.PresumedOpen {
		c.Row.Presumed.Add(c.Row.PresumedFrom, max(final, c.Row.PresumedFrom))
		c.Row.PresumedOpen, c.Row.PresumedFrom, c.Row.PresumedMax = false, 0, 0
		c.move(by)
	}
	if c.Row.Presumed.Max() > final {
		c.Row.Presumed.Remove(final, c.Row.Presumed.Max())
		c.move(by)
	}
	c.touch(by)
	return honest
}

// Beyond returns the part of [from, to) that lies at or above the end of the epoch.
func (c *Cursor) Beyond(from, to uint64) seqset.Range {
	if !c.Row.HasFinal || to <= c.Row.FinalSeq {
		return seqset.Range{From: to, To: to}
	}
	return seqset.Range{From: max(from, c.Row.FinalSeq), To: to}
}

// Remember notes the bytes of a batch of readings. It returns false when they contradict a batch that is remembered:
// other bytes under the same seqs. Each such batch is reported once.
func (c *Cursor) Remember(m table.BatchMark, by table.Origin) bool {
	agrees := true
	for _, r := range c.Row.Recent {
		if r == m {
			return true
		}
		if m.First < r.First+r.Count && r.First < m.First+m.Count {
			agrees = false
		}
	}
	c.Row.Recent = append(c.Row.Recent, m)
	if extra := len(c.Row.Recent) - maxRecent; extra > 0 {
		c.Row.Recent = append(c.Row.Recent[:0], c.Row.Recent[extra:]...)
	}
	c.touch(by)
	return agrees
}

// Anchor notes an anchor of the epoch's boot if it is better than the known one. It returns whether it was.
func (c *Cursor) Anchor(a wire.Anchor, by table.Origin) bool {
	if !Better(a, c.Row.Anchor) {
		return false
	}
	c.Row.Anchor = a
	c.touch(by)
	return true
}

// Better reports whether an anchor of a boot takes the place of another: one of a later generation contradicts it and
// came after it, or it is of the same one and more trusted. One that nobody has set a clock for takes no other's.
func Better(a, old wire.Anchor) bool {
	if a.State < wire.Gateway || old.State < wire.Gateway {
		return a.State > old.State
	}
	return a.Generation > old.Generation || a.Generation == old.Generation && a.State > old.State
}

// Promise notes that no later seq has device time below t, in ms.
func (c *Cursor) Promise(t int64, by table.Origin) {
	if t > c.Row.Promise {
		c.Row.Promise = t
		c.touch(by)
	}
}

// Bound keeps the clock offset chosen for an epoch whose boot has no anchor, so that all of it gets the same one.
func (c *Cursor) Bound(offset int64, by table.Origin) {
	if c.Row.ClockOffset == table.Unknown {
		c.Row.ClockOffset = offset
		c.touch(by)
	}
}

// Describe notes what does not change within an epoch, the first time it is said.
func (c *Cursor) Describe(predecessor record.Epoch, boot record.Boot, site string, by table.Origin) {
	set := false
	if c.Row.Predecessor == 0 && predecessor != 0 {
		c.Row.Predecessor, set = predecessor, true
	}
	if c.Row.Boot == 0 && boot != 0 {
		c.Row.Boot, set = boot, true
	}
	if c.Row.Site == "" && site != "" {
		c.Row.Site, set = site, true
	}
	if set {
		c.touch(by)
	}
}

// Consume notes that a batch of the epoch was read. Its device hears what has landed even if nothing was new: it
// asks because it does not know.
func (c *Cursor) Consume(by table.Origin) { c.touch(by) }

func (c *Cursor) touch(by table.Origin) { c.dirty, c.Row.Origin = true, by }

func (c *Cursor) move(by table.Origin) {
	c.moved, c.movedBy = true, by
	c.touch(by)
}

// Complete reports whether nothing more is expected of the epoch: it is over, and every seq of it is closed or presumed
// lost. Such a cursor leaves memory; its row in the table is found when the epoch comes again, be it a copy or what was
// presumed too soon. Each power cut leaves a presumed tail for good, so they would add up for as long as a device lives.
func (c *Cursor) Complete() bool {
	if !c.Row.Ended {
		return false
	}
	filled := c.Row.Closed.Clone()
	filled.AddSet(&c.Row.Presumed)
	end := max(filled.Max(), c.Row.Accepted)
	if c.Row.HasFinal {
		end = c.Row.FinalSeq
	}
	return filled.HasAll(0, end)
}

// Fits reports whether [from, to) may join the filled seqs of an epoch without a range too many, and if not the
// lowest missing range, which has to come first. filled holds what is stored, closed or presumed.
func Fits(filled *seqset.Set, from, to uint64) (missing seqset.Range, ok bool) {
	after := filled.Clone()
	after.Add(from, to)
	n := len(after.Ranges())
	if n <= MaxRanges || n <= len(filled.Ranges()) {
		return seqset.Range{}, true
	}
	return after.Missing(0, after.Max())[0], false
}
