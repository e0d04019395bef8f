package outbox

import (
	"cmp"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"github.com/fxamacker/cbor/v2"

	"github.com/headwater-iot/headwater/agent/internal/ring"
	"github.com/headwater-iot/headwater/agent/internal/seal"
	"github.com/headwater-iot/headwater/agent/internal/segment"
	"github.com/headwater-iot/headwater/shared/record"
	"github.com/headwater-iot/headwater/shared/seqset"
	"github.com/headwater-iot/headwater/shared/wire"
)

func emptySet() seqset.Set { return seqset.Set{} }

func landedAll(landed *seqset.Set, seg *segment.Segment) bool {
	for _, r := range seg.All.Ranges() {
		if !landed.HasAll(r.From, r.To) {
			return false
		}
	}
	return true
}

func (o *Outbox) dir() string { return filepath.Join(o.cfg.Dir, "outbox") }

// ErrScarce means that there are too few file descriptors or too little memory to look at what is stored. Nothing
// was changed, and Open may be called again.
var ErrScarce = segment.ErrScarce

// Open recovers what is in cfg.Dir and cfg.RingDir and starts a new epoch. No damage keeps it from
// returning; an error means a configuration or a place that nobody can work with, or ErrScarce.
func Open(cfg Config) (*Outbox, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	o := &Outbox{
		cfg: cfg, log: cfg.Log.With("system", "outbox"), meters: newMeters(cfg.Meter), conds: newConditions(cfg.Health),
		wake: make(chan struct{}, 1), kick: make(chan struct{}, 1),
		anchors: make(map[record.Boot]wire.Anchor), facts: make(map[string][]byte),
	}
	if o.sealer, err = seal.New(); err != nil {
		return nil, fmt.Errorf("open outbox: %w", err)
	}
	if o.unlock, err = segment.Lock(o.dir()); err != nil {
		if errors.Is(err, segment.ErrLocked) {
			err = fmt.Errorf("%w; another agent runs on this data directory: give this one its own with --data", err)
		}
		return nil, fmt.Errorf("open outbox: %w", err)
	}
	if err := o.recover(); err != nil {
		_ = o.letGo()
		return nil, fmt.Errorf("open outbox %s: %w", o.dir(), err)
	}
	o.lookAtFlash()
	return o, nil
}

// letGo closes what is open. Both locks are held, or nobody else has the outbox yet.
func (o *Outbox) letGo() error {
	var errs []error
	if o.ring != nil {
		errs = append(errs, o.ring.Close())
	}
	if o.store != nil {
		o.store.Close()
	}
	if o.meta != nil {
		errs = append(errs, o.meta.Close())
	}
	return errors.Join(append(errs, o.unlock())...)
}

// recover brings the outbox to where the last process left it, and beyond: its epoch is over.
//
// The steps, each followed by what a crash behind it leaves:
//  1. read flash and ring                           nothing changed
//  2. seal the rows that wait in the ring           the same, sealed; sealing again finds no rows
//  3. save: old lines ended or lost, the new line   the new epoch has given out nothing and ends at 0
//  4. the ring's header goes to the new epoch       the new epoch
func (o *Outbox) recover() error {
	var opts []segment.Option
	if o.cfg.noSync {
		opts = append(opts, segment.WithoutSync())
	}
	store, aside, err := segment.Open(o.dir(), opts...)
	if err != nil {
		return err
	}
	o.store = store
	meta, facts, damaged, err := segment.OpenMeta(o.dir(), opts...)
	if err != nil {
		return err
	}
	o.meta = meta
	manifests := o.readFacts(facts)
	o.readInfos()
	if damaged || len(aside) > 0 {
		o.log.Error("stored files are damaged and set aside; what is readable is used", "meta", damaged, "segments", aside)
		o.conds.board.Raise(o.conds.damaged, fmt.Sprintf("files set aside: %s", strings.Join(aside, " ")))
	}
	found := o.openRing()
	last := o.endLineage(found)
	o.cfg.Clock.Resume(o.anchors[o.cfg.Boot], o.floor)
	o.resumed = o.anchors[o.cfg.Boot]
	o.order()
	o.missDamaged(manifests, found)
	o.dropGapped()
	leftover := o.recoverRing(found, last)
	return o.begin(last, leftover)
}

