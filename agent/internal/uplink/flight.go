package uplink

import (
	"time"

	"github.com/headwater-iot/headwater/shared/record"
	"github.com/headwater-iot/headwater/shared/wire"
)

// Limits of what may be on its way without a word of the gateway. Paho keeps a copy of
// each until its PUBACK, so they bound memory too.
const (
	windowBatches = 64
	windowBytes   = 1 << 20
)

// backlogShare of the window is all that the backlog may take: the live lane always finds room.
const backlogShare = 0.75

// Ref names a batch, as a nack does.
type Ref struct {
	Epoch        record.Epoch
	First, Count uint64
}

// entry is a batch that was sent, or refused, and is left alone until a time.
type entry struct {
	bytes int
	tries int
	until time.Time // behind it the batch may go (again)
}

// flight is the window: batches on their way and batches that wait after a nack.
type flight struct {
	entries map[Ref]entry
}

func newFlight() *flight { return &flight{entries: make(map[Ref]entry, windowBatches)} }

// room reports whether one more batch of the lane may go.
func (f *flight) room(lane Lane, now time.Time) bool {
	n, bytes := 0, 0
	for _, e := range f.entries {
		if now.Before(e.until) {
			n, bytes = n+1, bytes+e.bytes
		}
	}
	if lane == Backlog {
		return float64(n) < windowBatches*backlogShare && float64(bytes) < windowBytes*backlogShare
	}
	return n < windowBatches && bytes < windowBytes
}

// busy reports whether a batch is to be left alone at now.
func (f *flight) busy(r Ref, now time.Time) bool {
	e, ok := f.entries[r]
	return ok && now.Before(e.until)
}

// sent notes that a batch went, and reports whether it had gone before.
func (f *flight) sent(r Ref, bytes int, now time.Time, lo, hi time.Duration) (again bool) {
	e, again := f.entries[r]
	e.bytes, e.until = bytes, now.Add(backoff(e.tries, lo, hi))
	e.tries++
	f.entries[r] = e
	return again
}

// hold leaves a refused batch alone until a time. It reports whether the batch is known.
func (f *flight) hold(r Ref, until time.Time) bool {
	e, ok := f.entries[r]
	if ok {
		e.until = until
		f.entries[r] = e
	}
	return ok
}

// release lets every batch that meets [from, to) of an epoch go again at once.
func (f *flight) release(epoch record.Epoch, from, to uint64, now time.Time) {
	for r, e := range f.entries {
		if r.Epoch == epoch && r.First < to && from < r.First+r.Count {
			e.until = now
			f.entries[r] = e
		}
	}
}

// settle forgets what the gateway has stored, and returns how many batches that were.
func (f *flight) settle(a *wire.Ack) (n int) {
	for i := range a.Epochs {
		e := &a.Epochs[i]
		stored := e.StoredSet()
		for r := range f.entries {
			done := r.Count > 0 && stored.HasAll(r.First, r.First+r.Count) || r.Count == 0 && e.Ended
			if r.Epoch == e.Epoch && done {
				delete(f.entries, r)
				n++
			}
		}
	}
	return n
}

// sweep forgets batches that nobody has asked for since they were free to go: the outbox
// has dropped them or turned them into a gap.
func (f *flight) sweep(now time.Time, after time.Duration) {
	for r, e := range f.entries {
		if now.Sub(e.until) > after {
			delete(f.entries, r)
		}
	}
}

// next returns the earliest time at which a batch becomes free to go, zero if none will.
func (f *flight) next(now time.Time) (t time.Time) {
	for _, e := range f.entries {
		if now.Before(e.until) && (t.IsZero() || e.until.Before(t)) {
			t = e.until
		}
	}
	return t
}
