package cursor_test

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/headwater-iot/headwater/gateway/internal/cursor"
	"github.com/headwater-iot/headwater/gateway/internal/table"
	"github.com/headwater-iot/headwater/shared/record"
	"github.com/headwater-iot/headwater/shared/seqset"
	"github.com/headwater-iot/headwater/shared/wire"
)

func TestDroppedDraftLeavesNoTrace(t *testing.T) {
	lake := newLake()
	book := cursor.NewBook(lake.lookup)
	k := table.Key{Device: device, Epoch: 1}
	open := func() []seqset.Range {
		c, err := book.Draft().Cursor(t.Context(), k)
		if err != nil {
			t.Fatal(err)
		}
		return c.Open(0, 20)
	}
	settled := book.Draft()
	c, _ := settled.Cursor(t.Context(), k)
	c.Close(5, 10, cursor.Landed, table.Origin{})
	lake.commit(settled)
	settled.Settle()
	want := open()

	dropped := book.Draft()
	c, _ = dropped.Cursor(t.Context(), k)
	c.Close(0, 15, cursor.Landed, table.Origin{})
	c.Hear(cursor.Claim{Next: 18}, false, table.Origin{})
	c.Remember(table.BatchMark{First: 1}, table.Origin{})
	if got := open(); !slices.Equal(got, want) {
		t.Errorf("open after a dropped draft: %v, want %v", got, want)
	}
}

func TestCompleteEpochIsLookedUpInTheTable(t *testing.T) {
	lake, asked := newLake(), 0
	book := cursor.NewBook(func(ctx context.Context, d string, e record.Epoch) (table.Cursor, bool, error) {
		asked++
		return lake.lookup(ctx, d, e)
	})
	k := table.Key{Device: device, Epoch: 1}
	d := book.Draft()
	c, _ := d.Cursor(t.Context(), k)
	c.Close(0, 5, cursor.Landed, table.Origin{})
	c.End(5, table.Origin{})
	lake.commit(d)
	d.Settle()
	if book.Live() != 0 {
		t.Errorf("%d cursors in memory", book.Live())
	}
	book.Load(nil) // a restart: complete cursors are not loaded
	for range 3 {
		c, err := book.Draft().Cursor(t.Context(), k)
		if err != nil || len(c.Open(0, 5)) != 0 {
			t.Errorf("open %v, %v", c.Open(0, 5), err)
		}
	}
	if asked != 2 {
		t.Errorf("looked up %d times, want once before and once after the restart", asked)
	}
}

func TestLookupErrorEndsTheGroup(t *testing.T) {
	cause := errors.New("the lake is away")
	book := cursor.NewBook(func(context.Context, string, record.Epoch) (table.Cursor, bool, error) {
		return table.Cursor{}, false, cause
	})
	if _, err := book.Draft().Cursor(t.Context(), table.Key{Device: device, Epoch: 1}); !errors.Is(err, cause) {
		t.Errorf("got %v", err)
	}
}

func TestBatchThatOpensARangeTooManyHasToWait(t *testing.T) {
	var filled seqset.Set
	for i := range uint64(cursor.MaxRanges) {
		filled.Add(10+i*10, 15+i*10)
	}
	if missing, ok := cursor.Fits(&filled, 5000, 5001); ok || missing != (seqset.Range{From: 0, To: 10}) {
		t.Errorf("a 65th range: %v %t", missing, ok)
	}
	for _, r := range []seqset.Range{{From: 15, To: 20}, {From: 15, To: 17}, {From: 0, To: 9000}, {From: 11, To: 12}} {
		if _, ok := cursor.Fits(&filled, r.From, r.To); !ok {
			t.Errorf("%v opens no range", r)
		}
	}
}

func TestRecentBatchesAreSixteen(t *testing.T) {
	c := cursor.New(table.Key{Device: device, Epoch: 1})
	mark := func(i, crc int) table.BatchMark {
		return table.BatchMark{First: uint64(i) * 10, Count: 10, CRC: uint32(crc)}
	}
	for i := range 20 {
		if !c.Remember(mark(i, i), table.Origin{}) {
			t.Errorf("batch %d contradicts nothing", i)
		}
	}
	if len(c.Row.Recent) != 16 || c.Row.Recent[0] != mark(4, 4) {
		t.Errorf("remembered %v", c.Row.Recent)
	}
	if c.Remember(mark(10, 99), table.Origin{}) || !c.Remember(mark(10, 99), table.Origin{}) {
		t.Error("other bytes are reported once")
	}
}

func TestBoundThatIsUsedUpLeavesNothingOpen(t *testing.T) {
	c := cursor.New(table.Key{Device: device, Epoch: 1})
	lost := cursor.Claim{Next: 4, State: wire.EpochLost, CountMax: 6}
	c.Hear(lost, true, table.Origin{})
	if !c.Row.PresumedOpen || c.Row.PresumedFrom != 4 || c.Row.PresumedMax != 6 || c.Reason() != cursor.PowerCut {
		t.Errorf("after the power cut %+v", c.Row)
	}
	c.Close(0, 10, cursor.Landed, table.Origin{})
	c.Hear(lost, true, table.Origin{})
	if c.Row.PresumedOpen || !c.Complete() {
		t.Errorf("all ten readings are there: %+v", c.Row)
	}
}

func TestLedgerBalances(t *testing.T) {
	c := cursor.New(table.Key{Device: device, Epoch: 1})
	c.Close(0, 10, cursor.Landed, table.Origin{})
	c.Close(10, 12, cursor.Quarantined, table.Origin{})
	c.Close(12, 15, cursor.GivenUp, table.Origin{})
	c.Hear(cursor.Claim{Next: 25, Held: seqset.Of(seqset.Range{From: 20, To: 25})}, false, table.Origin{})
	have := cursor.Counts{Readings: 9, Removed: 1, Quarantined: 2, Gaps: 3, Presumed: 5}
	l := cursor.Balance([]table.Cursor{c.Row}, have)
	if !l.Balanced() || l.Accepted != 25 || l.Landed != 10 || l.Presumed != 5 || l.Pending != 5 || l.Held != 5 {
		t.Errorf("ledger %+v", l)
	}
	have.Readings++ // negative control: a doubled row
	if l := cursor.Balance([]table.Cursor{c.Row}, have); l.Balanced() {
		t.Errorf("a doubled row is not seen: %+v", l)
	}
}

func TestBetterAnchor(t *testing.T) {
	a := func(state wire.AnchorState, generation uint64) wire.Anchor {
		return wire.Anchor{State: state, Generation: generation}
	}
	for _, c := range []struct {
		a, old wire.Anchor
		want   bool
	}{
		{a(wire.Unsynced, 1), wire.Anchor{}, true},
		{a(wire.Gateway, 1), a(wire.Unsynced, 5), true}, // an unset clock has generations of its own
		{a(wire.Unsynced, 9), a(wire.Gateway, 1), false},
		{a(wire.Synced, 1), a(wire.Gateway, 1), true},
		{a(wire.Gateway, 1), a(wire.Synced, 1), false},
		{a(wire.Gateway, 2), a(wire.Synced, 1), true}, // it contradicts, and came later
		{a(wire.Synced, 1), a(wire.Gateway, 2), false},
		{a(wire.Gateway, 2), a(wire.Gateway, 2), false},
	} {
		if got := cursor.Better(c.a, c.old); got != c.want {
			t.Errorf("%+v for %+v: %v", c.a, c.old, got)
		}
	}
}
