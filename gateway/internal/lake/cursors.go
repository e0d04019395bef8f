package lake

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/iceberg-go"
	icecat "github.com/apache/iceberg-go/catalog"
	icetable "github.com/apache/iceberg-go/table"

	"github.com/headwater-iot/headwater/gateway/internal/lake/rowfile"
	"github.com/headwater-iot/headwater/gateway/internal/lake/schema"
	"github.com/headwater-iot/headwater/gateway/internal/table"
	"github.com/headwater-iot/headwater/shared/record"
)

// Pin names the state of the lake that cursors were loaded from.
type Pin struct {
	snapshots map[string]*int64 // by table; nil = none yet
	marks     string            // the property as it was; "" = none yet
}

// LoadCursors returns the latest cursor of every (device, epoch) that may still change by itself: open ones, and
// ended ones with holes or presumed seqs. Others are found by Cursor.
func (l *Lake) LoadCursors(ctx context.Context) ([]table.Cursor, Pin, error) {
	pin := Pin{snapshots: make(map[string]*int64)}
	tables, err := l.cat.LoadTables(ctx, table.Namespace)
	if err != nil {
		return nil, Pin{}, err
	}
	cursors := tables[table.Cursors]
	pin.marks = cursors.Properties()[schema.Marks]
	for _, name := range schema.Primary() {
		pin.snapshots[name] = nil
		if s := tables[name].CurrentSnapshot(); s != nil {
			pin.snapshots[name] = &s.SnapshotID
		}
	}
	latest, err := latestCursors(ctx, cursors, everything())
	if err != nil {
		return nil, Pin{}, err
	}
	var active []table.Cursor
	for _, c := range latest {
		if !settled(&c) {
			active = append(active, c)
		}
	}
	slices.SortFunc(active, byKey)
	return active, pin, nil
}

// settled reports whether everything of an epoch is closed: nothing changes it but a copy of what has landed.
func settled(c *table.Cursor) bool {
	return c.Ended && c.HasFinal && c.Presumed.Empty() && !c.PresumedOpen && c.Closed.Mark() >= c.FinalSeq
}

// Cursor returns the latest cursor of one (device, epoch).
func (l *Lake) Cursor(ctx context.Context, device string, epoch record.Epoch) (table.Cursor, bool, error) {
	cursors, err := l.load(ctx, table.Cursors)
	if err != nil {
		return table.Cursor{}, false, err
	}
	latest, err := latestCursors(ctx, cursors, iceberg.NewAnd(
		iceberg.EqualTo(iceberg.Reference("device"), device),
		iceberg.EqualTo(iceberg.Reference("epoch"), epoch.String())))
	c, ok := latest[table.Key{Device: device, Epoch: epoch}]
	return c, ok, err
}

