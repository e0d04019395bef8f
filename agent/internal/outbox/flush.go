package outbox

import (
	"errors"
	"fmt"
	"time"

	"github.com/headwater-iot/headwater/agent/internal/ring"
	"github.com/headwater-iot/headwater/agent/internal/segment"
	"github.com/headwater-iot/headwater/shared/record"
	"github.com/headwater-iot/headwater/shared/wire"
)

const (
	// flushBytes bounds what a flush copies out of the ring at a time.
	flushBytes = 512 << 10
	// retryAfter a failed write.
	retryAfter = time.Second
)

// errNoRoom means that the quota, the file system or its inodes have nothing left for us.
var errNoRoom = errors.New("no room on flash")

// flush moves batches from the ring to flash and returns how many. flash is held, mu is not: the
// samplers go on while the card writes. After a crash at any line a batch is in the ring, on flash or in both.
func (o *Outbox) flush(which func(*held) bool) (moved int) {
	for {
		epoch, picked, batches := o.pick(which)
		if len(picked) == 0 {
			return moved
		}
		n, err := o.write(epoch, batches)
		o.leaveRing(picked[:n], nil)
		moved += n
		if err != nil {
			o.flashFailed(err)
			return moved
		}
		o.conds.board.Clear(o.conds.flashFails)
	}
}

func (o *Outbox) flashFailed(err error) {
	o.retry = time.Now().Add(retryAfter)
	o.meters.flashErrors.Inc()
	o.conds.board.Raise(o.conds.flashFails, err.Error())
	o.log.Debug("flash write failed; readings stay in the ring and it is tried again", "error", err)
}

// pick copies the oldest batches that qualify, of one epoch, out of the ring.
func (o *Outbox) pick(which func(*held) bool) (id record.Epoch, picked []*held, batches []segment.Batch) {
	o.mu.Lock()
	var bad []*held
	bytes := 0
	for _, h := range o.held {
		if !which(h) || len(picked) > 0 && h.Epoch != id {
			continue
		}
		b, err := o.payload(h)
		if err != nil {
			bad = append(bad, h)
			continue
		}
		if bytes += h.bytes; len(picked) > 0 && bytes > flushBytes {
			break
		}
		id = h.Epoch
		picked = append(picked, h)
		batches = append(batches, segment.Batch{First: h.First, Count: h.Count, To: h.to, Sealed: append([]byte(nil), b...)})
	}
	o.mu.Unlock()
	for _, h := range bad {
		o.damagedInRing(h)
	}
	return id, picked, batches
}

// payload returns the sealed bytes of a batch in the ring, checked; they share its memory. mu is held.
func (o *Outbox) payload(h *held) ([]byte, error) {
	p, err := o.ring.Payload(h.pos)
	if err != nil {
		return nil, err
	}
	b, err := ring.ParseBatch(p)
	if err != nil {
		return nil, err
	}
	if _, err := wire.ParseSealed(b.Sealed); err != nil {
		return nil, err
	}
	return b.Sealed, nil
}

// write puts batches of one epoch on flash and returns how many are safe there.
func (o *Outbox) write(id record.Epoch, batches []segment.Batch) (done int, err error) {
	e := o.find(id)
	for done < len(batches) {
		rest := batches[done:]
		_, starts := o.store.Starts(id, rest[0].First)
		if err := o.room(segment.Cost(rest), starts); err != nil {
			return done, err
		}
		if name, starts := o.store.Starts(id, rest[0].First); starts {
			if err := o.beginSegment(id, name); err != nil {
				return done, err
			}
		}
		n, err := o.store.Write(id, o.infoOf(e), rest)
		if err != nil {
			return done, err
		}
		for i := range rest[:n] {
			o.meters.written.Add(uint64(len(rest[i].Sealed)))
		}
		o.meters.writes.Inc()
		done += n
	}
	return done, nil
}

// beginSegment notes the end of the last segment and the begin of the next, before it is made: a file
// that is not there is noticed.
func (o *Outbox) beginSegment(id record.Epoch, first uint64) error {
	if segs := o.store.Segments(); len(segs) > 0 {
		last := segs[len(segs)-1]
		o.facts[manifestKey(last.Epoch, last.First)] = encode(manifest{last.Epoch, last.First, last.All.Max()})
	}
	o.facts[manifestKey(id, first)] = encode(manifest{id, first, 0})
	return o.save()
}

// leaveRing releases batches that are safe elsewhere, or given up.
func (o *Outbox) leaveRing(gone []*held, alsoGone *held) {
	o.mu.Lock()
	defer o.mu.Unlock()
	set := make(map[*held]bool, len(gone)+1)
	for _, h := range gone {
		set[h] = true
	}
	if alsoGone != nil {
		set[alsoGone] = true
	}
	o.release(func(h *held) bool { return set[h] })
}

// release drops batches out of the ring. mu is held.
func (o *Outbox) release(gone func(*held) bool) {
	left := make([]*held, 0, len(o.held))
	for _, h := range o.held {
		if !gone(h) {
			left = append(left, h)
		}
	}
	if len(left) == len(o.held) {
		return
	}
	// The header first: a batch below its floor is not missed when its record is gone.
	o.writeHeader(left)
	for _, h := range o.held {
		if gone(h) {
			o.ring.Release(h.pos)
		}
	}
	o.held = left
}

// room makes sure that bytes fit, and a new file if one is needed, giving up the oldest segments if they must. What
// others have taken of the card is not won back so: nothing is given up unless that makes the room. flash is held.
func (o *Outbox) room(bytes int64, newFile bool) error {
	for {
		free, inodes, err := segment.Space(o.dir())
		if err != nil {
			return err
		}
		segs := o.store.Segments()
		files := !newFile || inodes >= minInodes
		if o.store.Bytes()+bytes <= o.cfg.Quota && free >= o.cfg.Reserve+bytes && files {
			return nil
		}
		helps := free+o.store.Bytes() >= o.cfg.Reserve+bytes && (files || inodes+uint64(len(segs)) >= minInodes)
		if len(segs) == 0 || !helps {
			err := fmt.Errorf("%w: %s has %d bytes and %d inodes free, %d and %d of which are left to others; free some, or change outbox.reserve or outbox.quota",
				errNoRoom, o.dir(), free, inodes, o.cfg.Reserve, minInodes)
			o.conds.board.Raise(o.conds.full, err.Error())
			return err
		}
		if err := o.dropOldest(segs[0]); err != nil {
			return err
		}
	}
}
