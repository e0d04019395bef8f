package lake

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/iceberg-go"
	icetable "github.com/apache/iceberg-go/table"

	"github.com/headwater-iot/headwater/gateway/internal/lake/rowfile"
	"github.com/headwater-iot/headwater/gateway/internal/table"
)

// regap fills the change of `gaps`: the presumed rows of c.Regap go, those of c.Gaps come. A file that holds a row
// which has to go is written again without it.
func (l *Lake) regap(ctx context.Context, ch *change, c *table.Commit) error {
	rows := slices.Clone(c.Gaps)
	if len(c.Regap) > 0 {
		kept, err := l.takeOut(ctx, ch, c.Regap)
		if err != nil {
			return err
		}
		rows = append(rows, kept...)
	}
	var err error
	if len(rows) > 0 {
		ch.add, err = rowfile.WriteGaps(ctx, ch.table, rows)
	}
	return err
}

// takeOut names in ch.remove the files that hold presumed rows of keys, and returns their other rows.
func (l *Lake) takeOut(ctx context.Context, ch *change, keys []table.Key) ([]table.GapRow, error) {
	gone := make(map[table.Key]bool)
	devices := make(map[string]bool)
	for _, k := range keys {
		gone[k], devices[k.Device] = true, true
	}
	filter := iceberg.NewAnd(
		iceberg.EqualTo(iceberg.Reference("presumed"), true),
		iceberg.IsIn(iceberg.Reference("device"), slices.Collect(maps.Keys(devices))...))
	kept, err := without(ctx, ch, filter, rowfile.ReadGaps, func(r *table.GapRow) bool {
		return r.Presumed && gone[table.Key{Device: r.Device, Epoch: r.Epoch}]
	})
	if err != nil {
		return nil, fmt.Errorf("take out presumed gaps: %w", err)
	}
	return kept, nil
}

// without names in ch.remove the files that hold a row which has to go, and returns their other rows. filter passes at
// least all rows that go.
func without[R any](ctx context.Context, ch *change, filter iceberg.BooleanExpression, read func(arrow.RecordBatch) ([]R, error), goes func(*R) bool) ([]R, error) {
	tasks, err := ch.table.Scan(icetable.WithRowFilter(filter)).PlanFiles(ctx)
	if err != nil {
		return nil, err
	}
	var kept []R
	for _, task := range tasks {
		rows, err := readFile(ctx, ch.table, task.File, read)
		if err != nil {
			return nil, err
		}
		stay := slices.DeleteFunc(slices.Clone(rows), func(r R) bool { return goes(&r) })
		if len(stay) < len(rows) {
			ch.remove = append(ch.remove, task.File)
			kept = append(kept, stay...)
		}
	}
	return kept, nil
}

// readFile reads all rows of one data file.
func readFile[R any](ctx context.Context, t *icetable.Table, f iceberg.DataFile, read func(arrow.RecordBatch) ([]R, error)) ([]R, error) {
	tasks := []icetable.FileScanTask{{File: f, Length: f.FileSizeBytes()}}
	scan := t.Scan(icetable.WithMaxConcurrency(1))
	var rows []R
	err := readTasks(ctx, scan, tasks, func(batch arrow.RecordBatch) error {
		more, err := read(batch)
		rows = append(rows, more...)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read data file %s: %w", f.FilePath(), err)
	}
	return rows, nil
}

// readTasks calls each for every batch of tasks.
func readTasks(ctx context.Context, scan *icetable.Scan, tasks []icetable.FileScanTask, each func(arrow.RecordBatch) error) error {
	_, batches, err := scan.ReadTasks(ctx, tasks)
	if err != nil {
		return err
	}
	for batch, err := range batches {
		if err != nil {
			return err
		}
		err = each(batch)
		batch.Release()
		if err != nil {
			return err
		}
	}
	return nil
}