// latestCursors returns the row of the highest version per key among those that pass filter.
func latestCursors(ctx context.Context, cursors *icetable.Table, filter iceberg.BooleanExpression) (map[table.Key]table.Cursor, error) {
	latest := make(map[table.Key]table.Cursor)
	err := scanTable(ctx, cursors, filter, func(batch arrow.RecordBatch) error {
		rows, err := rowfile.ReadCursors(batch)
		keepLatest(latest, rows)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read cursors: %w", err)
	}
	return latest, nil
}

// keepLatest puts rows into latest where they are of a higher version.
func keepLatest(latest map[table.Key]table.Cursor, rows []table.Cursor) {
	for _, c := range rows {
		k := table.Key{Device: c.Device, Epoch: c.Epoch}
		if have, ok := latest[k]; !ok || c.Version > have.Version {
			latest[k] = c
		}
	}
}

// byKey orders cursors by device and epoch.
func byKey(a, b table.Cursor) int {
	return cmp.Or(cmp.Compare(a.Device, b.Device), cmp.Compare(a.Epoch, b.Epoch))
}

// scanTable calls each for every batch of rows that pass filter.
func scanTable(ctx context.Context, t *icetable.Table, filter iceberg.BooleanExpression, each func(arrow.RecordBatch) error) error {
	scan := t.Scan(icetable.WithRowFilter(filter), icetable.WithMaxConcurrency(1))
	tasks, err := scan.PlanFiles(ctx)
	if err != nil {
		return err
	}
	return readTasks(ctx, scan, tasks, each)
}

// LoadDevices returns the devices table.
func (l *Lake) LoadDevices(ctx context.Context) ([]table.Device, error) {
	t, err := l.load(ctx, table.Devices)
	if err != nil {
		return nil, err
	}
	var devices []table.Device
	err = scanTable(ctx, t, everything(), func(batch arrow.RecordBatch) error {
		rows, err := rowfile.ReadDevices(batch)
		devices = append(devices, rows...)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read devices: %w", err)
	}
	return devices, nil
}

// Contracts returns the changes of contracts, in the order of partition and revision; none of a lake that an earlier version
// made and no later one has opened.
func (r *Reader) Contracts(ctx context.Context) ([]table.ContractRow, error) {
	t, err := r.cat.LoadTable(ctx, schema.Identifier(table.Contracts))
	if errors.Is(err, icecat.ErrNoSuchTable) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return contractRows(ctx, t)
}

// Devices returns all devices that the gateway has heard of, by name.
func (r *Reader) Devices(ctx context.Context) ([]table.Device, error) {
	t, err := r.cat.LoadTable(ctx, schema.Identifier(table.Devices))
	if err != nil {
		return nil, err
	}
	var devices []table.Device
	err = scanTable(ctx, t, everything(), func(batch arrow.RecordBatch) error {
		rows, err := rowfile.ReadDevices(batch)
		devices = append(devices, rows...)
		return err
	})
	slices.SortFunc(devices, func(a, b table.Device) int { return cmp.Compare(a.Device, b.Device) })
	return devices, err
}

// LoadContracts returns the changes of contracts, in the order of partition and revision.
func (l *Lake) LoadContracts(ctx context.Context) ([]table.ContractRow, error) {
	t, err := l.load(ctx, table.Contracts)
	if err != nil {
		return nil, err
	}
	return contractRows(ctx, t)
}

func contractRows(ctx context.Context, t *icetable.Table) ([]table.ContractRow, error) {
	var all []table.ContractRow
	err := scanTable(ctx, t, everything(), func(batch arrow.RecordBatch) error {
		rows, err := rowfile.ReadContracts(batch)
		all = append(all, rows...)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read contracts: %w", err)
	}
	slices.SortFunc(all, func(a, b table.ContractRow) int {
		return cmp.Or(cmp.Compare(a.Origin.Partition, b.Origin.Partition), cmp.Compare(a.Revision, b.Revision))
	})
	return all, nil
}

// ReplaceDevices makes devices the content of the devices table.
func (l *Lake) ReplaceDevices(ctx context.Context, devices []table.Device) error {
	l.writing.Lock()
	defer l.writing.Unlock()
	if err := l.room(); err != nil {
		return err
	}
	t, err := l.load(ctx, table.Devices)
	if err != nil {
		return err
	}
	ch := change{table: t}
	tasks, err := t.Scan().PlanFiles(ctx)
	if err != nil {
		return fmt.Errorf("find files of devices: %w", err)
	}
	for _, task := range tasks {
		ch.remove = append(ch.remove, task.File)
	}
	if ch.add, err = rowfile.WriteDevices(ctx, t, devices); err != nil {
		return fmt.Errorf("table %s: %w", table.Devices, err)
	}
	if len(ch.add)+len(ch.remove) == 0 {
		return nil
	}
	return l.apply(ctx, []change{ch}, nil)
}

// TakeOver makes marks.Log the owner, provided that no table moved since pin. It returns ErrConflict when one did.
//
// A live gateway of the former owner is fenced by it: every commit requires the marks it expects.
func (l *Lake) TakeOver(ctx context.Context, pin Pin, marks table.Marks) error {
	l.writing.Lock()
	defer l.writing.Unlock()
	var commits []icetable.TableCommit
	for _, name := range slices.Sorted(maps.Keys(pin.snapshots)) {
		commit := icetable.TableCommit{
			Identifier:   schema.Identifier(name),
			Requirements: []icetable.Requirement{icetable.AssertRefSnapshotID(icetable.MainBranch, pin.snapshots[name])},
		}
		if name == table.Cursors {
			commit.Requirements = append(commit.Requirements, marksAre{pin.marks})
			commit.Updates = []icetable.Update{icetable.NewSetPropertiesUpdate(iceberg.Properties{
				schema.LogID: marks.Log.String(),
				schema.Marks: formatMarks(marks),
			})}
		}
		commits = append(commits, commit)
	}
	if err := l.transact(ctx, commits, nil); err != nil {
		return err
	}
	l.cfg.Logger.Info("lake taken over", "log_id", marks.Log.String(), "marks", formatMarks(marks), "marks_before", pin.marks)
	return nil
}
