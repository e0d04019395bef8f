package outbox

import (
	"slices"
	"time"

	"github.com/headwater-iot/headwater/agent/internal/ring"
	"github.com/headwater-iot/headwater/agent/internal/seal"
	"github.com/headwater-iot/headwater/agent/internal/segment"
	"github.com/headwater-iot/headwater/shared/record"
	"github.com/headwater-iot/headwater/shared/seqset"
	"github.com/headwater-iot/headwater/shared/wire"
)

// missDamaged finds segments that are gone or of which a part cannot be read, and closes what was in
// them. What the ring holds never came to a segment whose file was not made any more. It may claim too much,
// namely seqs that landed out of the ring: the gateway clips a gap to what it has not got.
func (o *Outbox) missDamaged(manifests []manifest, found ring.Found) {
	for i, m := range manifests {
		e := o.find(m.Epoch)
		seg := o.segmentOf(m)
		if e == nil || seg != nil && seg.Damage == 0 {
			continue
		}
		end := m.End
		if end == 0 { // it was the last: whatever else is known of the epoch bounds it
			end = e.Next
		}
		if i+1 < len(manifests) && manifests[i+1].Epoch == m.Epoch {
			end = max(end, manifests[i+1].First)
		}
		if seg == nil {
			o.facts[manifestKey(m.Epoch, m.First)] = nil
		}
		inRing := seqsOf(found.Entries, m.Epoch)
		o.missing(e, &inRing, m.First, end)
	}
}

// seqsOf returns the seqs of an epoch that are in sealed records, as far as they can be read.
func seqsOf(records []ring.Entry, id record.Epoch) (seqs seqset.Set) {
	for _, r := range records {
		if r.Kind != ring.Sealed {
			continue
		}
		b, err := ring.ParseBatch(r.Payload)
		s, err2 := wire.ParseSealed(b.Sealed)
		if err == nil && err2 == nil && s.Epoch == id {
			seqs.Add(s.First, s.End())
		}
	}
	return seqs
}

func (o *Outbox) segmentOf(m manifest) *segment.Segment {
	for _, s := range o.store.Segments() {
		if s.Epoch == m.Epoch && s.First == m.First {
			return s
		}
	}
	return nil
}

// missing closes what is neither held nor done with of [from, to).
func (o *Outbox) missing(e *epoch, done *seqset.Set, from, to uint64) {
	have := o.heldSet(e)
	have.AddSet(&e.landed)
	have.AddSet(done)
	if e.State != wire.EpochEnded {
		e.Next = max(e.Next, to) // a hello that holds more than was given out is refused
	}
	for _, r := range have.Missing(from, max(from, to)) {
		o.addGap(o.blindGap(e, r.From, r.To))
	}
}

// dropGapped deletes segments of which everything is closed: a crash came between the gap and the delete.
func (o *Outbox) dropGapped() {
	for _, seg := range slices.Clone(o.store.Segments()) {
		e := o.find(seg.Epoch)
		closed := e.landed.Clone()
		for _, g := range o.gaps {
			if g.Epoch == e.Epoch {
				closed.Add(g.First, g.First+g.Count)
			}
		}
		if landedAll(&closed, seg) {
			if err := o.forgetSegment(seg); err != nil {
				o.flashFailed(err)
			}
		}
	}
}

// recoverRing takes over what the last process left in the ring: sealed batches as they are, and rows,
// sealed now under the epoch that accepted them. It returns the records that nobody can use.
func (o *Outbox) recoverRing(found ring.Found, owner *epoch) (leftover []uint64) {
	var consumed seqset.Set
	var rows []waiting
	now := time.Now()
	for _, e := range found.Entries {
		switch e.Kind {
		case ring.Row:
			rows = o.recoverRow(rows, &e)
		case ring.Sealed:
			o.recoverSealed(&e, &consumed, now)
		}
	}
	done := o.doneWith(found)
	o.rows = slices.DeleteFunc(rows, func(w waiting) bool {
		if !consumed.Has(w.Counter) {
			return false
		}
		o.ring.Release(w.pos)
		return true
	})
	for i := range o.rows {
		o.rowBytes += o.rows[i].size
		o.counter = max(o.counter, o.rows[i].Counter+1)
	}
	o.counter = max(o.counter, consumed.Max())
	if owner != nil && owner.State == wire.EpochCurrent {
		floor := o.ring.Header().Floor // before sealing moves it
		o.sealOld(owner, now)
		o.closeDamaged(found, owner, floor, &consumed, &done)
	}
	for i := range o.rows {
		leftover = append(leftover, o.rows[i].pos)
	}
	for _, e := range found.Damaged {
		leftover = append(leftover, e.Pos)
	}
	o.rows, o.rowBytes = nil, 0
	return leftover
}

