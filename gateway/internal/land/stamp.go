package land

import (
	"context"
	"slices"
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

// span is from when to when the device times of a record go, us.
type span struct{ oldest, newest int64 }

// stampOf applies the order of the package comment.
func (g *Group) stampOf(ctx context.Context, o *Opened, c *cursor.Cursor, t span) (stamp, error) {
	none := table.Stamp{ClockOffset: table.Unknown, ClockError: table.Unknown, Anchor: table.Unknown}
	if o.sealed.Absolute {
		return stamp{Stamp: none}, nil
	}
	if o.anchor.State >= wire.Gateway {
		return anchored(o.anchor, t), nil
	}
	line, err := g.ancestry(ctx, c, 0)
	if err != nil {
		return stamp{}, err
	}
	kin := slices.Concat(line, g.draft.Device(o.sealed.Device)) // ancestors may have left memory
	if a := known(kin, o.sealed.Boot); a.State >= wire.Gateway {
		return anchored(a, t), nil
	}
	b, err := g.boundsOf(ctx, o, line, t)
	if err != nil {
		return stamp{}, err
	}
	chosen := chosenFor(o.sealed.Boot, kin)
	if chosen == table.Unknown {
		chosen = choose(o, b, t)
	}
	s := stamp{Stamp: none, offset: chosen, flags: record.ClockBounded, bounded: true}
	s.ClockOffset, s.ClockError = chosen, b.off(chosen)
	return s, nil
}

// choose returns the offset of a boot without an anchor.
func choose(o *Opened, b bounds, t span) int64 {
	if o.anchor.State == wire.Unsynced {
		off := offsetOf(o.anchor)
		if off >= b.from && off <= b.to+Slack.Microseconds() && t.newest+off >= plausible {
			return off
		}
	}
	if b.known() {
		return b.from + (b.to-b.from)/2
	}
	return b.to
}

// known returns the best anchor of a boot that was logged before.
func known(kin []*cursor.Cursor, boot record.Boot) wire.Anchor {
	var best wire.Anchor
	for _, c := range kin {
		if a := c.Row.Anchor; c.Row.Boot == boot && cursor.Better(a, best) {
			best = a
		}
	}
	return best
}

func anchored(a wire.Anchor, t span) stamp {
	s := stamp{offset: offsetOf(a)}
	s.ClockOffset = s.offset
	s.ClockError = uncertainty(&a, t.oldest, t.newest)
	s.Anchor = int64(min(a.Generation, record.MaxSeq))
	if a.State == wire.Gateway && s.ClockError > loose {
		s.flags = record.ClockGateway
	}
	return s
}

// uncertainty returns how far an anchor may be wrong for the device times between two, us: by what it said of its own
// instant, and by what the clock of the device drifts up to there.
func uncertainty(a *wire.Anchor, oldest, newest int64) int64 {
	at := clamp(a.Monotonic)
	return clamp(int64(min(a.Uncertainty, far)) + wire.Drift(max(at-oldest, newest-at, 0)))
}

// offsetOf returns event time less device time by an anchor. That of one that no clock can say is beyond every table.
func offsetOf(a wire.Anchor) int64 {
	if clamp(a.Wall) != a.Wall || clamp(a.Monotonic) != a.Monotonic {
		return far
	}
	return clamp(a.Wall - a.Monotonic)
}

func clamp(us int64) int64 { return max(-far, min(us, far)) }

// micros turns device time into us; far or -far where it is beyond them.
func micros(t int64, unit record.TimeUnit) int64 {
	if unit != record.Milli {
		return clamp(t)
	}
	switch {
	case t > far/1000:
		return far
	case t < -far/1000:
		return -far
	}
	return 1000 * t
}

// event returns the wall time of a device time. What is beyond either end stays beyond every table: two of them must
// not add up to a time that looks right.
func event(us, offset int64) int64 {
	if us <= -far || us >= far || offset <= -far || offset >= far {
		return far
	}
	return us + offset
}

// spanOf returns the device times of a body.
func spanOf(b *record.Body) span {
	t := span{oldest: far, newest: -far}
	for i := range b.Groups {
		for _, at := range b.Groups[i].Times {
			us := micros(at, b.Groups[i].Unit)
			t.oldest, t.newest = min(t.oldest, us), max(t.newest, us)
		}
	}
	return t
}

// timeline is the rows of a group of columns on the wall clock.
type timeline struct {
	event          []int64
	oldest, newest int64
	late           []bool   // rows ahead of their received time, within reason; nil = none
	verdict        []string // why a row does not land now, "" = it does; nil = all do
}

// lands reports whether a row may land, as far as its time says.
func (t *timeline) lands(row int) bool { return t.verdict == nil || t.verdict[row] == "" }

// later is the verdict on rows that the next group takes, because this one has its days.
const later = "later"

// timelineOf stamps the rows of a group and judges them.
func (g *Group) timelineOf(b *record.Group, s *stamp, received int64) timeline {
	t := timeline{event: make([]int64, len(b.Times)), oldest: far, newest: -far}
	for i, at := range b.Times {
		us := event(micros(at, b.Unit), s.offset)
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
	if soon := received + min(Slack, g.l.cfg.MaxAhead).Microseconds(); t.newest > soon && !s.bounded {
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
