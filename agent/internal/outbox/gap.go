package outbox

import (
	"errors"
	"fmt"

	"github.com/headwater-iot/headwater/agent/internal/segment"
	"github.com/headwater-iot/headwater/shared/record"
	"github.com/headwater-iot/headwater/shared/seqset"
	"github.com/headwater-iot/headwater/shared/wire"
)

// manyGaps is where gaps are joined even if one of them was on its way already.
const manyGaps = 256

// gap is a stretch of seqs that was given up. Its sealed part is a pure function of it, so it is kept as
// this line; once it was sent it does not change any more.
type gap struct {
	Epoch    record.Epoch `cbor:"1,keyasint"`
	First    uint64       `cbor:"2,keyasint"`
	Count    uint64       `cbor:"3,keyasint"`
	Reason   string       `cbor:"4,keyasint"`
	From     int64        `cbor:"5,keyasint"` // ms
	To       int64        `cbor:"6,keyasint"` // ms, exclusive
	Absolute bool         `cbor:"7,keyasint"`
	Boot     record.Boot  `cbor:"8,keyasint"`

	sent bool
}

func (g *gap) ref() Ref { return Ref{g.Epoch, g.First, g.Count} }

func (g *gap) key() string { return fmt.Sprintf("%s%s/%016x", factGap, g.Epoch, g.First) }

// seal returns the sealed part.
func (g *gap) seal(device string) ([]byte, error) {
	return wire.AppendGap(nil, wire.Header{
		Absolute: g.Absolute, Device: device, Epoch: g.Epoch, Boot: g.Boot,
		First: g.First, Count: g.Count, Base: g.From,
	}, wire.Gap{Reason: g.Reason, From: g.From, To: g.To})
}

// addGap puts a gap among the facts of the next save. flash is held.
func (o *Outbox) addGap(g gap) {
	if g.Count == 0 {
		return
	}
	if g.Reason == wire.Damaged {
		o.meters.damaged.Add(g.Count)
		o.conds.board.Raise(o.conds.damaged, fmt.Sprintf("%d readings of epoch %s", g.Count, g.Epoch))
	} else {
		o.meters.dropped.Add(g.Count)
		o.conds.board.Raise(o.conds.full, fmt.Sprintf("%d readings given up", o.meters.dropped.Value()))
	}
	for _, old := range o.gaps {
		joins := old.Epoch == g.Epoch && old.Reason == g.Reason && old.Absolute == g.Absolute && old.First+old.Count == g.First
		if joins && (!old.sent || len(o.gaps) >= manyGaps) {
			old.Count += g.Count
			old.From, old.To, old.sent = min(old.From, g.From), max(old.To, g.To), false
			o.log.Debug("more readings given up", "reason", g.Reason, "epoch", g.Epoch.String(), "first", g.First, "count", g.Count)
			o.facts[old.key()] = encode(old)
			return
		}
	}
	// One line per gap, however long it grows: the counters say how long.
	o.log.Warn("readings given up; the gap grows until there is room", "reason", g.Reason,
		"epoch", g.Epoch.String(), "first", g.First, "count", g.Count)
	o.gaps = append(o.gaps, &g)
	o.facts[g.key()] = encode(&g)
	poke(o.wake)
}

// dropOldest replaces a segment by gaps over exactly the seqs in it that have not landed. The gaps are
// safe before the file goes.
func (o *Outbox) dropOldest(seg *segment.Segment) error {
	if err := o.gapSegment(seg, wire.DropOldest); err != nil {
		return err
	}
	return o.forgetSegment(seg)
}

// gapSegment adds gaps for what has not landed of a segment, one per time kind and stretch.
func (o *Outbox) gapSegment(seg *segment.Segment, reason string) error {
	e := o.find(seg.Epoch)
	for _, r := range seg.All.Ranges() {
		for _, m := range e.landed.Missing(r.From, r.To) {
			if err := o.gapRange(seg, e, m.From, m.To, reason); err != nil {
				return err
			}
		}
	}
	return nil
}