// readFacts takes what meta.db knew and returns the manifests of the segments that should be there. Keys sort by epoch,
// then by seq, and so do gaps and manifests.
func (o *Outbox) readFacts(facts map[string][]byte) (manifests []manifest) {
	for _, k := range slices.Sorted(maps.Keys(facts)) {
		var err error
		v := facts[k]
		switch {
		case strings.HasPrefix(k, factLine):
			e := &epoch{}
			if err = cbor.Unmarshal(v, &e.line); err == nil {
				e.landed, _ = seqset.FromFlat(e.Landed)
				o.epochs = append(o.epochs, e)
				o.learn(e.Boot, e.Anchor.Anchor())
			}
		case strings.HasPrefix(k, factGap):
			g := &gap{sent: true}
			if err = cbor.Unmarshal(v, g); err == nil {
				o.gaps = append(o.gaps, g)
			}
		case strings.HasPrefix(k, factSegment):
			var m manifest
			if err = cbor.Unmarshal(v, &m); err == nil {
				manifests = append(manifests, m)
			}
		case k == factFloor:
			err = cbor.Unmarshal(v, &o.floor)
		case k == factLake && len(v) == len(o.lake):
			copy(o.lake[:], v)
		}
		if err != nil {
			o.log.Error("a stored fact is damaged and ignored", "fact", k, "error", err)
		}
	}
	slices.SortFunc(o.epochs, func(a, b *epoch) int { return cmp.Compare(a.Order, b.Order) })
	return manifests
}

// readInfos adds epochs that only the segments know, and the anchors of earlier boots.
func (o *Outbox) readInfos() {
	for _, seg := range o.store.Segments() {
		var i info
		if err := cbor.Unmarshal(seg.Info, &i); err == nil && i.Line.Epoch == seg.Epoch {
			o.learn(i.Anchor.Boot, i.Anchor.Anchor())
		} else {
			i.Line = line{Epoch: seg.Epoch, Boot: seg.Boot}
		}
		if o.find(seg.Epoch) == nil {
			o.addEpoch(i.Line)
		}
		e := o.find(seg.Epoch)
		if e.State != wire.EpochEnded {
			e.Next = max(e.Next, seg.All.Max())
		}
	}
	for _, g := range o.gaps {
		if o.find(g.Epoch) == nil {
			o.addEpoch(line{Epoch: g.Epoch, Boot: g.Boot})
		}
		if e := o.find(g.Epoch); e.State != wire.EpochEnded {
			e.Next = max(e.Next, g.First+g.Count)
		}
	}
}

// addEpoch puts a line that meta.db had lost where its order says.
func (o *Outbox) addEpoch(l line) {
	o.epochs = append(o.epochs, &epoch{line: l})
	slices.SortStableFunc(o.epochs, func(a, b *epoch) int { return cmp.Compare(a.Order, b.Order) })
}

// ringPath names the ring by device and data directory: several agents share one tmpfs.
func (o *Outbox) ringPath() string {
	h := fnv.New64a()
	abs, err := filepath.Abs(o.cfg.Dir)
	if err != nil {
		abs = o.cfg.Dir
	}
	_, _ = h.Write([]byte(abs))
	return filepath.Join(o.cfg.RingDir, fmt.Sprintf("%s-%016x.ring", o.cfg.Device, h.Sum64()))
}

// openRing maps the ring, or makes one on the heap and says so.
func (o *Outbox) openRing() ring.Found {
	err := ring.ErrNotTmpfs
	if o.cfg.RingDir != "" {
		o.ring, err = ring.Open(o.ringPath(), o.cfg.RingBytes)
	}
	if err != nil {
		o.ring = ring.Heap(o.cfg.RingBytes)
		o.conds.board.Raise(o.conds.noTmpfs, err.Error())
		o.log.Warn("no ring on tmpfs; accepted readings younger than the flush interval die with the process",
			"dir", o.cfg.RingDir, "error", err)
		return ring.Found{}
	}
	found := o.ring.Recover()
	if h := o.ring.Header(); found.Known && h.Device != o.cfg.Device {
		o.log.Error("the ring is another device's and is not used", "device", h.Device)
		o.ring.Reset()
		return ring.Found{}
	}
	return found
}

