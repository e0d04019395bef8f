package commit_test

import (
	"cmp"
	"context"
	"log/slog"
	"slices"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/headwater-iot/headwater/gateway/internal/land"
	"github.com/headwater-iot/headwater/gateway/internal/land/landtest"
	"github.com/headwater-iot/headwater/gateway/internal/table"
	"github.com/headwater-iot/headwater/shared/seqset"
)

// landed lands a log in groups of the given sizes, the last one repeated, with a new lander before each group if
// restarts is set.
func landed(t landtest.TB, log *landtest.Log, sizes []int, restarts bool) landtest.Tables {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	lake := landtest.NewLake()
	fresh := func() *land.Lander {
		l := land.New(land.Config{Log: log.ID, Lookup: lake.Cursor, Kept: lake, Logger: slog.New(slog.DiscardHandler)})
		cursors, _, _ := lake.Load(ctx)
		l.Load(cursors)
		contracts, _ := lake.Contracts(ctx)
		if err := l.LoadContracts(contracts); err != nil {
			t.Fatal(err)
		}
		return l
	}
	_, own, _ := lake.Load(ctx)
	marks := table.Marks{Log: log.ID, Next: make([]uint64, log.Partitions)}
	if err := own(ctx, marks); err != nil {
		t.Fatal(err)
	}
	opened := make(chan *land.Opened)
	records, _ := log.ReadFrom(marks)
	done := make(chan error, 1) // one result
	go func() { done <- land.New(land.Config{Lookup: lake.Cursor}).Open(ctx, records, opened) }()
	lander, left := fresh(), len(log.Entries())
	for i := 0; left > 0; i++ {
		if restarts {
			lander = fresh()
		}
		g := lander.Begin(marks)
		next := func() {
			if err := lake.Commit(ctx, g.Commit(0)); err != nil {
				t.Fatal(err)
			}
			g.Settle()
			marks = g.Marks()
			g = lander.Begin(marks)
		}
		for range min(left, sizes[min(i, len(sizes)-1)]) {
			o := <-opened
			took, err := g.Add(ctx, o)
			if err == nil && !took { // a decision on what this group holds
				next()
				took, err = g.Add(ctx, o)
			}
			if err != nil || !took {
				t.Fatal("add: ", took, err)
			}
			left--
		}
		next()
	}
	stop()
	<-done
	return lake.Tables()
}

// normal sorts what has no order, and leaves out what counts commits.
func normal(t landtest.Tables) landtest.Tables {
	slices.SortFunc(t.Readings, func(a, b table.Run) int {
		return cmp.Or(cmp.Compare(a.Device, b.Device), cmp.Compare(a.Epoch, b.Epoch), cmp.Compare(a.Seq[0], b.Seq[0]))
	})
	slices.SortFunc(t.Gaps, func(a, b table.GapRow) int {
		return cmp.Or(cmp.Compare(a.Device, b.Device), cmp.Compare(a.Epoch, b.Epoch), cmp.Compare(a.From, b.From), cmp.Compare(a.To, b.To))
	})
	slices.SortFunc(t.Quarantine, func(a, b table.QuarantineRow) int {
		return cmp.Or(cmp.Compare(a.Device, b.Device), cmp.Compare(a.Epoch, b.Epoch), cmp.Compare(a.From, b.From), cmp.Compare(a.Origin.Offset, b.Origin.Offset))
	})
	for k, row := range t.Cursors {
		row.Version = 0
		t.Cursors[k] = row
	}
	t.Commits = 0
	return t
}

func TestGroupingChangesNoRow(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := drawPlan(t)
		log := landtest.NewLog(1, 2)
		received := int64(wall0 + 1_000_000_000)
		for i := range p.messages {
			received += rapid.Int64Range(0, 1000).Draw(t, "pause")
			p.messages[i].send(log, received)
		}
		one := normal(landed(t, log, []int{len(log.Entries())}, false))
		sizes := rapid.SliceOfN(rapid.IntRange(1, 5), 1, 10).Draw(t, "groups")
		many := normal(landed(t, log, sizes, rapid.Bool().Draw(t, "restarts")))
		sets := gocmp.Comparer(func(a, b seqset.Set) bool { return a.Equal(&b) })
		if diff := gocmp.Diff(one, many, sets, cmpopts.EquateEmpty()); diff != "" {
			t.Fatal("one group and many, -one +many:\n", diff)
		}
	})
}
