package land

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/headwater-iot/headwater/gateway/internal/decision"
	"github.com/headwater-iot/headwater/gateway/internal/table"
	"github.com/headwater-iot/headwater/shared/seqset"
	"github.com/headwater-iot/headwater/shared/wire"
)

// Kept is what a lake says of held readings. It is asked from the goroutine that lands, between commits: what it says is
// what the records before the one that asks have brought about. Any error ends the group.
type Kept interface {
	// Held returns the quarantine rows, of any fate, of all log records that hold one of seqs.
	Held(ctx context.Context, key table.Key, seqs *seqset.Set) ([]table.QuarantineRow, error)
	// HeldOf returns the quarantine rows, of any fate, of one log record.
	HeldOf(ctx context.Context, by table.Origin) ([]table.QuarantineRow, error)
	// Present returns which of seqs stand in `readings`.
	Present(ctx context.Context, key table.Key, seqs *seqset.Set) (seqset.Set, error)
}

// deciding is a decision on its way.
type deciding struct {
	decision.Quarantine
	seqs seqset.Set
	met  seqset.Set // seqs that count in out
	out  decision.Outcome
}

func parseDecision(payload []byte) (*deciding, error) {
	q, err := decision.ParseQuarantine(payload)
	if err != nil {
		return nil, err
	}
	return &deciding{Quarantine: q, seqs: q.Seqs(), out: decision.Outcome{ID: q.ID, Held: map[string]uint64{}}}, nil
}

func (d *deciding) key() table.Key { return table.Key{Device: d.Device, Epoch: d.Epoch} }

// meets reports whether a row is decided on.
func (d *deciding) meets(r *table.QuarantineRow) bool { return r.Fate == table.FateHeld && d.names(r) }

// names reports whether a row is decided on if it is held.
func (d *deciding) names(r *table.QuarantineRow) bool {
	if p := d.Record; p != nil {
		return r.Count == 0 && r.Origin.Log == p.Log && r.Origin.Partition == p.Partition && r.Origin.Offset == p.Offset
	}
	return r.Device == d.Device && r.Epoch == d.Epoch && len(d.seqs.Within(r.From, r.To)) > 0
}

// decide carries out a decision on held readings. It returns false when the group has to be committed first.
func (g *Group) decide(ctx context.Context, o *Opened, by table.Origin) (bool, error) {
	if o.deciding == nil {
		g.l.alarms.raise(g.l.alarms.kind, o.String())
		return false, fmt.Errorf("%w: it decides on held readings in a form of which this version says: %s", ErrKind, o.detail)
	}
	d := o.deciding
	if o.reason == Unopened {
		d.out.Held[Unopened] = d.seqs.Count()
		g.tally.replayed[replayedHeld] += d.seqs.Count()
		g.decided, g.dirty = append(g.decided, d.out), true
		return true, nil
	}
	if slices.ContainsFunc(g.commit.Quarantine, func(r table.QuarantineRow) bool { return d.names(&r) }) {
		return false, nil // the lake does not say yet what this group makes of them
	}
	records, err := g.recordsOf(ctx, d)
	if err != nil {
		return false, err
	}
	var present seqset.Set
	if d.Verb == decision.Replay {
		held := heldOf(d, slices.Concat(records...))
		if present, err = g.l.cfg.Kept.Present(ctx, d.key(), &held); err != nil {
			return false, err
		}
	}
	for i, rows := range records {
		took, err := g.again(ctx, o, rows, &present, by)
		if err != nil {
			return false, err
		}
		if !took {
			if i > 0 && g.parts == 0 {
				g.parts++ // those before it are in the group, and are found decided when the rest is offered again
			}
			return false, nil
		}
	}
	g.dirty = true // who decided waits for it
	d.out.Elsewhere = d.seqs.Count() - d.met.Count()
	g.decided = append(g.decided, d.out)
	return true, nil
}

// recordsOf returns the rows of all log records that a decision meets, record by record in a fixed order.
func (g *Group) recordsOf(ctx context.Context, d *deciding) (records [][]table.QuarantineRow, err error) {
	var rows []table.QuarantineRow
	if p := d.Record; p != nil {
		rows, err = g.l.cfg.Kept.HeldOf(ctx, table.Origin{Log: p.Log, Partition: p.Partition, Offset: p.Offset})
	} else {
		rows, err = g.l.cfg.Kept.Held(ctx, d.key(), &d.seqs)
	}
	if err != nil {
		return nil, fmt.Errorf("look up held readings: %w", err)
	}
	slices.SortFunc(rows, func(a, b table.QuarantineRow) int {
		return cmp.Or(
			slices.Compare(a.Origin.Log[:], b.Origin.Log[:]),
			cmp.Compare(a.Origin.Partition, b.Origin.Partition), cmp.Compare(a.Origin.Offset, b.Origin.Offset),
			cmp.Compare(a.From, b.From), cmp.Compare(a.Count, b.Count), cmp.Compare(a.Reason, b.Reason), cmp.Compare(a.Rule, b.Rule))
	})
	for len(rows) > 0 {
		n := 1
		for n < len(rows) && rows[n].Origin == rows[0].Origin {
			n++
		}
		if slices.ContainsFunc(rows[:n], func(r table.QuarantineRow) bool { return d.meets(&r) }) {
			records = append(records, rows[:n:n])
		}
		rows = rows[n:]
	}
	return records, nil
}

