package lake

import (
	"context"
	"fmt"

	"github.com/apache/iceberg-go"
	icetable "github.com/apache/iceberg-go/table"

	"github.com/headwater-iot/headwater/gateway/internal/lake/schema"
	"github.com/headwater-iot/headwater/gateway/internal/table"
)

// Describe writes what contracts say of the tables into their properties and the docs of their columns: all tables at
// once, and only where it is said otherwise now. No file of data is touched, and no snapshot is made.
func (l *Lake) Describe(ctx context.Context, about func(name string) table.About) error {
	l.writing.Lock()
	defer l.writing.Unlock()
	if err := l.room(); err != nil {
		return err
	}
	var commits []icetable.TableCommit
	for _, want := range schema.All() {
		t, err := l.load(ctx, want.Name)
		if err != nil {
			return err
		}
		if c := telling(t, want, about(want.Name)); len(c.Updates) > 0 {
			commits = append(commits, c)
		}
	}
	if len(commits) == 0 {
		return nil
	}
	if err := l.transact(ctx, commits, nil); err != nil {
		return fmt.Errorf("describe the tables: %w", err)
	}
	return nil
}

// telling is the change that makes a table say what contracts do.
func telling(t *icetable.Table, want schema.Table, about table.About) icetable.TableCommit {
	commit := icetable.TableCommit{
		Identifier:   t.Identifier(),
		Requirements: []icetable.Requirement{icetable.AssertCurrentSchemaID(t.Schema().ID)},
	}
	columns, props := want.Told(about)
	if !columns.Equals(t.Schema()) {
		commit.Updates = widening(t, columns).Updates
	}
	set, has := iceberg.Properties{}, t.Properties()
	var gone []string
	for key, text := range props {
		switch _, there := has[key]; {
		case text == "" && there:
			gone = append(gone, key)
		case text != has[key]:
			set[key] = text
		}
	}
	if len(set) > 0 {
		commit.Updates = append(commit.Updates, icetable.NewSetPropertiesUpdate(set))
	}
	if len(gone) > 0 {
		commit.Updates = append(commit.Updates, icetable.NewRemovePropertiesUpdate(gone))
	}
	return commit
}
