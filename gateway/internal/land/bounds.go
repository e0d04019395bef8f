package land

import (
	"context"

	"github.com/headwater-iot/headwater/gateway/internal/cursor"
	"github.com/headwater-iot/headwater/gateway/internal/table"
	"github.com/headwater-iot/headwater/shared/record"
	"github.com/headwater-iot/headwater/shared/wire"
)

// maxKin is how far up a lineage a neighbour is looked for, and how many descendants are asked.
const maxKin = 16

// bounds are the wall times between which a boot without an anchor began, us; -far and far where nothing is known.
type bounds struct {
	from, to int64
	drift    int64 // of its clock, up to the last that is known of it
}

func (b bounds) known() bool { return b.from > -far }

// off returns how far an offset may be from the true one.
func (b bounds) off(offset int64) int64 {
	if !b.known() {
		return table.Unknown
	}
	return max(offset-b.from, b.to-offset) + b.drift
}

// boundsOf says between which times the boot of a record began: not before the boot before it had ended, and so early
// that all it is known to have lived through lies before the boot that came next, and before this record arrived.
// line is the epoch of the record and its ancestors.
func (g *Group) boundsOf(ctx context.Context, o *Opened, line []*cursor.Cursor, t span) (b bounds, err error) {
	b.from = began(line, o.sealed.Boot)
	if b.to, err = g.ended(ctx, o, line[0]); err != nil {
		return bounds{}, err
	}
	reached := t.newest
	// Its last anchor says how long a boot was up at least, if it is to be believed at all.
	if m := clamp(o.anchor.Monotonic); m > reached && b.to-m >= max(b.from, plausible) {
		reached = m
	}
	b.to, b.drift = clamp(b.to-reached), wire.Drift(reached)
	if b.from > b.to { // a clock was wrong, and nobody knows whose
		b.from, b.to = -far, clamp(clamp(o.Received)-t.newest)
	}
	return b, nil
}

// chosenFor returns the first offset that was chosen for a boot.
func chosenFor(boot record.Boot, kin []*cursor.Cursor) int64 {
	for _, c := range kin {
		if c.Row.Boot == boot && c.Row.ClockOffset != table.Unknown {
			return c.Row.ClockOffset
		}
	}
	return table.Unknown
}

// ancestry returns c and its ancestors up to the epoch stop, nearest first, at most maxKin.
func (g *Group) ancestry(ctx context.Context, c *cursor.Cursor, stop record.Epoch) ([]*cursor.Cursor, error) {
	line := []*cursor.Cursor{c}
	for len(line) < maxKin && c.Row.Predecessor != stop && c.Row.Predecessor != 0 {
		var err error
		if c, err = g.draft.Cursor(ctx, table.Key{Device: c.Row.Device, Epoch: c.Row.Predecessor}); err != nil {
			return nil, err
		}
		line = append(line, c)
	}
	return line, nil
}

// began returns a wall time before which a boot did not begin: what had passed in the nearest boot before it whose
// clock is known, and what those between them lasted. -far if there is none.
func began(line []*cursor.Cursor, boot record.Boot) int64 {
	var between lives
	for _, c := range line {
		switch {
		case c.Row.Boot == boot:
		case c.Row.Anchor.State >= wire.Gateway:
			return clamp(passed(&c.Row) + between.lasted())
		default:
			between.add(c)
		}
	}
	return -far
}

// passed returns a wall time that an epoch whose clock is known has certainly lived to see.
func passed(c *table.Cursor) int64 {
	a := &c.Anchor
	seen := clamp(a.Monotonic)
	if c.Promise != table.Unknown {
		seen = max(seen, micros(c.Promise, record.Milli))
	}
	return clamp(seen + offsetOf(*a) - uncertainty(a, seen, seen))
}

// ended returns a wall time at which the boot of a record was over: its arrival, or the begin of the next boot whose
// clock is known, less what those between them lasted.
func (g *Group) ended(ctx context.Context, o *Opened, c *cursor.Cursor) (int64, error) {
	end, asked := clamp(o.Received), 0
	for _, d := range g.draft.Device(o.sealed.Device) {
		if d.Row.Anchor.State < wire.Gateway || d.Row.Boot == o.sealed.Boot || asked == maxKin {
			continue
		}
		asked++
		line, err := g.ancestry(ctx, d, c.Row.Epoch)
		if err != nil {
			return 0, err
		}
		if line[len(line)-1].Row.Predecessor != c.Row.Epoch {
			continue // no descendant
		}
		var between lives
		for _, x := range line {
			if x.Row.Boot != d.Row.Boot && x.Row.Boot != o.sealed.Boot {
				between.add(x)
			}
		}
		a := &d.Row.Anchor
		end = min(end, clamp(offsetOf(*a)+uncertainty(a, 0, 0)-between.lasted()))
	}
	return end, nil
}

// lives adds up how long boots lasted at least, from epochs in the order of a lineage.
type lives struct {
	boot       record.Boot
	total, one int64 // one = of boot
}

func (l *lives) add(c *cursor.Cursor) {
	if c.Row.Boot != l.boot {
		l.total, l.one, l.boot = clamp(l.total+l.one), 0, c.Row.Boot
	}
	up := clamp(c.Row.Anchor.Monotonic)
	if c.Row.Promise != table.Unknown {
		up = max(up, micros(c.Row.Promise, record.Milli))
	}
	l.one = max(l.one, up-wire.Drift(up))
}

func (l *lives) lasted() int64 { return clamp(l.total + l.one) }
