package land

import (
	"context"
	"time"

	"github.com/headwater-iot/headwater/gateway/internal/cursor"
	"github.com/headwater-iot/headwater/gateway/internal/table"
	"github.com/headwater-iot/headwater/shared/record"
	"github.com/headwater-iot/headwater/shared/wire"
)

const (
	// plausible is when an unsynced wall clock may have been set by somebody: before it, it counts from 1970 or from
	// the build of the system. 2020-01-01.
	plausible = 1577836800_000_000

	// A timestamp of a table lies in the years that every reader of the tables knows.
	minTime = -62135596800_000_000 // 0001-01-01
	maxTime = 253402300800_000_000 // 10000-01-01, exclusive

	// loose is the uncertainty, us, above which a reading says in its quality that it rests on the gateway's clock. An
	// answer within a second stamps as well as a clock that is disciplined over the network, and a device that has no
	// other clock would else never send a good reading; clock_error carries the bound in any case.
	loose = 1_000_000

	// far is beyond every timestamp, and small enough that two of it add up.
	far = 1 << 61
)

// stamp is how the times of a batch become wall time.
type stamp struct {
	table.Stamp
	offset  int64          // us to add; 0 for absolute time
	flags   record.Quality // of every reading
	bounded bool           // chosen, not known: keep it for the epoch
}

// stampOf applies the order of the package comment. newest is the latest device time of the record, us.
func (g *Group) stampOf(ctx context.Context, o *Opened, c *cursor.Cursor, newest int64) (stamp, error) {
	none := table.Stamp{ClockOffset: table.Unknown, ClockError: table.Unknown, Anchor: table.Unknown}
	if o.sealed.Absolute {
		return stamp{Stamp: none}, nil
	}
	a := o.anchor
	if a.State < wire.Gateway {
		a = known(c, g.draft.Device(o.sealed.Device), o.sealed.Boot)
	}
	if a.State >= wire.Gateway {
		return anchored(a), nil
	}
	floor, err := g.floor(ctx, c, o.sealed.Boot)
	if err != nil {
		return stamp{}, err
	}
	s := stamp{Stamp: none, flags: record.ClockBounded, bounded: true}
	s.offset = boundedOffset(o, c, newest, floor)
	s.ClockOffset = s.offset
	if latest := clamp(o.Received) - newest; s.offset == floor && latest >= floor {
		s.ClockError = latest - floor // the boot did not begin before floor, and the reading is not ahead of its arrival
	}
	return s, nil
}

// known returns the best anchor of a boot that was logged before. siblings are the cursors of the device in memory.
func known(c *cursor.Cursor, siblings []*cursor.Cursor, boot record.Boot) wire.Anchor {
	var best wire.Anchor
	if c.Row.Boot == boot {
		best = c.Row.Anchor
	}
	for _, other := range siblings {
		a := other.Row.Anchor
		if other.Row.Boot == boot && (a.State > best.State || a.State == best.State && a.Generation > best.Generation) {
			best = a
		}
	}
	return best
}

func anchored(a wire.Anchor) stamp {
	s := stamp{offset: offsetOf(a)}
	s.ClockOffset = s.offset
	s.ClockError = int64(min(a.Uncertainty, far))
	s.Anchor = int64(min(a.Generation, record.MaxSeq))
	if a.State == wire.Gateway && a.Uncertainty > loose {
		s.flags = record.ClockGateway
	}
	return s
}

func offsetOf(a wire.Anchor) int64 { return clamp(clamp(a.Wall) - clamp(a.Monotonic)) }

// maxAncestors is how far back a neighbour is looked for.
const maxAncestors = 8