// heldOf returns the held seqs of rows that are decided on.
func heldOf(d *deciding, rows []table.QuarantineRow) seqset.Set {
	var held seqset.Set
	for i := range rows {
		if d.meets(&rows[i]) {
			for _, r := range d.seqs.Within(rows[i].From, rows[i].To) {
				held.Add(r.From, r.To)
			}
		}
	}
	return held
}

// again gives the held readings of one log record their new fates.
func (g *Group) again(ctx context.Context, o *Opened, rows []table.QuarantineRow, present *seqset.Set, by table.Origin) (took bool, err error) {
	d := o.deciding
	f := fates{record: d.Record != nil, took: true, want: heldOf(d, rows)}
	for _, r := range f.want.Ranges() {
		for _, there := range present.Within(r.From, r.To) {
			f.present.Add(there.From, there.To)
		}
	}
	if d.Verb == decision.Discard {
		f.discarded = f.want.Clone()
	} else if ok, err := g.rejudge(ctx, o, rows, &f, by); err != nil || !ok {
		return false, err
	}
	if cut, changed := f.cut(rows); changed {
		g.commit.Rehold = append(g.commit.Rehold, rows[0].Origin)
		g.commit.Quarantine = append(g.commit.Quarantine, cut...)
		g.bytes += rowBytes * int64(len(cut))
		for i := range cut {
			g.bytes += int64(len(cut[i].Bytes))
		}
	}
	g.dirty = true
	g.account(d, rows, &f)
	return f.took, nil
}

// rejudge opens the bytes of a record again and lands what may land now. It returns false when the days of the group do
// not hold all of it.
func (g *Group) rejudge(ctx context.Context, o *Opened, rows []table.QuarantineRow, f *fates, by table.Origin) (bool, error) {
	d := o.deciding
	q := g.reopen(o, rows)
	if q.reason != "" {
		f.keep(ground{reason: q.reason, rule: q.detail[:min(len(q.detail), maxDetail)]}, &f.want)
		return true, nil
	}
	c, err := g.draft.Cursor(ctx, d.key())
	if err != nil {
		return false, err
	}
	open := f.want.Clone()
	for _, r := range f.present.Ranges() {
		open.Remove(r.From, r.To)
	}
	if beyond := c.Beyond(0, open.Max()); beyond.Len() > 0 {
		late := seqset.Of(open.Within(beyond.From, beyond.To)...)
		f.keep(ground{reason: BeyondEnd}, &late)
		open.Remove(beyond.From, beyond.To)
	}
	st, err := g.stampOf(ctx, q, c, spanOf(&q.body))
	if err != nil {
		return false, err
	}
	lines := make([]timeline, len(q.body.Groups))
	for i := range lines {
		lines[i] = g.timelineOf(&q.body.Groups[i], &st, q.Received)
	}
	q.judgement = g.judge(q, c, lines, &open)
	var ok bool
	if f.took, ok = g.admit(q, lines, &open); !ok {
		return false, nil
	}
	if st.bounded {
		c.Bound(st.offset, by)
	}
	out := g.rows(q, &st, lines, &open, c.Row.Site)
	for w, seqs := range out.rejected {
		f.keep(ground(w), seqs)
	}
	for _, gap := range out.dropped { // it was held, and is not given up by a rule that came later
		seqs := seqset.Of(seqset.Range{From: gap.From, To: gap.To})
		f.keep(ground{Contract, strings.TrimPrefix(gap.Reason, dropped), q.judgement.name()}, &seqs)
	}
	f.landed = out.landed
	c.Replay(f.landed.Count()+f.present.Count(), by)
	return true, nil
}

// reopen decodes the bytes that a row of a record keeps. An attempt is noted under the decision: bytes that take the
// process down every time leave the rows held, and landing goes on.
func (g *Group) reopen(o *Opened, rows []table.QuarantineRow) *Opened {
	q := &Opened{Entry: Entry{Kind: KindBatch, Partition: o.Partition, Offset: rows[0].Origin.Offset, Received: rows[0].Origin.Received}}
	for i := range rows {
		if len(rows[i].Bytes) > 0 {
			q.Payload = rows[i].Bytes
			break
		}
	}
	if g.l.decoder == nil {
		dec, err := wire.NewDecoder()
		if err != nil {
			q.reason, q.detail = Unreadable, err.Error()
			return q
		}
		g.l.decoder = dec
	}
	decode := func(int) {
		if g.l.cfg.Opening != nil {
			g.l.cfg.Opening(o.deciding.Device)
		}
		open(g.l.decoder, q, false)
	}
	if a := g.l.cfg.Attempts; a != nil {
		a.try(g.l.cfg.Log, o.Partition, o.Offset, decode)
	} else {
		decode(1)
	}
	switch s := &q.sealed; {
	case q.reason != "":
	case s.Device != o.deciding.Device || s.Epoch != o.deciding.Epoch:
		q.reason, q.detail = Malformed, "the bytes are of another device or epoch"
	case s.Kind != wire.KindReadings:
		q.reason, q.detail = Unreadable, "it has no readings"
	}
	return q
}

