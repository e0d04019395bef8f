package outbox

import (
	"errors"
	"fmt"
	"time"

	"github.com/headwater-iot/headwater/agent/internal/ring"
	"github.com/headwater-iot/headwater/agent/internal/seal"
	"github.com/headwater-iot/headwater/shared/record"
	"github.com/headwater-iot/headwater/shared/seqset"
	"github.com/headwater-iot/headwater/shared/wire"
)

// rowShare of the ring may be rows: a seal of them has to fit behind them.
const rowShare = 8

// maxRow leaves room for the header of a batch that carries nothing else.
const maxRow = wire.MaxSealed / 2

// Append accepts a row: when it returns nil the row survives the death of the process. The error wraps
// record.ErrRow for a row that nothing could carry, and ErrFull when there is no place left at all.
func (o *Outbox) Append(row record.Row) error {
	if err := seal.Check(&row); err != nil {
		o.meters.unfit.Inc()
		o.conds.board.Raise(o.conds.unsealedRows, err.Error())
		return fmt.Errorf("append row: %w", err)
	}
	for try := 0; ; try++ {
		err := o.tryAppend(row)
		switch {
		case err == nil:
			return nil
		case errors.Is(err, record.ErrRow):
			o.meters.tooLarge.Inc()
			return err
		case !errors.Is(err, ring.ErrFull):
			o.meters.stopped.Inc()
			return err
		}
		if try == 3 { // three times there was room, and others took it; or there is none
			o.meters.noRoom.Inc()
			return fmt.Errorf("append row of %s: %w", row.Sensor, ErrFull)
		}
		o.makeRoom()
	}
}

func (o *Outbox) tryAppend(row record.Row) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed {
		return ErrClosed
	}
	o.buf = ring.AppendRow(o.buf[:0], &row)
	size := ring.Size(len(o.buf))
	if size > min(o.ring.Cap()/rowShare, maxRow) {
		return fmt.Errorf("append row of %s: %w: %d bytes", row.Sensor, record.ErrRow, size)
	}
	if o.rowBytes+size > o.ring.Cap()/rowShare {
		if err := o.sealRows(); err != nil {
			return err
		}
	}
	// The batch of all rows that wait must fit behind them, wherever the circle ends.
	reserve := 2*(o.rowBytes+size) + 4096
	pos, err := o.ring.Append(ring.Row, o.counter, len(row.Cells), o.buf, reserve)
	if err != nil {
		return err
	}
	if len(o.rows) == 0 {
		o.oldest = time.Now()
		poke(o.kick)
	}
	o.rows = append(o.rows, waiting{Row: seal.Row{Counter: o.counter, Row: row}, pos: pos, size: size})
	o.rowBytes += size
	o.counter++
	o.meters.rows.Inc()
	o.meters.accepted.Add(uint64(len(row.Cells)))
	if ms := millis(&row); !row.Absolute && ms < o.promised {
		o.broken = true
		o.meters.promisesBroken.Inc()
	}
	if len(o.rows) >= o.cfg.MaxRows {
		// The row is accepted whatever becomes of the seal; the next one tries again.
		_ = o.sealRows()
	}
	return nil
}

func millis(row *record.Row) int64 {
	if row.Unit == record.Micro {
		return row.Time / 1000
	}
	return row.Time
}

// makeRoom gets sealed batches out of the ring: to flash, or where flash takes nothing, to the policy.
func (o *Outbox) makeRoom() {
	o.flash.Lock()
	defer o.flash.Unlock()
	if o.shut {
		return
	}
	all := func(*held) bool { return true }
	if o.flush(all) > 0 {
		return
	}
	o.mu.Lock()
	_ = o.sealRows()
	o.mu.Unlock()
	if o.flush(all) == 0 {
		o.dropFromRing()
	}
}

// Seal seals the rows that wait, without looking at the clock.
func (o *Outbox) Seal() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed {
		return ErrClosed
	}
	return o.sealRows()
}

// sealRows seals all rows that wait. mu is held. A batch that is in the ring has consumed its rows in
// that instant; a failure leaves the others waiting.
func (o *Outbox) sealRows() error {
	if len(o.rows) == 0 {
		return nil
	}
	e := o.ring.Header()
	h := wire.Header{Device: o.cfg.Device, Epoch: e.Epoch, Boot: e.Boot, First: o.next}
	if !o.cfg.OriginalTimes && !o.broken {
		h.HasPromise = true
		h.Promise = max(o.promised, o.cfg.Promise())
	}
	batches, err := o.sealer.Seal(h, plain(o.rows))
	if err != nil {
		return fmt.Errorf("seal %d rows: %w", len(o.rows), err)
	}
	due := o.oldest.Add(o.flushAfter())
	for i := range batches {
		if err := o.place(&batches[i], due); err != nil {
			return fmt.Errorf("seal %d rows: %w", len(o.rows), err)
		}
		if batches[i].HasPromise {
			o.promised = max(o.promised, batches[i].Promise)
		}
	}
	poke(o.wake)
	poke(o.kick)
	return nil
}

// flushAfter leaves the last tenth of the flush interval to the card.
func (o *Outbox) flushAfter() time.Duration { return o.cfg.FlushInterval * 9 / 10 }

func plain(rows []waiting) []seal.Row {
	out := make([]seal.Row, len(rows))
	for i := range rows {
		out[i] = rows[i].Row
	}
	return out
}

// place writes a batch into the ring, which consumes its rows and gives out its seqs.
func (o *Outbox) place(b *seal.Batch, due time.Time) error {
	var consumed seqset.Set
	for i := range b.Rows {
		consumed.Add(b.Rows[i].Counter, b.Rows[i].Counter+1)
	}
	o.buf = ring.AppendBatch(o.buf[:0], &ring.Batch{Rows: consumed, To: b.To, Sealed: b.Sealed})
	pos, err := o.ring.Append(ring.Sealed, 0, 0, o.buf, 0)
	if err != nil {
		return err
	}
	o.held = append(o.held, &held{
		Ref: Ref{b.Epoch, b.First, b.Count}, kind: b.Kind, boot: b.Boot,
		pos: pos, bytes: len(b.Sealed), to: b.To, due: due,
	})
	o.next = b.End()
	o.consume(&consumed)
	o.writeHeader(o.held)
	o.meters.batches.Inc()
	o.meters.sealed.Add(b.Count)
	if b.Cause != nil {
		o.meters.unsealable.Add(b.Count)
		o.conds.board.Raise(o.conds.unsealedRows, b.Cause.Error())
		o.log.Error("row cannot be sealed; its readings become a gap", "error", b.Cause)
	}
	return nil
}

// consume forgets rows that have seqs now.
func (o *Outbox) consume(counters *seqset.Set) {
	left := o.rows[:0]
	for i := range o.rows {
		w := &o.rows[i]
		if counters.Has(w.Counter) {
			o.ring.Release(w.pos)
			o.rowBytes -= w.size
			continue
		}
		left = append(left, *w)
	}
	clear(o.rows[len(left):])
	o.rows = left
}

// writeHeader tells the ring how far the epoch has come, so that seqs are not given out twice even
// if the record that took them is damaged, and which seqs have to be in the ring: those of left.
func (o *Outbox) writeHeader(left []*held) {
	h := o.ring.Header()
	h.Next, h.Floor, h.Anchor = o.next, o.next, o.cfg.Clock.Anchor()
	for _, b := range left {
		if b.Epoch == h.Epoch {
			h.Floor = min(h.Floor, b.First)
		}
	}
	o.ring.SetHeader(h)
}