// floor returns a wall time before which a boot did not begin, us: the last promise of the nearest ancestor of
// another boot whose clock is known. far below everything means that there is none.
func (g *Group) floor(ctx context.Context, c *cursor.Cursor, boot record.Boot) (int64, error) {
	for range maxAncestors {
		if c.Row.Predecessor == 0 {
			break
		}
		var err error
		if c, err = g.draft.Cursor(ctx, table.Key{Device: c.Row.Device, Epoch: c.Row.Predecessor}); err != nil {
			return 0, err
		}
		if c.Row.Boot != boot && c.Row.Anchor.State >= wire.Gateway && c.Row.Promise != table.Unknown {
			return clamp(micros(c.Row.Promise, record.Milli) + offsetOf(c.Row.Anchor)), nil
		}
	}
	return -far, nil
}

// boundedOffset is the offset of a boot without an anchor.
func boundedOffset(o *Opened, c *cursor.Cursor, newest, floor int64) int64 {
	if c.Row.ClockOffset != table.Unknown {
		return c.Row.ClockOffset
	}
	if o.anchor.State == wire.Unsynced {
		off := offsetOf(o.anchor)
		if at := newest + off; off >= floor && at >= plausible && at <= o.Received+Slack.Microseconds() {
			return off
		}
	}
	latest := clamp(clamp(o.Received) - newest)
	if floor > -far && floor <= latest {
		return floor
	}
	return latest
}

func clamp(us int64) int64 { return max(-far, min(us, far)) }

// micros turns device time into us.
func micros(t int64, unit record.TimeUnit) int64 {
	if unit == record.Milli {
		t = 1000 * max(-far/1000, min(t, far/1000))
	}
	return clamp(t)
}

// newest returns the latest device time of a body, us.
func newest(b *record.Body) int64 {
	latest := int64(-far)
	for i := range b.Groups {
		for _, t := range b.Groups[i].Times {
			latest = max(latest, micros(t, b.Groups[i].Unit))
		}
	}
	return latest
}

// timeline is the rows of a group of columns on the wall clock.
type timeline struct {
	event          []int64
	oldest, newest int64
	late           []bool   // rows ahead of their received time, within reason; nil = none
	verdict        []string // why a row does not land now, "" = it does; nil = all do
}

// later is the verdict on rows that the next group takes, because this one has its days.
const later = "later"

// timelineOf stamps the rows of a group and judges them.
func (g *Group) timelineOf(b *record.Group, s *stamp, received int64) timeline {
	t := timeline{event: make([]int64, len(b.Times)), oldest: far, newest: -far}
	for i, at := range b.Times {
		us := micros(at, b.Unit) + s.offset
		t.event[i] = us
		t.oldest, t.newest = min(t.oldest, us), max(t.newest, us)
	}
	ahead, old := limits(&g.l.cfg.Settings, s, received)
	if t.oldest < max(old, minTime) || t.newest >= min(ahead, maxTime) {
		t.verdict = make([]string, len(t.event))
		for i, us := range t.event {
			t.verdict[i] = judge(us, ahead, old)
		}
	}
	if soon := received + Slack.Microseconds(); t.newest > soon && !s.bounded {
		t.late = make([]bool, len(t.event))
		for i, us := range t.event {
			t.late[i] = us > soon
		}
	}
	return t
}

// limits returns between which times a reading may lie. A clock that was guessed is not held against its readings.
func limits(cfg *Settings, s *stamp, received int64) (ahead, old int64) {
	ahead, old = far, -far
	if s.bounded {
		return ahead, old
	}
	if cfg.MaxAge > 0 {
		old = received - cfg.MaxAge.Microseconds()
	}
	return received + cfg.MaxAhead.Microseconds() + 1, old
}

func judge(us, ahead, old int64) string {
	switch {
	case us < minTime || us >= maxTime:
		return TimeRange
	case us >= ahead:
		return FutureTime
	case us < old:
		return TooOld
	}
	return ""
}

const dayMicros = int64(24 * time.Hour / time.Microsecond)

// dayOf returns the day partition of an event time: days since 1970, rounded down.
func dayOf(us int64) int64 {
	d := us / dayMicros
	if us%dayMicros < 0 {
		d--
	}
	return d
}
