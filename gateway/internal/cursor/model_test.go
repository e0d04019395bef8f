package cursor_test

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/headwater-iot/headwater/gateway/internal/cursor"
	"github.com/headwater-iot/headwater/gateway/internal/table"
	"github.com/headwater-iot/headwater/shared/record"
	"github.com/headwater-iot/headwater/shared/seqset"
	"github.com/headwater-iot/headwater/shared/wire"
)

// model is what a cursor should be: a map of seqs.
type model struct {
	fate     map[uint64]cursor.Fate
	presumed map[uint64]bool
	openFrom uint64 // presumed from here on
	open     bool
	final    uint64
	hasFinal bool
	highest  uint64 // end of the closed seqs
	accepted uint64
}

const (
	device    = "probe-1"
	modelSeqs = 60
)

func newModel() *model { return &model{fate: map[uint64]cursor.Fate{}, presumed: map[uint64]bool{}} }

func (m *model) close(from, to uint64, f cursor.Fate) {
	for s := from; s < to; s++ {
		if m.fate[s] != 0 {
			continue
		}
		m.fate[s] = f
		m.highest, m.accepted = max(m.highest, s+1), max(m.accepted, to)
		delete(m.presumed, s)
		for ; m.open && m.openFrom <= s; m.openFrom++ {
			if m.fate[m.openFrom] == 0 {
				m.presumed[m.openFrom] = true
			}
		}
	}
}

func (m *model) end(final uint64) {
	final = max(final, m.highest)
	if m.hasFinal && m.final <= final {
		return
	}
	m.final, m.hasFinal = final, true
	m.accepted = max(m.accepted, final)
	for ; m.open && m.openFrom < final; m.openFrom++ {
		m.presumed[m.openFrom] = true
	}
	m.open = false
	for s := range m.presumed {
		if s >= final {
			delete(m.presumed, s)
		}
	}
}

func (m *model) hear(c cursor.Claim, mayEnd bool) {
	m.accepted = max(m.accepted, c.Next)
	if mayEnd && c.State == wire.EpochEnded {
		m.end(max(c.Next, c.Held.Max()))
	}
	next := c.Next
	lost := mayEnd && c.State == wire.EpochLost && !m.hasFinal
	if lost {
		next = max(next, m.accepted, c.Held.Max())
		if m.open {
			next = max(next, m.openFrom)
		}
	}
	for s := range next {
		if m.fate[s] == 0 && (!m.hasFinal || s < m.final) {
			m.presumed[s] = true
		}
	}
	for s := range m.presumed {
		if c.Held.Has(s) {
			delete(m.presumed, s)
		}
	}
	if lost || m.open {
		m.open, m.openFrom = true, max(m.openFrom, next)
	}
}

// agree fails unless cursor and model say the same.
func (m *model) agree(t *rapid.T, row *table.Cursor) {
	t.Helper()
	var closed, presumed seqset.Set
	var byFate [4]uint64
	for s, f := range m.fate {
		closed.Add(s, s+1)
		byFate[f]++
	}
	for s := range m.presumed {
		presumed.Add(s, s+1)
	}
	got := fmt.Sprint(row.Closed, row.Presumed, row.PresumedOpen, row.Ended && row.HasFinal, row.Accepted,
		row.Landed, row.Quarantined, row.GapSeqs)
	want := fmt.Sprint(closed, presumed, m.open, m.hasFinal, m.accepted,
		byFate[cursor.Landed], byFate[cursor.Quarantined], byFate[cursor.GivenUp])
	if got != want {
		t.Fatalf("cursor %s\nmodel  %s", got, want)
	}
	if m.hasFinal && row.FinalSeq != m.final || m.open && row.PresumedFrom != m.openFrom {
		t.Fatalf("final %d, open from %d; model %d, %d", row.FinalSeq, row.PresumedFrom, m.final, m.openFrom)
	}
	if n := row.Landed + row.Quarantined + row.GapSeqs; n != row.Closed.Count() {
		t.Fatalf("I2: %d fates for %d closed seqs", n, row.Closed.Count())
	}
	if row.PresumedOpen && row.Presumed.Max() > row.PresumedFrom {
		t.Fatalf("presumed %v and again from %d on", row.Presumed, row.PresumedFrom)
	}
	for _, r := range row.Presumed.Ranges() {
		if len(row.Closed.Within(r.From, r.To)) > 0 {
			t.Fatalf("I3: %v is presumed and closed", r)
		}
	}
}

func drawRange(t *rapid.T) (from, to uint64) {
	from = rapid.Uint64Range(0, modelSeqs).Draw(t, "from")
	return from, from + rapid.Uint64Range(0, 12).Draw(t, "count")
}

