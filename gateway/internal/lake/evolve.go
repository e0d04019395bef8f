package lake

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/apache/iceberg-go"
	icecat "github.com/apache/iceberg-go/catalog"
	icetable "github.com/apache/iceberg-go/table"

	"github.com/headwater-iot/headwater/gateway/internal/lake/catalog"
	"github.com/headwater-iot/headwater/gateway/internal/lake/schema"
)

// evolve gives a lake of an earlier version what it lacks: tables that came later, and columns, which are null in the
// files that stand there. No data is rewritten, and engines read old and new files as one table. A crash in between
// leaves the rest to the next start.
func (l *Lake) evolve(ctx context.Context) error {
	var born []catalog.NewTable
	var wider []icetable.TableCommit
	for _, want := range schema.All() {
		t, err := l.load(ctx, want.Name)
		switch {
		case errors.Is(err, icecat.ErrNoSuchTable):
			made, err := l.newTable(want, nil)
			if err != nil {
				return err
			}
			born = append(born, made)
		case err != nil:
			return err
		case !sameColumns(t.Schema(), want.Schema):
			if err := covers(t.Schema(), want.Schema); err != nil {
				return fmt.Errorf("table %s is of another version: %w", want.Name, err)
			}
			wider = append(wider, widening(t, want.Schema))
		}
	}
	if len(born) > 0 {
		if err := l.cat.Create(ctx, born...); err != nil {
			return fmt.Errorf("make tables that an earlier version did not have: %w", err)
		}
	}
	if len(wider) > 0 {
		if err := l.transact(ctx, wider, nil); err != nil {
			return fmt.Errorf("add columns that an earlier version did not have: %w", err)
		}
	}
	for _, made := range born {
		l.cfg.Logger.Info("the lake has a new table", "table", made.Identifier[1])
	}
	for _, c := range wider {
		l.cfg.Logger.Info("the columns of a table are those of this version now", "table", c.Identifier[1])
	}
	return nil
}

// sameColumns reports whether two schemas differ in nothing but what is said of the columns (Describe).
func sameColumns(a, b *iceberg.Schema) bool {
	return slices.EqualFunc(a.Fields(), b.Fields(), func(a, b iceberg.NestedField) bool {
		a.Doc = b.Doc
		return a.Equals(b)
	})
}

// covers says why a table cannot become what this binary wants: every column of it has to be there, and what is new
// must be allowed to be null in the files of old.
func covers(have, want *iceberg.Schema) error {
	for _, f := range have.Fields() {
		w, ok := want.FindFieldByID(f.ID)
		if !ok || w.Name != f.Name || w.Required != f.Required || !w.Type.Equals(f.Type) {
			return fmt.Errorf("this binary does not know its column %s (%d, %s)", f.Name, f.ID, f.Type)
		}
	}
	for _, w := range want.Fields() {
		if _, ok := have.FindFieldByID(w.ID); !ok && w.Required {
			return fmt.Errorf("it lacks the column %s, which is never null", w.Name)
		}
	}
	return nil
}

// widening is the change of a table to a schema that covers its own.
func widening(t *icetable.Table, to *iceberg.Schema) icetable.TableCommit {
	const added = -1 // the schema of the update before
	return icetable.TableCommit{
		Identifier:   t.Identifier(),
		Requirements: []icetable.Requirement{icetable.AssertCurrentSchemaID(t.Schema().ID)},
		Updates:      []icetable.Update{icetable.NewAddSchemaUpdate(to), icetable.NewSetCurrentSchemaUpdate(added)},
	}
}
