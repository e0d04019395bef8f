package land

import (
	"context"
	"fmt"
	"maps"

	"github.com/headwater-iot/headwater/gateway/internal/cursor"
	"github.com/headwater-iot/headwater/gateway/internal/decision"
	"github.com/headwater-iot/headwater/gateway/internal/table"
)

// Group is the records of one commit, as rows. It is used by one goroutine, once.
type Group struct {
	l      *Lander
	draft  *cursor.Draft
	commit table.Commit
	days   map[int64]struct{} // day partitions of readings so far
	wide   map[int64]struct{} // of scattered batches: they have room of their own
	spread int                // scattered batches so far
	parts  int                // batches of which it has some days, and not all
	bytes  int64
	tally  tally
	dirty  bool
	rules  map[int]*rules // by partition, where a record of the group changed them

	answers []cursor.Update
	decided []decision.Outcome
}

// Add takes in one record. It returns false when the record, or the rest of it, has to be offered again to the next
// group: this one touches all the days it may. After an error the group is of no use and the record has not landed;
// ErrKind is for good, any other error comes from the lookup of a cursor or from a log with a hole.
func (g *Group) Add(ctx context.Context, o *Opened) (bool, error) {
	if o.Kind == KindStart {
		return true, nil // has no place in a partition
	}
	skip, err := g.place(o)
	if skip || err != nil {
		return skip, err
	}
	by := table.Origin{Log: g.l.cfg.Log, Partition: o.Partition, Offset: o.Offset, Received: o.Received}
	took := true
	switch o.Kind {
	case KindBatch:
		took, err = g.batch(ctx, o, by)
	case KindHello:
		err = g.hello(ctx, o, by)
	case KindContract:
		err = g.contract(o, by)
	case KindReplay:
		took, err = g.decide(ctx, o, by)
	default:
		g.l.alarms.raise(g.l.alarms.kind, o.String())
		err = ErrKind
	}
	if err != nil {
		return false, fmt.Errorf("land %s: %w", o, err)
	}
	if took {
		g.commit.Marks.Next[o.Partition] = o.Offset + 1
		g.tally.records++
	}
	return took, nil
}

// place checks where a record stands. One that landed before is skipped.
func (g *Group) place(o *Opened) (skip bool, err error) {
	marks := g.commit.Marks.Next
	if o.Partition < 0 || o.Partition >= len(marks) {
		return false, fmt.Errorf("land %s: the lake has %d partitions", o, len(marks))
	}
	next := marks[o.Partition]
	if o.Offset > next {
		return false, fmt.Errorf("land %s: the log has a hole, offset %d should come next", o, next)
	}
	return o.Offset < next, nil
}

// Empty reports whether there is nothing to commit but marks.
func (g *Group) Empty() bool { return !g.dirty }

// Records returns how many records the group took in.
func (g *Group) Records() uint64 { return g.tally.records }

// Bytes estimates the memory of the rows.
func (g *Group) Bytes() int64 { return g.bytes }

// Parts returns how many batches the group has some days of, and not all: they are offered again to the next.
func (g *Group) Parts() int { return g.parts }

// Scattered returns how many batches the group has of imports whose rows are in no order of days: each of them touches
// so many that gathering more of them saves many files.
func (g *Group) Scattered() int { return g.spread }

// Answers returns what hellos asked since the last call that needs no commit: epochs that are complete, and so not
// in anybody's memory.
func (g *Group) Answers() []cursor.Update {
	a := g.answers
	g.answers = nil
	return a
}

// Marks returns how far the log has landed once the group is committed.
func (g *Group) Marks() table.Marks { return cloneMarks(g.commit.Marks) }

// Commit returns the transaction of the group; committed is what the cursors note as its time, us wall. The group
// takes no more records.
func (g *Group) Commit(committed int64) *table.Commit {
	c := g.commit
	g.draft.Write(&c, committed)
	return &c
}

// Settle makes the group the state of the lander, after its commit has succeeded, and returns what the devices may
// be told. A group that is not settled leaves no trace. The runs of its commit are no longer the caller's: their memory
// becomes that of the next group.
func (g *Group) Settle() []cursor.Update {
	updates := g.draft.Settle()
	maps.Copy(g.l.rules, g.rules)
	g.l.count.rows(&g.tally)
	g.l.lacking()
	if g.l.cfg.Decided != nil {
		for i := range g.decided {
			g.l.cfg.Decided(g.decided[i])
		}
	}
	g.l.count.cursors.Set(float64(g.l.book.Live()))
	if g.l.cfg.Attempts != nil {
		g.l.cfg.Attempts.Calm()
	}
	if runs := g.commit.Readings; len(runs) >= cap(runs)/4 { // what a burst took is given back when it is over
		clear(runs)
		g.l.spare = runs[:0]
	}
	return updates
}
