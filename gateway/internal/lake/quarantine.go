package lake

import (
	"context"
	"fmt"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/iceberg-go"
	icetable "github.com/apache/iceberg-go/table"

	"github.com/headwater-iot/headwater/gateway/internal/lake/rowfile"
	"github.com/headwater-iot/headwater/gateway/internal/lake/schema"
	"github.com/headwater-iot/headwater/gateway/internal/table"
	"github.com/headwater-iot/headwater/shared/record"
)

// QuarantineRequest says which rows of quarantine to read. What is zero does not restrict them.
type QuarantineRequest struct {
	Device, Reason, Rule, Contract, Fate string
	Epoch                                record.Epoch
	Since                                int64         // received at or after, us wall
	Record                               *table.Origin // its received time is not looked at
	Bytes                                bool          // read the bytes too
}

func (q *QuarantineRequest) filter() iceberg.BooleanExpression {
	filter := everything()
	for name, value := range map[string]string{
		"device": q.Device, "reason": q.Reason, "rule": q.Rule, "contract": q.Contract, "fate": q.Fate,
	} {
		if value != "" {
			filter = iceberg.NewAnd(filter, iceberg.EqualTo(iceberg.Reference(name), value))
		}
	}
	if q.Epoch != 0 {
		filter = iceberg.NewAnd(filter, iceberg.EqualTo(iceberg.Reference("epoch"), q.Epoch.String()))
	}
	if q.Since != 0 {
		filter = iceberg.NewAnd(filter, iceberg.GreaterThanEqual(iceberg.Reference("received_time"), iceberg.Timestamp(q.Since)))
	}
	if q.Record != nil {
		filter = iceberg.NewAnd(filter,
			iceberg.EqualTo(iceberg.Reference("log_id"), q.Record.Log.String()),
			iceberg.EqualTo(iceberg.Reference("partition"), int32(q.Record.Partition)),
			iceberg.EqualTo(iceberg.Reference("offset"), int64(q.Record.Offset)))
	}
	return filter
}

// Quarantine calls each with every row that is asked for, in no order. An error of each ends it.
func (r *Reader) Quarantine(ctx context.Context, req QuarantineRequest, each func(*table.QuarantineRow) error) error {
	t, err := r.cat.LoadTable(ctx, schema.Identifier(table.Quarantine))
	if err != nil {
		return err
	}
	var columns []string
	for _, f := range t.Schema().Fields() {
		if f.Name != "bytes" || req.Bytes {
			columns = append(columns, f.Name)
		}
	}
	s := t.Scan(icetable.WithRowFilter(req.filter()), icetable.WithSelectedFields(columns...), icetable.WithMaxConcurrency(1))
	tasks, err := s.PlanFiles(ctx)
	if err == nil {
		err = readTasks(ctx, s, tasks, func(batch arrow.RecordBatch) error {
			rows, err := rowfile.ReadQuarantine(batch)
			for i := range rows {
				if err := each(&rows[i]); err != nil {
					return err
				}
			}
			return err
		})
	}
	if err != nil {
		return fmt.Errorf("read quarantine: %w", err)
	}
	return nil
}
