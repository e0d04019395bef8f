package land

import (
	"context"
	"maps"
	"slices"

	"github.com/headwater-iot/headwater/gateway/internal/cursor"
	"github.com/headwater-iot/headwater/gateway/internal/table"
	"github.com/headwater-iot/headwater/shared/record"
	"github.com/headwater-iot/headwater/shared/seqset"
	"github.com/headwater-iot/headwater/shared/wire"
)

// batch lands a sealed part. It returns false when the days of the group do not hold all of it.
func (g *Group) batch(ctx context.Context, o *Opened, by table.Origin) (bool, error) {
	if !o.known {
		g.reject(o, by)
		return true, nil
	}
	s := &o.sealed
	c, err := g.draft.Cursor(ctx, table.Key{Device: s.Device, Epoch: s.Epoch})
	if err != nil {
		return false, err
	}
	g.dirty = true // at least the mark moves, and the device hears what has landed
	took := true
	switch {
	case o.reason != "":
		g.refuse(o, c, seqset.Range{From: s.First, To: s.End()}, by)
	case s.Kind == wire.KindReadings:
		took, err = g.readings(ctx, o, c, by)
	case s.Kind == wire.KindGap:
		err = g.gap(ctx, o, c, by)
	case s.Kind == wire.KindEnd:
		if !c.End(s.First, by) {
			g.conflict(o, by, "readings beyond the end of the epoch have landed before")
		}
	}
	if err != nil || !took && !o.split { // nothing of it is in this group
		return false, err
	}
	c.Describe(0, s.Boot, "", by)
	if took && s.HasPromise && !o.ahead { // it says something of what has landed
		c.Promise(s.Promise, by)
	}
	if o.anchor.State >= wire.Gateway {
		c.Anchor(o.anchor, by)
	}
	c.Consume(by)
	g.l.devices.seen(s.Device, s.Epoch, s.Boot, o.Received)
	g.l.devices.under(s.Device, g.rulesOf(o.Partition).of(s.Device).judge)
	return took, nil
}

// readings lands a batch of readings.
func (g *Group) readings(ctx context.Context, o *Opened, c *cursor.Cursor, by table.Origin) (bool, error) {
	s := &o.sealed
	beyond := c.Beyond(s.First, s.End())
	open := seqset.Of(c.Open(s.First, beyond.From)...)
	st, err := g.stampOf(ctx, o, c, spanOf(&o.body))
	if err != nil {
		return false, err
	}
	lines := make([]timeline, len(o.body.Groups))
	for i := range lines {
		lines[i] = g.timelineOf(&o.body.Groups[i], &st, o.Received)
		o.ahead = o.ahead || lines[i].late != nil
	}
	o.judgement = g.judge(o, c, lines, &open)
	took, ok := g.admit(o, lines, &open)
	if !ok {
		return false, nil
	}
	if st.bounded {
		c.Bound(st.offset, by)
	}
	if !imported(o.Client) && !c.Remember(table.BatchMark{First: s.First, Count: s.Count, CRC: s.CRC}, by) {
		g.conflict(o, by, "other bytes came under these seqs before")
	}
	if !o.split {
		g.tally.duplicates += s.Count - open.Count() - total(c.Open(beyond.From, beyond.To))
		g.tally.shadows(o.judgement)
	}
	out := g.rows(o, &st, lines, &open, c.Row.Site)
	g.tally.landed += c.CloseSet(&out.landed, cursor.Landed, by)
	if took { // of a batch that lands in parts, the last has all that does not land: the rows are those of one part
		g.leave(o, c, &out, by)
		if beyond.From < beyond.To {
			g.quarantine(o, c, c.Open(beyond.From, beyond.To), why{reason: BeyondEnd, rule: o.detail}, by)
		}
		if o.judgement != nil {
			c.Keep(o.judgement.memory)
		}
	}
	o.split = !took
	return took, nil
}

// leave gives the readings their fate that were read and do not land.
func (g *Group) leave(o *Opened, c *cursor.Cursor, out *outcome, by table.Origin) {
	for _, w := range slices.SortedFunc(maps.Keys(out.rejected), why.compare) {
		g.quarantine(o, c, out.rejected[w].Ranges(), w, by)
	}
	var given seqset.Set
	for _, gap := range out.dropped {
		gap.Origin = by
		g.commit.Gaps = append(g.commit.Gaps, gap)
		g.tally.gaps[gap.Reason] += gap.Count
		given.Add(gap.From, gap.To)
	}
	g.bytes += rowBytes * int64(len(out.dropped))
	c.CloseSet(&given, cursor.GivenUp, by)
}

// gap closes the seqs that the agent has given up.
func (g *Group) gap(ctx context.Context, o *Opened, c *cursor.Cursor, by table.Origin) error {
	s := &o.sealed
	st, err := g.stampOf(ctx, o, c, span{oldest: micros(o.gap.From, record.Milli), newest: micros(o.gap.To, record.Milli)})
	if err != nil {
		return err
	}
	if st.bounded {
		c.Bound(st.offset, by)
	}
	for _, r := range c.Open(s.First, s.End()) {
		g.commit.Gaps = append(g.commit.Gaps, table.GapRow{
			Device: s.Device, Epoch: s.Epoch, From: r.From, To: r.To, Count: r.Len(),
			TimeFrom: wallTime(o.gap.From, &st), TimeTo: wallTime(o.gap.To, &st),
			Series: slices.Clone(o.gap.Series), Reason: o.gap.Reason, Origin: by,
		})
		g.tally.gaps[o.gap.Reason] += r.Len()
		c.Close(r.From, r.To, cursor.GivenUp, by)
	}
	return nil
}

// wallTime stamps a time of a gap, which may be unknown where a table cannot say it.
func wallTime(ms int64, s *stamp) int64 {
	if us := event(micros(ms, record.Milli), s.offset); us >= minTime && us < maxTime {
		return us
	}
	return table.Unknown
}