// gapRange adds gaps over [from, to) of a segment.
func (o *Outbox) gapRange(seg *segment.Segment, e *epoch, from, to uint64, reason string) error {
	for from < to {
		item, err := o.store.At(seg, from)
		if errors.Is(err, segment.ErrScarce) {
			return err
		}
		if err != nil {
			o.addGap(o.blindGap(e, from, to))
			return nil
		}
		if item.First > from { // cannot be read any more
			o.addGap(o.blindGap(e, from, min(item.First, to)))
			from = item.First
			continue
		}
		end := min(item.End(), to)
		o.addGap(gap{
			Epoch: e.Epoch, First: from, Count: end - from, Reason: reason,
			From: item.Base, To: max(item.To, item.Base), Absolute: item.Absolute, Boot: item.Boot,
		})
		from = end
	}
	return nil
}

// blindGap is a gap `damaged` of readings whose times nobody knows: some time in their boot.
func (o *Outbox) blindGap(e *epoch, from, to uint64) gap {
	g := gap{Epoch: e.Epoch, First: from, Count: to - from, Reason: wire.Damaged, Boot: e.Boot}
	switch {
	case e.Boot == o.cfg.Boot:
		g.To = o.cfg.Clock.Monotonic()/1000 + 1
	default:
		// The last that is known of that boot; a day behind it, if it ran on without an anchor.
		g.To = o.anchors[e.Boot].Monotonic/1000 + 86_400_000
	}
	return g
}

// forgetSegment removes a segment of which nothing is needed any more: first from the facts, then the file.
func (o *Outbox) forgetSegment(seg *segment.Segment) error {
	o.facts[manifestKey(seg.Epoch, seg.First)] = nil
	if e := o.find(seg.Epoch); e != nil {
		o.noteLine(e)
	}
	if err := o.save(); err != nil {
		return err
	}
	if seg == o.counted {
		o.counted = nil
	}
	return o.store.Delete(seg)
}

// dropFromRing gives the oldest quarter of what the ring holds up: flash takes nothing and new rows must
// go somewhere. flash is held.
func (o *Outbox) dropFromRing() {
	o.mu.Lock()
	var gone []*held
	var gaps []gap
	bytes := 0
	for _, h := range o.held {
		if bytes += h.bytes; len(gone) > 0 && bytes > o.ring.Cap()/4 {
			break
		}
		gone = append(gone, h)
		g := gap{Epoch: h.Epoch, First: h.First, Count: h.Count, Reason: wire.DropOldest, To: h.to, Boot: h.boot}
		if b, err := o.payload(h); err == nil {
			s, _ := wire.ParseSealed(b) // payload has checked it
			g.From, g.Absolute = s.Base, s.Absolute
		}
		gaps = append(gaps, g)
	}
	o.mu.Unlock()
	for _, g := range gaps {
		if e := o.find(g.Epoch); e != nil && !e.landed.HasAll(g.First, g.First+g.Count) {
			o.addGap(g)
		}
	}
	if err := o.save(); err != nil {
		// Kept in memory and tried again; should the process die before, the gateway presumes them.
		o.flashFailed(err)
	}
	o.leaveRing(gone, nil)
}

// damagedInRing replaces a batch whose copy in the ring is bad by a gap.
func (o *Outbox) damagedInRing(h *held) {
	if e := o.find(h.Epoch); e != nil {
		o.addGap(o.blindGap(e, h.First, h.First+h.Count))
	}
	if err := o.save(); err != nil {
		o.flashFailed(err)
	}
	o.leaveRing(nil, h)
}

// damagedOnFlash replaces what cannot be read at seq any more, up to the next batch that can.
func (o *Outbox) damagedOnFlash(seg *segment.Segment, seq uint64, cause error) {
	from, to := seq, seg.All.Max()
	if errors.Is(cause, segment.ErrUnreadable) {
		from = 0 // the file as a whole
	} else {
		for _, r := range seg.All.Ranges() {
			if r.From <= seq && seq < r.To {
				to = r.To
			}
		}
	}
	gone := seg.All.Within(from, to)
	seg.All.Remove(from, to)
	if !errors.Is(cause, segment.ErrUnreadable) {
		if next, err := o.store.At(seg, seq+1); err == nil && next.First < to {
			seg.All.Add(next.First, to)
			gone = []seqset.Range{{From: from, To: next.First}}
		}
	}
	seg.Damage++
	if e := o.find(seg.Epoch); e != nil {
		for _, r := range gone {
			for _, m := range e.landed.Missing(r.From, r.To) {
				o.addGap(o.blindGap(e, m.From, m.To))
			}
		}
	}
	if err := o.save(); err != nil {
		o.flashFailed(err)
	}
}