func (o *Outbox) recoverRow(rows []waiting, e *ring.Entry) []waiting {
	row, err := ring.ParseRow(e.Payload)
	if err != nil {
		o.log.Error("a row in the ring cannot be read", "error", err)
		o.ring.Release(e.Pos)
		return rows
	}
	return append(rows, waiting{Row: seal.Row{Counter: e.Counter, Row: row}, pos: e.Pos, size: ring.Size(len(e.Payload))})
}

// doneWith returns the seqs of the ring's epoch whose records were released, as far as they can be read.
func (o *Outbox) doneWith(found ring.Found) seqset.Set {
	id := o.ring.Header().Epoch
	done := seqsOf(found.Released, id)
	if e := o.find(id); e != nil && e.State != wire.EpochEnded {
		e.Next = max(e.Next, done.Max())
	}
	return done
}

// recoverSealed takes a sealed batch over, unless it is elsewhere already.
func (o *Outbox) recoverSealed(entry *ring.Entry, consumed *seqset.Set, now time.Time) {
	b, err := ring.ParseBatch(entry.Payload)
	s, err2 := wire.ParseSealed(b.Sealed)
	if err != nil || err2 != nil {
		o.ring.Release(entry.Pos)
		return
	}
	consumed.AddSet(&b.Rows)
	e := o.find(s.Epoch)
	if e == nil { // meta.db was lost; a batch that the gateway has all of was released before its line went
		o.addEpoch(line{Epoch: s.Epoch, Boot: s.Boot, State: wire.EpochLost})
		e = o.find(s.Epoch)
	}
	if e.State != wire.EpochEnded {
		e.Next = max(e.Next, s.End())
	}
	have := o.heldSet(e)
	have.AddSet(&e.landed)
	if have.HasAll(s.First, s.End()) {
		o.ring.Release(entry.Pos)
		return
	}
	o.held = append(o.held, &held{
		Ref: Ref{s.Epoch, s.First, s.Count}, kind: s.Kind, boot: s.Boot,
		pos: entry.Pos, bytes: len(b.Sealed), to: b.To, due: now.Add(o.flushAfter()),
	})
}

// sealOld seals the rows that wait, under the epoch that accepted them.
func (o *Outbox) sealOld(owner *epoch, now time.Time) {
	o.next = owner.Next
	if len(o.rows) == 0 {
		return
	}
	h := o.ring.Header()
	h.Epoch, h.Boot, h.Device, h.Next = owner.Epoch, owner.Boot, o.cfg.Device, owner.Next
	o.ring.SetHeader(h)
	readings := uint64(0)
	for i := range o.rows {
		readings += uint64(len(o.rows[i].Cells))
	}
	batches, err := o.sealer.Seal(wire.Header{Device: o.cfg.Device, Epoch: owner.Epoch, Boot: owner.Boot, First: o.next}, plain(o.rows))
	for i := 0; err == nil && i < len(batches); i++ {
		if err = o.place(&batches[i], now.Add(o.flushAfter())); err != nil && o.flush(func(*held) bool { return true }) > 0 {
			err = o.place(&batches[i], now.Add(o.flushAfter()))
		}
	}
	if err != nil {
		o.log.Error("rows of the process before cannot be sealed and are lost", "rows", len(o.rows), "error", err)
		lost := uint64(0)
		for i := range o.rows {
			lost += uint64(len(o.rows[i].Cells))
		}
		o.addGap(o.blindGap(owner, o.next, o.next+lost))
		o.next += lost
		readings -= lost
	}
	owner.Next = o.next
	o.meters.recovered.Add(readings)
}

// closeDamaged closes seqs that should be in the ring and are not, and numbers rows of which only a
// damaged record is left. Waiting rows of which not even that is left are not known of.
func (o *Outbox) closeDamaged(found ring.Found, owner *epoch, floor uint64, consumed, done *seqset.Set) {
	from := owner.landed.Mark()
	if found.Known {
		from = floor
	} else if len(found.Damaged) == 0 && found.Holes == 0 {
		return
	}
	before := len(o.gaps)
	o.missing(owner, done, from, owner.Next)
	lost := uint64(0)
	for _, d := range found.Damaged {
		if d.Kind == ring.Row && !consumed.Has(d.Counter) {
			lost += uint64(d.Readings)
		}
	}
	o.addGap(o.blindGap(owner, owner.Next, owner.Next+lost))
	owner.Next += lost
	if len(found.Damaged)+found.Holes+len(o.gaps)-before > 0 {
		o.log.Error("records in the ring are damaged; what is readable is used", "records", len(found.Damaged),
			"holes", found.Holes, "readings_of_rows", lost)
	}
}
