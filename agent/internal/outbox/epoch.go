package outbox

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/fxamacker/cbor/v2"

	"github.com/headwater-iot/headwater/agent/internal/segment"
	"github.com/headwater-iot/headwater/shared/record"
	"github.com/headwater-iot/headwater/shared/seqset"
	"github.com/headwater-iot/headwater/shared/wire"
)

// Keys of the facts in meta.db.
const (
	factLine    = "epoch/"   // + epoch -> line
	factGap     = "gap/"     // + epoch / first -> gap
	factSegment = "segment/" // + epoch - first -> manifest
	factLake    = "lake"     // -> the lake that Landed of the lines speaks of
	factFloor   = "floor"    // -> a wall time, us, that has passed
)

// line is what is kept of an epoch until the gateway says that it has ended. Fields may be added with new
// numbers; unknown ones are skipped, missing ones are zero.
type line struct {
	Epoch       record.Epoch    `cbor:"1,keyasint"`
	Predecessor record.Epoch    `cbor:"2,keyasint"`
	Boot        record.Boot     `cbor:"3,keyasint"`
	CountMax    uint64          `cbor:"4,keyasint"` // that a power cut can take
	Next        uint64          `cbor:"5,keyasint"` // seqs given out, as far as flash knows; exact once ended
	State       wire.EpochState `cbor:"6,keyasint"`
	Landed      []uint64        `cbor:"7,keyasint"`  // flat, written when something else is written anyway
	Order       uint64          `cbor:"8,keyasint"`  // of birth in this data directory
	Heap        bool            `cbor:"9,keyasint"`  // its ring died with its process
	Anchor      wire.BootAnchor `cbor:"10,keyasint"` // of Boot, as of the write
}

// epoch is a line and what the gateway said of it.
type epoch struct {
	line
	stored seqset.Set
	landed seqset.Set
	done   bool // the gateway has its end
}

// manifest is what is known of a segment besides the file, so that a lost file is missed.
type manifest struct {
	Epoch record.Epoch `cbor:"1,keyasint"`
	First uint64       `cbor:"2,keyasint"`
	End   uint64       `cbor:"3,keyasint"` // 0 = it is still written to
}

// info is kept in every segment, so that the loss of meta.db costs little.
type info struct {
	Line   line            `cbor:"1,keyasint"`
	Anchor wire.BootAnchor `cbor:"2,keyasint"`
}

func encode(v any) []byte {
	b, err := cbor.Marshal(v)
	if err != nil {
		panic("outbox: encode fact: " + err.Error()) // plain structs of ours
	}
	return b
}

func lineKey(e record.Epoch) string { return factLine + e.String() }

func manifestKey(e record.Epoch, first uint64) string {
	return fmt.Sprintf("%s%s-%016x", factSegment, e, first)
}

// find returns the epoch, nil if it is not known (any more).
func (o *Outbox) find(id record.Epoch) *epoch {
	for _, e := range o.epochs {
		if e.Epoch == id {
			return e
		}
	}
	return nil
}

// noteLine puts the line of e among the facts of the next save.
func (o *Outbox) noteLine(e *epoch) {
	e.Landed, e.Anchor = e.landed.Flat(), bootAnchor(e.Boot, o.anchorOf(e.Boot))
	o.facts[lineKey(e.Epoch)] = encode(e.line)
	if o.lake != (wire.ID{}) {
		o.facts[factLake] = o.lake[:]
	}
}

// save writes the facts that have changed. It keeps them for the next try when it fails.
func (o *Outbox) save() error {
	if len(o.facts) == 0 {
		return nil
	}
	floor := o.floor
	if o.cfg.Floor != nil {
		floor = o.cfg.Floor()
		o.facts[factFloor] = encode(floor)
	}
	if err := o.meta.Put(o.facts); err != nil {
		o.meters.flashErrors.Inc()
		return err
	}
	o.meters.metaWrites.Inc()
	o.floor = floor
	clear(o.facts)
	return nil
}

const (
	// floorAge is how old the floor on flash may become. It goes along with whatever else is written; a connected
	// device that writes nothing else writes it once a day.
	floorAge = 24 * time.Hour
	// floorFall is how far the floor may fall below the one on flash, which would call a clock unset that is right.
	floorFall = time.Minute
	// floorPause is the least time between two writes of the floor alone, whatever the gateway's clock does.
	floorPause = time.Hour
)

// keepFloor puts the floor among the facts of the next save if the one on flash is not good enough any more.
func (o *Outbox) keepFloor(now time.Time) {
	if o.cfg.Floor == nil || now.Before(o.floorDue) {
		return
	}
	moved := o.cfg.Floor() - o.floor
	if moved > -floorFall.Microseconds() && moved < floorAge.Microseconds() {
		return
	}
	o.facts[factFloor] = nil // save takes the one of the moment
	o.floorDue = now.Add(floorPause)
}

// heldSet returns every seq of an epoch that is held anywhere: in the ring, on flash, as a gap. Both
// locks are held.
func (o *Outbox) heldSet(e *epoch) seqset.Set {
	var s seqset.Set
	for _, h := range o.held {
		if h.Epoch == e.Epoch {
			s.Add(h.First, h.First+h.Count)
		}
	}
	for _, seg := range o.store.Segments() {
		if seg.Epoch == e.Epoch {
			s.AddSet(&seg.All)
		}
	}
	for _, r := range e.landed.Ranges() {
		s.Remove(r.From, r.To)
	}
	for _, g := range o.gaps {
		if g.Epoch == e.Epoch {
			s.Add(g.First, g.First+g.Count)
		}
	}
	return s
}