// endLineage settles how each earlier epoch ended, and returns the one whose rows the ring may hold.
func (o *Outbox) endLineage(found ring.Found) *epoch {
	var owner *epoch
	if found.Known {
		h := o.ring.Header()
		if owner = o.find(h.Epoch); owner == nil && h.Epoch != 0 {
			o.addEpoch(line{
				Epoch: h.Epoch, Predecessor: h.Predecessor, Boot: h.Boot,
				CountMax: o.cfg.countMax(), Order: o.orderOf(h.Epoch),
			})
			owner = o.find(h.Epoch)
		}
		// It was called lost by a process that did not find this ring. Nobody has given out a seq of it since, so
		// its rows go on behind its next, and its end corrects what the gateway has presumed.
		if owner != nil && owner.State == wire.EpochLost {
			o.log.Warn("the ring of a lost epoch is there again", "epoch", owner.Epoch.String())
			owner.State = wire.EpochCurrent
		}
		if owner != nil && owner.State == wire.EpochCurrent {
			owner.Next = max(owner.Next, h.Next)
		}
		o.learn(h.Boot, h.Anchor)
	} else if n := len(o.epochs); len(found.Entries) > 0 && (n == 0 || !o.epochs[n-1].Heap) {
		// Nobody knows how far their epoch came. No seq may be given out twice, so they get one of their own.
		own := line{Epoch: newEpoch(), Boot: o.cfg.Boot, Order: o.lastOrder() + 1} // a tmpfs lives as long as a boot
		if n > 0 {
			own.Predecessor = o.epochs[n-1].Epoch
		}
		o.addEpoch(own)
		owner = o.find(own.Epoch)
	}
	for i, e := range o.epochs {
		if e.State != wire.EpochCurrent || e == owner {
			continue
		}
		e.State = wire.EpochLost
		// The ring is still its predecessor's: it died before its first Append.
		if owner != nil && !e.Heap && i > slices.Index(o.epochs, owner) && e.Next == 0 {
			e.State = wire.EpochEnded
		}
	}
	return owner
}

// orderOf returns where an epoch that only the ring knows was born: before its descendant, or last of all.
func (o *Outbox) orderOf(id record.Epoch) uint64 {
	for _, e := range o.epochs {
		if e.Predecessor == id {
			return e.Order - 1
		}
	}
	return o.lastOrder() + 1
}

func (o *Outbox) lastOrder() (n uint64) {
	for _, e := range o.epochs {
		n = max(n, e.Order)
	}
	return n
}

// begin starts the new epoch: fsynced before its first Append. Records that nobody can use any more are
// released once the gaps that stand for them are safe.
func (o *Outbox) begin(owner *epoch, leftover []uint64) error {
	if owner != nil && owner.State == wire.EpochCurrent {
		owner.State = wire.EpochEnded
	}
	e := &epoch{line: line{
		Epoch: newEpoch(), Boot: o.cfg.Boot, CountMax: o.cfg.countMax(),
		Order: o.lastOrder() + 1, Heap: !o.ring.OnTmpfs(),
	}}
	if n := len(o.epochs); n > 0 {
		e.Predecessor = o.epochs[n-1].Epoch
	}
	o.epochs = append(o.epochs, e)
	o.thinLineage()
	for _, e := range o.epochs {
		o.noteLine(e)
	}
	if err := o.save(); err != nil {
		return err
	}
	for _, pos := range leftover {
		o.ring.Release(pos)
	}
	o.next = 0
	o.ring.SetHeader(ring.Header{
		Device: o.cfg.Device, Epoch: e.Epoch, Predecessor: e.Predecessor, Boot: e.Boot, Anchor: o.cfg.Clock.Anchor(),
	})
	o.log.Info("epoch begins", "epoch", e.Epoch.String(), "predecessor", e.Predecessor.String(), "tmpfs", o.ring.OnTmpfs(),
		"segments", len(o.store.Segments()), "in_ring", len(o.held), "gaps", len(o.gaps))
	poke(o.wake)
	return nil
}

func newEpoch() record.Epoch {
	var b [8]byte
	for {
		_, _ = rand.Read(b[:]) // never fails
		if e := record.Epoch(binary.LittleEndian.Uint64(b[:])); e != 0 {
			return e
		}
	}
}
