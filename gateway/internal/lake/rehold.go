package lake

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/iceberg-go"
	icetable "github.com/apache/iceberg-go/table"

	"github.com/headwater-iot/headwater/gateway/internal/lake/rowfile"
	"github.com/headwater-iot/headwater/gateway/internal/table"
	"github.com/headwater-iot/headwater/shared/seqset"
)

// rehold fills the change of `quarantine`: all rows of the records of c.Rehold go, those of c.Quarantine come.
func (l *Lake) rehold(ctx context.Context, ch *change, c *table.Commit) error {
	rows := slices.Clone(c.Quarantine)
	if len(c.Rehold) > 0 {
		gone := make(map[table.Origin]bool)
		offsets := make(map[int64]bool)
		for _, o := range c.Rehold {
			gone[o], offsets[int64(o.Offset)] = true, true
		}
		kept, err := without(ctx, ch, atOffsets(offsets), rowfile.ReadQuarantine, func(r *table.QuarantineRow) bool { return gone[r.Origin] })
		if err != nil {
			return fmt.Errorf("take out decided rows: %w", err)
		}
		rows = append(rows, kept...)
	}
	var err error
	if len(rows) > 0 {
		ch.add, err = rowfile.WriteQuarantine(ctx, ch.table, rows)
	}
	return err
}

func atOffsets(offsets map[int64]bool) iceberg.BooleanExpression {
	return iceberg.IsIn(iceberg.Reference("offset"), slices.Sorted(maps.Keys(offsets))...)
}

// Held returns the quarantine rows, of any fate, of all log records that hold one of seqs.
func (l *Lake) Held(ctx context.Context, key table.Key, seqs *seqset.Set) ([]table.QuarantineRow, error) {
	if seqs.Empty() {
		return nil, nil
	}
	ofEpoch := iceberg.NewAnd(
		iceberg.EqualTo(iceberg.Reference("device"), key.Device),
		iceberg.EqualTo(iceberg.Reference("epoch"), key.Epoch.String()))
	records := make(map[table.Origin]bool)
	offsets := make(map[int64]bool)
	filter := iceberg.NewAnd(ofEpoch,
		iceberg.EqualTo(iceberg.Reference("fate"), table.FateHeld),
		iceberg.LessThan(iceberg.Reference("seq_from"), int64(seqs.Max())),
		iceberg.GreaterThan(iceberg.Reference("seq_to"), int64(seqs.Ranges()[0].From)))
	err := l.eachHeld(ctx, filter, func(r *table.QuarantineRow) {
		if len(seqs.Within(r.From, r.To)) > 0 {
			records[r.Origin], offsets[int64(r.Origin.Offset)] = true, true
		}
	})
	if err != nil || len(records) == 0 {
		return nil, err
	}
	var rows []table.QuarantineRow
	err = l.eachHeld(ctx, iceberg.NewAnd(ofEpoch, atOffsets(offsets)), func(r *table.QuarantineRow) {
		if records[r.Origin] {
			rows = append(rows, *r)
		}
	})
	return rows, err
}

// HeldOf returns the quarantine rows, of any fate, of one log record. The received time of its origin is not looked at.
func (l *Lake) HeldOf(ctx context.Context, by table.Origin) ([]table.QuarantineRow, error) {
	var rows []table.QuarantineRow
	filter := atOffsets(map[int64]bool{int64(by.Offset): true})
	err := l.eachHeld(ctx, filter, func(r *table.QuarantineRow) {
		if r.Origin.Log == by.Log && r.Origin.Partition == by.Partition && r.Origin.Offset == by.Offset {
			rows = append(rows, *r)
		}
	})
	return rows, err
}

func (l *Lake) eachHeld(ctx context.Context, filter iceberg.BooleanExpression, each func(*table.QuarantineRow)) error {
	t, err := l.load(ctx, table.Quarantine)
	if err != nil {
		return err
	}
	err = scanTable(ctx, t, filter, func(batch arrow.RecordBatch) error {
		rows, err := rowfile.ReadQuarantine(batch)
		for i := range rows {
			each(&rows[i])
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("read quarantine: %w", err)
	}
	return nil
}

// Present returns which of seqs stand in `readings`.
func (l *Lake) Present(ctx context.Context, key table.Key, seqs *seqset.Set) (seqset.Set, error) {
	var present seqset.Set
	if seqs.Empty() {
		return present, nil
	}
	t, err := l.load(ctx, table.Readings)
	if err != nil {
		return present, err
	}
	s := t.Scan(icetable.WithSelectedFields("seq"), icetable.WithMaxConcurrency(1), icetable.WithRowFilter(iceberg.NewAnd(
		iceberg.EqualTo(iceberg.Reference("device"), key.Device),
		iceberg.EqualTo(iceberg.Reference("epoch"), key.Epoch.String()),
		iceberg.GreaterThanEqual(iceberg.Reference("seq"), int64(seqs.Ranges()[0].From)),
		iceberg.LessThan(iceberg.Reference("seq"), int64(seqs.Max())))))
	tasks, err := s.PlanFiles(ctx)
	if err == nil {
		err = readTasks(ctx, s, tasks, func(batch arrow.RecordBatch) error {
			for _, v := range column(batch, "seq").(*array.Int64).Int64Values() {
				if seq := uint64(v); seqs.Has(seq) {
					present.Add(seq, seq+1)
				}
			}
			return nil
		})
	}
	if err != nil {
		return present, fmt.Errorf("look up readings: %w", err)
	}
	return present, nil
}