// nextOf returns the seqs given out in an epoch. Both locks are held.
func (o *Outbox) nextOf(e *epoch) uint64 {
	if e == o.current() {
		return o.next
	}
	return e.Next
}

// Report returns what the next hello says.
func (o *Outbox) Report() Report {
	o.flash.Lock()
	defer o.flash.Unlock()
	o.mu.Lock()
	defer o.mu.Unlock()
	var r Report
	if o.shut {
		return r
	}
	boots := make(map[record.Boot]bool)
	for _, e := range o.epochs {
		held := o.heldSet(e)
		full := len(r.Epochs) >= maxEpochs || len(o.epochs) > maxEpochs && held.Empty()
		if full && e != o.current() {
			continue // named when others are done with
		}
		he := wire.HelloEpoch{
			Epoch: e.Epoch, Predecessor: e.Predecessor, Boot: e.Boot,
			Floor: o.nextOf(e), Next: o.nextOf(e), State: e.State,
		}
		if e.State == wire.EpochLost {
			he.CountMax = e.CountMax
		}
		if rs := held.Ranges(); len(rs) > 0 {
			he.Floor = rs[0].From
			held = held.Coarsen(wire.MaxRanges)
			he.Held = held.Flat()
		}
		r.Epochs = append(r.Epochs, he)
		boots[e.Boot] = true
	}
	o.anchors[o.cfg.Boot] = o.cfg.Clock.Anchor()
	for boot, a := range o.anchors {
		if boots[boot] && a.State != wire.NoAnchor {
			r.Anchors = append(r.Anchors, bootAnchor(boot, a))
		}
	}
	o.lookAtFlash()
	r.Bytes, r.Batches = o.backlog()
	return r
}

func bootAnchor(boot record.Boot, a wire.Anchor) wire.BootAnchor {
	return wire.BootAnchor{
		Boot: boot, Generation: a.Generation, State: a.State,
		Wall: a.Wall, Monotonic: a.Monotonic, Uncertainty: a.Uncertainty,
	}
}

// Backlog returns what is held. It does not wait for flash, as a page that tells why a card hangs must not: what is
// on flash it knows from the last look of Run, Report or Open.
func (o *Outbox) Backlog() (bytes, batches uint64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.backlog()
}

func (o *Outbox) backlog() (bytes, batches uint64) {
	for _, h := range o.held {
		bytes, batches = bytes+uint64(h.bytes), batches+1
	}
	return bytes + o.onFlash.bytes, batches + o.onFlash.batches
}

// lookAtFlash notes for Backlog what is on flash. Both locks are held.
func (o *Outbox) lookAtFlash() {
	o.onFlash = amount{batches: uint64(len(o.gaps))}
	for _, s := range o.store.Segments() {
		o.onFlash.bytes += uint64(s.Bytes)
		o.onFlash.batches += uint64(s.Count)
	}
}

// anchorOf returns the best anchor known of a boot. flash is held.
func (o *Outbox) anchorOf(boot record.Boot) wire.Anchor {
	if boot == o.cfg.Boot {
		return o.cfg.Clock.Anchor()
	}
	return o.anchors[boot]
}

// maxEpochs bounds what is remembered of epochs that hold nothing, and what a hello names: a device that starts
// over and over without a gateway fills neither its flash nor its hello with their names.
const maxEpochs = 1000

// thinLineage forgets the oldest epochs that hold nothing, beyond maxEpochs. The gateway knows them as open, or
// not at all.
func (o *Outbox) thinLineage() {
	excess := len(o.epochs) - maxEpochs
	forgotten := 0
	o.epochs = slices.DeleteFunc(o.epochs, func(e *epoch) bool {
		if forgotten >= excess || o.hasSegment(e) {
			return false
		}
		if held := o.heldSet(e); !held.Empty() {
			return false
		}
		o.facts[lineKey(e.Epoch)] = nil
		forgotten++
		return true
	})
	if forgotten > 0 {
		o.log.Warn("how the oldest epochs ended is forgotten: too many starts without a gateway", "epochs", forgotten)
	}
}

// learn takes an anchor of an earlier process; the latest of a boot counts, and one of a clock that was set before
// one of a clock that was not.
func (o *Outbox) learn(boot record.Boot, a wire.Anchor) {
	set, old := a.State >= wire.Gateway, o.anchors[boot]
	better := old.State == wire.NoAnchor || set && old.State < wire.Gateway
	if a.State != wire.NoAnchor && (better || a.Monotonic > old.Monotonic && (set || old.State < wire.Gateway)) {
		o.anchors[boot] = a
	}
}

// infoOf returns what goes into a segment of e.
func (o *Outbox) infoOf(e *epoch) []byte {
	l := e.line
	l.Landed = nil // of no use there: it is the age of the file
	return encode(info{Line: l, Anchor: bootAnchor(e.Boot, o.anchorOf(e.Boot))})
}

// order sorts segments by the age of their epoch, then by seq.
func (o *Outbox) order() {
	rank := make(map[record.Epoch]uint64, len(o.epochs))
	for _, e := range o.epochs {
		rank[e.Epoch] = e.Order
	}
	o.store.Sort(func(a, b *segment.Segment) int {
		if ra, rb := rank[a.Epoch], rank[b.Epoch]; ra != rb {
			return cmp.Compare(ra, rb)
		}
		return cmp.Compare(a.First, b.First)
	})
}