func drawClaim(t *rapid.T) cursor.Claim {
	var c cursor.Claim
	c.Next = rapid.Uint64Range(0, modelSeqs).Draw(t, "next")
	for range rapid.IntRange(0, 3).Draw(t, "held ranges") {
		from, to := drawRange(t)
		c.Held.Add(from, min(to, c.Next))
	}
	c.State = wire.EpochState(rapid.IntRange(0, 2).Draw(t, "state"))
	return c
}

// op is one random change, to be made to any number of cursors.
type op struct {
	from, to uint64
	fate     cursor.Fate // 0 = not a close
	claim    *cursor.Claim
	mayEnd   bool
}

func drawOp(t *rapid.T) op {
	switch rapid.IntRange(0, 5).Draw(t, "what") {
	case 0, 1, 2:
		from, to := drawRange(t)
		return op{from: from, to: to, fate: cursor.Fate(rapid.IntRange(1, 3).Draw(t, "fate"))}
	case 3:
		return op{from: rapid.Uint64Range(0, modelSeqs).Draw(t, "final")}
	}
	claim := drawClaim(t)
	return op{claim: &claim, mayEnd: rapid.Bool().Draw(t, "may end")}
}

func (o op) onCursor(c *cursor.Cursor, by table.Origin) {
	switch {
	case o.claim != nil:
		c.Hear(*o.claim, o.mayEnd, by)
	case o.fate != 0:
		c.Close(o.from, o.to, o.fate, by)
	default:
		c.End(o.from, by)
	}
}

func (o op) onModel(m *model) {
	switch {
	case o.claim != nil:
		m.hear(*o.claim, o.mayEnd)
	case o.fate != 0:
		m.close(o.from, o.to, o.fate)
	default:
		m.end(o.from)
	}
}

func TestCursorAgreesWithAMapOfSeqs(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c, m := cursor.New(table.Key{Device: device, Epoch: 1}), newModel()
		for i := range rapid.IntRange(1, 30).Draw(t, "steps") {
			o, by := drawOp(t), table.Origin{Offset: uint64(i)}
			o.onModel(m)
			o.onCursor(c, by)
			m.agree(t, &c.Row)
			o.onCursor(c, by) // everything may come twice
			m.agree(t, &c.Row)
		}
	})
}

// lake is a table of cursors and of gap rows in memory.
type lake struct {
	rows map[table.Key]table.Cursor
	gaps []table.GapRow
}

func (l *lake) lookup(_ context.Context, device string, epoch record.Epoch) (table.Cursor, bool, error) {
	row, ok := l.rows[table.Key{Device: device, Epoch: epoch}]
	return row, ok, nil
}

func (l *lake) commit(d *cursor.Draft) {
	var c table.Commit
	d.Write(&c, 0)
	for _, row := range c.Cursors {
		l.rows[table.Key{Device: row.Device, Epoch: row.Epoch}] = row
	}
	for _, k := range c.Regap {
		l.gaps = slices.DeleteFunc(l.gaps, func(g table.GapRow) bool {
			return g.Presumed && g.Device == k.Device && g.Epoch == k.Epoch
		})
	}
	l.gaps = append(l.gaps, c.Gaps...)
}

func newLake() *lake { return &lake{rows: map[table.Key]table.Cursor{}} }

func TestGroupingChangesNoPresumedRow(t *testing.T) {
	k := table.Key{Device: device, Epoch: 1}
	rapid.Check(t, func(t *rapid.T) {
		one, many := newLake(), newLake()
		whole, parts := cursor.NewBook(one.lookup).Draft(), cursor.NewBook(many.lookup)
		for i := range rapid.IntRange(1, 20).Draw(t, "steps") {
			o, by := drawOp(t), table.Origin{Offset: uint64(i)}
			o.onCursor(take(t, whole, k), by)
			d := parts.Draft()
			o.onCursor(take(t, d, k), by)
			many.commit(d)
			d.Settle()
			if rapid.Bool().Draw(t, "restart") {
				parts = cursor.NewBook(many.lookup)
			}
		}
		one.commit(whole)
		if diff := cmp.Diff(one.gaps, many.gaps, cmpopts.SortSlices(byFrom), cmpopts.EquateEmpty()); diff != "" {
			t.Fatalf("gap rows of one group and of many (-one +many):\n%s", diff)
		}
	})
}

func take(t *rapid.T, d *cursor.Draft, k table.Key) *cursor.Cursor {
	c, err := d.Cursor(context.Background(), k)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func byFrom(a, b table.GapRow) bool { return a.From < b.From }