// account counts what became of a record, each seq once for its decision.
func (g *Group) account(d *deciding, rows []table.QuarantineRow, f *fates) {
	count := func(outcome string, into *uint64, seqs *seqset.Set) {
		fresh := seqs.Clone()
		for _, r := range d.met.Ranges() {
			fresh.Remove(r.From, r.To)
		}
		*into += fresh.Count()
		g.tally.replayed[outcome] += fresh.Count()
	}
	count(replayedLanded, &d.out.Landed, &f.landed)
	count(replayedPresent, &d.out.Present, &f.present)
	count(replayedDiscarded, &d.out.Discarded, &f.discarded)
	for v, seqs := range f.held {
		n := d.out.Held[v.reason]
		count(replayedHeld, &n, seqs)
		d.out.Held[v.reason] = n
		d.met.AddSet(seqs)
	}
	for _, s := range []*seqset.Set{&f.landed, &f.present, &f.discarded} {
		d.met.AddSet(s)
	}
	g.tally.landed += f.landed.Count()
	if f.record {
		for i := range rows {
			if d.meets(&rows[i]) {
				d.out.Rows++
			}
		}
	}
}

// ground is why a reading stays held.
type ground struct{ reason, rule, contract string }

func groundOf(r *table.QuarantineRow) ground { return ground{r.Reason, r.Rule, r.Contract} }

// fates are what becomes of the held readings of one record that are decided on. What is in none of the sets stays as
// it is.
type fates struct {
	want                       seqset.Set
	landed, present, discarded seqset.Set
	held                       map[ground]*seqset.Set
	record                     bool // rows that name no seqs are discarded
	took                       bool // the group has room for all days
}

func (f *fates) keep(v ground, seqs *seqset.Set) {
	if f.held == nil {
		f.held = map[ground]*seqset.Set{}
	}
	if f.held[v] == nil {
		f.held[v] = new(seqset.Set)
	}
	f.held[v].AddSet(seqs)
}

// cut returns the rows as they are now, and whether they differ. A row of several fates becomes several; its bytes stay
// with the first.
func (f *fates) cut(rows []table.QuarantineRow) (cut []table.QuarantineRow, changed bool) {
	replayed := f.landed.Clone()
	replayed.AddSet(&f.present)
	for i := range rows {
		row := &rows[i]
		switch {
		case row.Fate != table.FateHeld:
			cut = append(cut, *row)
		case f.record && row.Count == 0:
			changed = true
			cut = append(cut, *row)
			cut[len(cut)-1].Fate = table.FateDiscarded
		default:
			pieces := f.pieces(row, &replayed)
			changed = changed || len(pieces) > 1 || pieces[0].Fate != row.Fate || groundOf(&pieces[0]) != groundOf(row)
			cut = append(cut, pieces...)
		}
	}
	return cut, changed
}

func (f *fates) pieces(row *table.QuarantineRow, replayed *seqset.Set) []table.QuarantineRow {
	if row.Count == 0 {
		return []table.QuarantineRow{*row}
	}
	var out []table.QuarantineRow
	left := seqset.Of(seqset.Range{From: row.From, To: row.To})
	piece := func(seqs *seqset.Set, change func(*table.QuarantineRow)) {
		for _, r := range seqs.Within(row.From, row.To) {
			p := *row
			p.From, p.To, p.Count, p.Bytes = r.From, r.To, r.Len(), nil
			change(&p)
			out = append(out, p)
			left.Remove(r.From, r.To)
		}
	}
	piece(replayed, func(p *table.QuarantineRow) { p.Fate = table.FateReplayed })
	piece(&f.discarded, func(p *table.QuarantineRow) { p.Fate = table.FateDiscarded })
	for v, seqs := range f.held {
		piece(seqs, func(p *table.QuarantineRow) { p.Reason, p.Rule, p.Contract = v.reason, v.rule, v.contract })
	}
	rest := left.Clone()
	piece(&rest, func(*table.QuarantineRow) {})
	slices.SortFunc(out, func(a, b table.QuarantineRow) int { return cmp.Compare(a.From, b.From) })
	out = joined(out)
	out[0].Bytes = row.Bytes
	return out
}

// joined makes one of neighbours that say the same.
func joined(rows []table.QuarantineRow) []table.QuarantineRow {
	out := rows[:1]
	for _, r := range rows[1:] {
		last := &out[len(out)-1]
		if last.To == r.From && last.Fate == r.Fate && groundOf(last) == groundOf(&r) {
			last.To, last.Count = r.To, last.Count+r.Count
			continue
		}
		out = append(out, r)
	}
	return out
}
