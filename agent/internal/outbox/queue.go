package outbox

import (
	"errors"
	"slices"
	"time"

	"github.com/headwater-iot/headwater/agent/internal/segment"
	"github.com/headwater-iot/headwater/shared/wire"
)

// maxCounts bounds the memory of which batch ends where.
const maxCounts = 1024

// Next returns the oldest batch of a lane that is not stored and not skipped.
//
// The live lane is the ring's part of the current epoch. The backlog is: gaps and ends, which are small and
// close what the gateway waits for; then flash; then what an earlier process left in the ring.
func (o *Outbox) Next(lane Lane, skip func(Ref) bool) (Batch, bool) {
	o.flash.Lock()
	defer o.flash.Unlock()
	if o.shut {
		return Batch{}, false
	}
	if lane == Live {
		return o.nextInRing(skip, true)
	}
	if b, ok := o.nextGap(skip); ok {
		return b, true
	}
	if b, ok := o.nextOnFlash(skip); ok {
		return b, true
	}
	if b, ok := o.nextInRing(skip, false); ok {
		return b, true
	}
	return o.nextEnd(skip)
}

func (o *Outbox) nextInRing(skip func(Ref) bool, live bool) (Batch, bool) {
	for {
		b, bad := o.scanRing(skip, live)
		if bad == nil {
			return b, b.Sealed != nil
		}
		o.damagedInRing(bad)
	}
}

// scanRing returns the first batch that may go, or one that is damaged.
func (o *Outbox) scanRing(skip func(Ref) bool, live bool) (Batch, *held) {
	o.mu.Lock()
	defer o.mu.Unlock()
	now := o.current().Epoch
	for _, h := range o.held {
		if !h.storedAt.IsZero() || (h.Epoch == now) != live || skip(h.Ref) {
			continue
		}
		b, err := o.payload(h)
		if err != nil {
			return Batch{}, h
		}
		o.envelope = append(o.envelope[:0], b...) // the ring may move on
		return Batch{Ref: h.Ref, Kind: h.kind, Boot: h.boot, Anchor: o.anchorOf(h.boot), Sealed: o.envelope}, nil
	}
	return Batch{}, nil
}

func (o *Outbox) nextGap(skip func(Ref) bool) (Batch, bool) {
	for _, g := range o.gaps {
		e := o.find(g.Epoch)
		if e == nil || e.stored.HasAll(g.First, g.First+g.Count) || skip(g.ref()) {
			continue
		}
		sealed, err := g.seal(o.cfg.Device)
		if err != nil {
			o.log.Error("gap cannot be sealed; it is kept", "epoch", g.Epoch.String(), "first", g.First, "error", err)
			continue
		}
		g.sent = true
		return Batch{Ref: g.ref(), Kind: wire.KindGap, Boot: g.Boot, Anchor: o.anchorOf(g.Boot), Sealed: sealed}, true
	}
	return Batch{}, false
}

// nextEnd returns the end of an epoch that is over. Like a gap it is a pure function of its line.
func (o *Outbox) nextEnd(skip func(Ref) bool) (Batch, bool) {
	for _, e := range o.epochs {
		ref := Ref{Epoch: e.Epoch, First: e.Next}
		if e.State != wire.EpochEnded || e.done || skip(ref) {
			continue
		}
		sealed, err := wire.AppendEnd(nil, wire.Header{Device: o.cfg.Device, Epoch: e.Epoch, Boot: e.Boot, First: e.Next})
		if err != nil {
			o.log.Error("end cannot be sealed; it is kept", "epoch", e.Epoch.String(), "error", err)
			continue
		}
		return Batch{Ref: ref, Kind: wire.KindEnd, Boot: e.Boot, Anchor: o.anchorOf(e.Boot), Sealed: sealed}, true
	}
	return Batch{}, false
}

