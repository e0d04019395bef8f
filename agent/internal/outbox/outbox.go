package outbox

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/headwater-iot/headwater/agent/internal/ring"
	"github.com/headwater-iot/headwater/agent/internal/seal"
	"github.com/headwater-iot/headwater/agent/internal/segment"
	"github.com/headwater-iot/headwater/shared/record"
	"github.com/headwater-iot/headwater/shared/wire"
)

// landWithin is how long a batch may be stored and not landed before it goes to flash: the gateway's
// log is one disk, and ours is another.
const landWithin = 60 * time.Second

// Outbox keeps accepted readings until they have landed. Make one with Open.
//
// Two locks, always taken in this order: flash by whoever touches files or what the gateway said, mu
// by whoever touches the ring. Append takes mu alone, so a card that takes a second for an fsync does not
// delay a sampler.
type Outbox struct {
	cfg    Config
	log    *slog.Logger
	meters *meters
	conds  *conditions
	sealer *seal.Sealer
	unlock func() error
	wake   chan struct{} // 1: there may be something to send
	kick   chan struct{} // 1: Run should look at its clock

	resumed wire.Anchor // see LastAnchor; fixed by Open

	flash    sync.Mutex
	shut     bool // Close has begun
	store    *segment.Store
	meta     *segment.Meta
	epochs   []*epoch // of this data directory, oldest first; the last is the current one; changed under both locks
	anchors  map[record.Boot]wire.Anchor
	gaps     []*gap    // sealed, not landed
	floor    int64     // on flash; see Config.Floor
	floorDue time.Time // not written alone before
	lake     wire.ID
	logID    wire.ID
	number   wire.AckNumber
	counts   map[uint64]uint64 // first -> count of batches of counted, so that a skipped one is not read
	counted  *segment.Segment
	retry    time.Time         // no flash write before
	facts    map[string][]byte // of the next save
	envelope []byte            // of the last Next

	mu       sync.Mutex
	closed   bool
	ring     *ring.Ring
	rows     []waiting
	rowBytes int
	oldest   time.Time // first Append of rows
	counter  uint64    // rows appended by this process
	next     uint64    // seqs given out in the current epoch
	promised int64     // ms: highest promise made
	broken   bool      // a row came that a promise had excluded: no more promises
	held     []*held   // in the ring, sealed and not landed, in the order of sealing
	onFlash  amount    // at the last look: see lookAtFlash
	buf      []byte
}

// amount is how much is held in a place.
type amount struct{ bytes, batches uint64 }

// waiting is a row that has no seq yet.
type waiting struct {
	seal.Row
	pos  uint64
	size int
}

// held is a sealed batch in the ring.
type held struct {
	Ref
	kind     wire.Kind
	boot     record.Boot
	pos      uint64
	bytes    int
	to       int64
	due      time.Time // on flash by then, or stored
	storedAt time.Time // zero: not stored
}

// Epoch returns the current epoch.
func (o *Outbox) Epoch() record.Epoch {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.current().Epoch
}

func (o *Outbox) current() *epoch { return o.epochs[len(o.epochs)-1] }

// LastAnchor returns the anchor that an earlier process of this boot used, so that the clock can go on with
// its generation; its state is NoAnchor when there was none.
func (o *Outbox) LastAnchor() wire.Anchor { return o.resumed }

// Wake receives when there may be something new to send.
func (o *Outbox) Wake() <-chan struct{} { return o.wake }

// Tmpfs reports whether accepted rows survive the death of the process.
func (o *Outbox) Tmpfs() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.ring.OnTmpfs()
}

// poke puts a token into a channel of capacity 1.
func poke(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// Run seals and flushes by the clock until ctx ends. It returns nil: what goes wrong with flash is
// shown, and tried again.
func (o *Outbox) Run(ctx context.Context) error {
	defer o.cfg.Pulse.Rest()
	for {
		o.cfg.Pulse.Due(0)
		next := o.step(time.Now())
		var timer <-chan time.Time
		if o.cfg.Pulse.Rest(); !next.IsZero() {
			o.cfg.Pulse.Due(time.Until(next))
			timer = time.After(time.Until(next))
		}
		select {
		case <-ctx.Done():
			return nil
		case <-o.kick:
		case <-timer:
		}
	}
}

// step does what is due at now and returns when to look again, zero for not before a kick.
func (o *Outbox) step(now time.Time) time.Time {
	o.mu.Lock()
	if len(o.rows) > 0 && !now.Before(o.oldest.Add(o.cfg.FlushInterval/2)) {
		if err := o.sealRows(); err != nil {
			// The ring's next full moment makes room; until then the clock of the rows starts anew.
			o.oldest = now
			o.log.Error("rows are not sealed; it is tried again", "rows", len(o.rows), "error", err)
		}
	}
	due := false
	for _, h := range o.held {
		due = due || !now.Before(h.deadline())
	}
	o.mu.Unlock()
	if due {
		o.flash.Lock()
		if !now.Before(o.retry) && !o.shut {
			o.flush(func(h *held) bool { return h.storedAt.IsZero() || !now.Before(h.deadline()) })
		}
		o.flash.Unlock()
	}
	return o.deadline(now)
}

// deadline returns when h has to go to flash if nothing happens.
func (h *held) deadline() time.Time {
	if h.storedAt.IsZero() {
		return h.due
	}
	return h.storedAt.Add(landWithin)
}

func (o *Outbox) deadline(now time.Time) (next time.Time) {
	o.flash.Lock()
	defer o.flash.Unlock()
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.shut {
		return next
	}
	earlier := func(t time.Time) {
		if next.IsZero() || t.Before(next) {
			next = t
		}
	}
	if len(o.rows) > 0 {
		earlier(o.oldest.Add(o.cfg.FlushInterval / 2))
	}
	for _, h := range o.held {
		// A failing card is not asked again before its retry.
		earlier(latest(h.deadline(), o.retry))
	}
	o.measure(now)
	return next
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// measure sets the gauges. Both locks are held.
func (o *Outbox) measure(now time.Time) {
	bytes := 0
	oldest := now
	for _, h := range o.held {
		bytes += h.bytes
		oldest = earliest(oldest, h.due.Add(-o.flushAfter()))
	}
	if len(o.rows) > 0 {
		oldest = earliest(oldest, o.oldest)
	}
	batches := 0
	for _, s := range o.store.Segments() {
		batches += s.Count
	}
	o.lookAtFlash()
	o.meters.ringBytes.Set(float64(bytes + o.rowBytes))
	o.meters.ringBatches.Set(float64(len(o.held)))
	o.meters.flashBytes.Set(float64(o.store.Bytes()))
	o.meters.flashBatches.Set(float64(batches))
	o.meters.oldest.Set(now.Sub(oldest).Seconds())
}

func earliest(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}
