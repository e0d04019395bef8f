package land

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/headwater-iot/headwater/gateway/internal/cursor"
	"github.com/headwater-iot/headwater/gateway/internal/table"
	"github.com/headwater-iot/headwater/shared/record"
	"github.com/headwater-iot/headwater/shared/wire"
)

// maxEpochs bounds the epochs of one hello that are heard: each unknown one costs a look into the table, and no device
// may make the others wait. A device has a handful; what is not heard is presumed later, or not at all.
const maxEpochs = 256

// maxLiving bounds the epochs of one device that are in memory and have not ended; of one that has so many, a hello
// brings no new ones. A device that invents epochs must not make memory grow. Intake takes no more by batches in a day.
const maxLiving = 1024

// heard returns the entries of a hello that are taken in, the current epoch first.
func heard(h *wire.Hello) []*wire.HelloEpoch {
	entries := make([]*wire.HelloEpoch, 0, len(h.Epochs))
	for i := range h.Epochs {
		entries = append(entries, &h.Epochs[i])
	}
	slices.SortStableFunc(entries, func(a, b *wire.HelloEpoch) int { return cmp.Compare(a.State, b.State) })
	return entries[:min(len(entries), maxEpochs)]
}

// known leaves out what is new of a device that has too many epochs.
func (g *Group) known(device string, entries []*wire.HelloEpoch) []*wire.HelloEpoch {
	living := g.draft.Device(device)
	if len(living)+len(entries) <= maxLiving {
		return entries
	}
	has := make(map[record.Epoch]bool, len(living))
	for _, c := range living {
		has[c.Row.Epoch] = true
	}
	room := max(0, maxLiving-len(living))
	return slices.DeleteFunc(entries, func(e *wire.HelloEpoch) bool {
		if has[e.Epoch] {
			return false
		}
		room--
		return room < 0
	})
}

// hello takes in what a device says of its epochs. Everything logged before it has landed by now, so what is neither
// closed nor held is missing.
func (g *Group) hello(ctx context.Context, o *Opened, by table.Origin) error {
	h := o.hello
	if o.reason != "" || h == nil {
		g.reject(o, by)
		return nil
	}
	entries := g.known(h.Device, heard(h))
	g.tally.unheard += uint64(len(h.Epochs) - len(entries))
	cursors := make([]*cursor.Cursor, len(entries))
	for i, e := range entries {
		c, err := g.draft.Cursor(ctx, table.Key{Device: h.Device, Epoch: e.Epoch})
		if err != nil {
			return err
		}
		c.Describe(e.Predecessor, e.Boot, h.Site, by)
		cursors[i] = c
	}
	if err := g.anchors(ctx, h, by); err != nil {
		return err
	}
	kin := kinshipOf(h, g.draft.Device(h.Device))
	for i, c := range cursors {
		before := c.Row.Presumed.Count()
		c.Hear(cursor.ClaimOf(entries[i]), kin.mayEnd(c.Row.Epoch), by)
		if after := c.Row.Presumed.Count(); after > before {
			g.tally.presumed[c.Reason()] += after - before
		}
		g.dirty = g.dirty || c.Changed()
		if c.Complete() && !c.Changed() {
			g.answers = append(g.answers, cursor.UpdateOf(&c.Row))
		}
	}
	if parent, fork := kin.fork(); fork {
		g.tally.forks++
		g.l.alarms.raise(g.l.alarms.fork, fmt.Sprintf("device %s: two epochs follow %s", h.Device, parent))
	}
	g.l.devices.hello(h, o.Received)
	g.l.devices.under(h.Device, g.rulesOf(o.Partition).of(h.Device).judge)
	if !g.dirty { // else the commit shows it: many devices that come at once are one list
		g.l.lacking()
	}
	return nil
}

// anchors notes what a hello says of the clocks of boots, for all their epochs. An unsynced one says at least how long
// its boot lasted.
func (g *Group) anchors(ctx context.Context, h *wire.Hello, by table.Origin) error {
	for i := range h.Anchors {
		a := &h.Anchors[i]
		for _, known := range g.draft.Device(h.Device) {
			if known.Row.Boot != a.Boot {
				continue
			}
			c, err := g.draft.Cursor(ctx, known.Key())
			if err != nil {
				return err
			}
			c.Anchor(a.Anchor(), by)
			g.dirty = g.dirty || c.Changed()
		}
	}
	return nil
}

// kinship is who descends from whom, as far as a hello and the cursors in memory say.
type kinship struct {
	parent   map[record.Epoch]record.Epoch
	children map[record.Epoch]int
	line     map[record.Epoch]bool // ancestors of the epoch that speaks
	forked   record.Epoch          // an epoch in the line with two children
}

func kinshipOf(h *wire.Hello, known []*cursor.Cursor) kinship {
	k := kinship{
		parent:   map[record.Epoch]record.Epoch{},
		children: map[record.Epoch]int{}, line: map[record.Epoch]bool{},
	}
	link := func(child, parent record.Epoch) {
		if _, again := k.parent[child]; !again && parent != 0 {
			k.parent[child] = parent
			k.children[parent]++
		}
	}
	entries := heard(h)
	for _, e := range entries {
		link(e.Epoch, e.Predecessor)
	}
	for _, c := range known {
		link(c.Row.Epoch, c.Row.Predecessor)
	}
	for _, e := range entries {
		if e.State == wire.EpochCurrent {
			k.walk(e.Epoch)
		}
	}
	return k
}

// walk notes the ancestors of an epoch. A lineage that bites its tail ends there.
func (k *kinship) walk(epoch record.Epoch) {
	for {
		parent, ok := k.parent[epoch]
		if !ok || k.line[parent] {
			return
		}
		if k.children[parent] > 1 {
			k.forked = parent
		}
		k.line[parent] = true
		epoch = parent
	}
}

// mayEnd reports whether the device that speaks may call the epoch over: it descends from it, and no other epoch
// claims the same past.
func (k *kinship) mayEnd(epoch record.Epoch) bool {
	return k.line[epoch] && k.children[k.parent[epoch]] < 2
}

// fork returns an epoch of the line that two epochs follow.
func (k *kinship) fork() (record.Epoch, bool) { return k.forked, k.forked != 0 }