func (o *Outbox) nextOnFlash(skip func(Ref) bool) (Batch, bool) {
	for _, seg := range o.store.Segments() {
		for {
			b, at, err := o.scanSegment(seg, skip)
			if err == nil {
				if b.Sealed != nil {
					return b, true
				}
				break
			}
			if errors.Is(err, segment.ErrScarce) {
				o.log.Debug("stored batch not read; it is tried again", "error", err)
				return Batch{}, false
			}
			o.damagedOnFlash(seg, at, err)
		}
	}
	return Batch{}, false
}

// scanSegment returns the first batch of a segment that may go, or the seq where it cannot be read.
func (o *Outbox) scanSegment(seg *segment.Segment, skip func(Ref) bool) (Batch, uint64, error) {
	e := o.find(seg.Epoch)
	if e == nil {
		return Batch{}, 0, nil
	}
	for _, r := range seg.All.Ranges() {
		for _, m := range e.stored.Missing(r.From, r.To) {
			for seq := m.From; seq < m.To; {
				if n := o.countAt(seg, seq); n > 0 && skip(Ref{seg.Epoch, seq, n}) {
					seq += n
					continue
				}
				item, err := o.store.At(seg, seq)
				if err != nil || item.First > seq {
					return Batch{}, seq, errOr(err)
				}
				o.noteCount(seg, item.First, item.Count)
				if ref := (Ref{seg.Epoch, item.First, item.Count}); !skip(ref) {
					return Batch{Ref: ref, Kind: item.Kind, Boot: item.Boot, Anchor: o.anchorOf(item.Boot), Sealed: item.Raw}, 0, nil
				}
				seq = item.End()
			}
		}
	}
	return Batch{}, 0, nil
}

// errOr makes an error of a batch that should be there and is not.
func errOr(err error) error {
	if err == nil || errors.Is(err, segment.ErrNone) {
		return segment.ErrDamaged
	}
	return err
}

func (o *Outbox) countAt(seg *segment.Segment, first uint64) uint64 {
	if seg != o.counted {
		return 0
	}
	return o.counts[first]
}

func (o *Outbox) noteCount(seg *segment.Segment, first, count uint64) {
	if seg != o.counted || len(o.counts) >= maxCounts {
		o.counted, o.counts = seg, make(map[uint64]uint64)
	}
	o.counts[first] = count
}

// Verify reads a batch that arrived damaged at the gateway and reports whether our copy is good; a
// bad one has become a gap when it returns.
func (o *Outbox) Verify(r Ref) (good bool) {
	o.flash.Lock()
	defer o.flash.Unlock()
	if o.shut {
		return true
	}
	if h := o.inRing(r); h != nil {
		o.mu.Lock()
		_, err := o.payload(h)
		o.mu.Unlock()
		if err != nil {
			o.damagedInRing(h)
		}
		return err == nil
	}
	for _, seg := range o.store.Segments() {
		if seg.Epoch != r.Epoch || r.Count == 0 || !seg.All.HasAll(r.First, r.First+r.Count) {
			continue
		}
		item, err := o.store.At(seg, r.First)
		if errors.Is(err, segment.ErrScarce) {
			return true // nothing speaks against it
		}
		if err != nil || item.First != r.First {
			o.damagedOnFlash(seg, r.First, errOr(err))
			return false
		}
		return true
	}
	return true // a gap or an end, which are made anew each time, or not ours any more
}

func (o *Outbox) inRing(r Ref) *held {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, h := range o.held {
		if h.Ref == r {
			return h
		}
	}
	return nil
}

// Apply takes an ack of the gateway that is trusted: what has landed is forgotten. After an error
// nothing was forgotten that has to be kept, and the next ack tries again.
func (o *Outbox) Apply(a *wire.Ack) error {
	o.flash.Lock()
	defer o.flash.Unlock()
	if o.shut {
		return ErrClosed
	}
	if !o.newer(a) {
		return nil
	}
	for i := range a.Epochs {
		if e := o.find(a.Epochs[i].Epoch); e != nil {
			e.landed = a.Epochs[i].LandedSet()
			e.stored = a.Epochs[i].StoredSet()
			e.stored.AddSet(&e.landed)
			e.done = a.Epochs[i].Ended
		}
	}
	now := time.Now()
	o.applyToRing(now)
	poke(o.kick) // what was stored and is not any more may be due
	o.keepFloor(now)
	return errors.Join(o.applyToFlash(), o.save())
}

// newer takes the identity and number of an ack, and voids what another log or lake had said. It
// reports whether the ack says more than the last.
func (o *Outbox) newer(a *wire.Ack) bool {
	if a.Lake == o.lake && a.Log == o.logID && a.Number().Less(o.number) {
		return false
	}
	if a.Lake != o.lake {
		if o.lake != (wire.ID{}) {
			o.log.Warn("another lake answers; what it has not got is sent again", "lake", a.Lake.String(), "before", o.lake.String())
		}
		o.lake = a.Lake // on flash with the first line that speaks of it: a connected device writes nothing
		for _, e := range o.epochs {
			e.landed, e.done = emptySet(), false
			if len(e.Landed) > 0 { // flash must not say that of the new lake
				o.noteLine(e)
			}
		}
	}
	if a.Log != o.logID {
		for _, e := range o.epochs {
			e.stored = e.landed.Clone()
		}
		o.logID = a.Log
		poke(o.wake)
	}
	o.number = a.Number()
	return true
}

// applyToRing releases what has landed and starts the clock of what is stored.
func (o *Outbox) applyToRing(now time.Time) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, h := range o.held {
		stored := false
		if e := o.find(h.Epoch); e != nil {
			stored = e.stored.HasAll(h.First, h.First+h.Count)
		}
		switch {
		case !stored:
			h.storedAt = time.Time{}
		case h.storedAt.IsZero():
			h.storedAt = now
		}
	}
	before := len(o.held)
	o.release(func(h *held) bool {
		e := o.find(h.Epoch)
		return e != nil && e.landed.HasAll(h.First, h.First+h.Count)
	})
	o.meters.landed.Add(uint64(before - len(o.held)))
}

// applyToFlash deletes segments, gaps and lines of which nothing is needed any more.
func (o *Outbox) applyToFlash() error {
	var errs []error
	kept := o.gaps[:0]
	for _, g := range o.gaps {
		if e := o.find(g.Epoch); e == nil || e.landed.HasAll(g.First, g.First+g.Count) {
			o.facts[g.key()] = nil
			continue
		}
		kept = append(kept, g)
	}
	clear(o.gaps[len(kept):])
	o.gaps = kept
	for _, seg := range append([]*segment.Segment(nil), o.store.Segments()...) {
		if e := o.find(seg.Epoch); e != nil && landedAll(&e.landed, seg) {
			errs = append(errs, o.forgetSegment(seg))
		}
	}
	o.forgetEpochs()
	// Half, so that the condition does not come and go with every segment.
	if o.store.Bytes() < o.cfg.Quota/2 {
		o.conds.board.Clear(o.conds.full)
	}
	return errors.Join(errs...)
}

// hasSegment reports whether a file of an epoch is left: its removal may have failed.
func (o *Outbox) hasSegment(e *epoch) bool {
	return slices.ContainsFunc(o.store.Segments(), func(s *segment.Segment) bool { return s.Epoch == e.Epoch })
}

// forgetEpochs drops the lines of ancestors that the gateway has the end of, the oldest first: a line in the middle is
// what ties an older one to the current epoch, and only an ancestor can be ended by what its descendant says.
func (o *Outbox) forgetEpochs() {
	o.mu.Lock()
	defer o.mu.Unlock()
	last := o.current()
	kept := o.epochs[:0]
	for _, e := range o.epochs {
		held := o.heldSet(e)
		if len(kept) == 0 && e != last && e.done && held.Empty() && !o.hasSegment(e) {
			o.facts[lineKey(e.Epoch)] = nil
			continue
		}
		kept = append(kept, e)
	}
	clear(o.epochs[len(kept):])
	o.epochs = kept
}
