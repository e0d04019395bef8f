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

	"github.com/headwater-iot/headwater/gateway/internal/cursor"
	"github.com/headwater-iot/headwater/gateway/internal/table"
	"github.com/headwater-iot/headwater/shared/seqset"
)

// DeviceLedger is what the tables say of one device: its cursors, and the rows they speak of, counted one by one.
type DeviceLedger struct {
	Device  string
	Cursors []table.Cursor
	Counts  cursor.Counts
}

// LedgerRequest says what to balance.
type LedgerRequest struct {
	Device string // "" = all
	Unique bool   // also count two rows of one reading
}

// ledger is a balance in the making.
type ledger struct {
	devices map[string]*DeviceLedger
	seen    map[[2]string]*seqset.Set // by device and epoch, with Unique; ranges, so dense seqs cost little
}

func (l *ledger) of(device string) *DeviceLedger {
	d, ok := l.devices[device]
	if !ok {
		d = &DeviceLedger{Device: device}
		l.devices[device] = d
	}
	return d
}

// Ledger returns what is there of every device, in the order of their names. All tables are read as of one moment: a commit that
// comes meanwhile is not in it.
func (r *Reader) Ledger(ctx context.Context, req LedgerRequest) ([]DeviceLedger, error) {
	tables, err := r.cat.LoadTables(ctx, table.Namespace)
	if err != nil {
		return nil, err
	}
	l := &ledger{devices: make(map[string]*DeviceLedger), seen: make(map[[2]string]*seqset.Set)}
	filter := everything()
	if req.Device != "" {
		filter = iceberg.EqualTo(iceberg.Reference("device"), req.Device)
	}
	if err := l.cursors(ctx, tables[table.Cursors], filter); err != nil {
		return nil, err
	}
	columns := []string{"device"}
	if req.Unique {
		columns = append(columns, "epoch", "seq")
	}
	for _, part := range []struct {
		table   string
		columns []string
		add     func(arrow.RecordBatch) error
	}{
		{table.Readings, columns, l.readings},
		{table.Quarantine, []string{"device", "count", "fate"}, l.quarantine},
		{table.Gaps, []string{"device", "count", "presumed"}, l.gaps},
	} {
		s := tables[part.table].Scan(icetable.WithRowFilter(filter), icetable.WithSelectedFields(part.columns...), icetable.WithMaxConcurrency(1))
		tasks, err := s.PlanFiles(ctx)
		if err == nil {
			err = readTasks(ctx, s, tasks, part.add)
		}
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", part.table, err)
		}
	}
	return l.sorted(), nil
}

func (l *ledger) cursors(ctx context.Context, t *icetable.Table, filter iceberg.BooleanExpression) error {
	latest, err := latestCursors(ctx, t, filter)
	for _, c := range latest {
		d := l.of(c.Device)
		d.Cursors = append(d.Cursors, c)
	}
	return err
}

// readings counts rows; equal devices stand together, so few are looked up.
func (l *ledger) readings(batch arrow.RecordBatch) error {
	devices := column(batch, "device").(array.StringLike)
	for from := 0; from < devices.Len(); {
		name, to := devices.Value(from), from+1
		for to < devices.Len() && devices.Value(to) == name {
			to++
		}
		d := l.of(string([]byte(name)))
		d.Counts.Readings += uint64(to - from)
		if batch.NumCols() > 1 {
			d.Counts.Duplicates += l.duplicates(batch, d.Device, from, to)
		}
		from = to
	}
	return nil
}

// duplicates marks the seqs of rows as seen, and counts those that were.
func (l *ledger) duplicates(batch arrow.RecordBatch, device string, from, to int) uint64 {
	epochs, seqs := column(batch, "epoch").(array.StringLike), column(batch, "seq").(*array.Int64)
	twice := uint64(0)
	last, set := "", (*seqset.Set)(nil)
	for i := from; i < to; i++ {
		if epoch := epochs.Value(i); set == nil || epoch != last {
			last, set = epoch, l.set(device, epoch)
		}
		seq := uint64(seqs.Value(i))
		if set.Has(seq) {
			twice++
		}
		set.Add(seq, seq+1)
	}
	return twice
}

// set returns the seqs seen of a (device, epoch).
func (l *ledger) set(device, epoch string) *seqset.Set {
	key := [2]string{device, string([]byte(epoch))}
	if l.seen[key] == nil {
		l.seen[key] = new(seqset.Set)
	}
	return l.seen[key]
}

// quarantine counts what is not in `readings`: what was discarded is quarantined for good.
func (l *ledger) quarantine(batch arrow.RecordBatch) error {
	devices, counts := column(batch, "device").(array.StringLike), column(batch, "count").(*array.Int64)
	fates := column(batch, "fate").(array.StringLike)
	for i := range int(batch.NumRows()) {
		if fates.Value(i) != table.FateReplayed {
			l.of(string([]byte(devices.Value(i)))).Counts.Quarantined += uint64(counts.Value(i))
		}
	}
	return nil
}

func (l *ledger) gaps(batch arrow.RecordBatch) error {
	devices, counts := column(batch, "device").(array.StringLike), column(batch, "count").(*array.Int64)
	presumed := column(batch, "presumed").(*array.Boolean)
	for i := range int(batch.NumRows()) {
		d := l.of(string([]byte(devices.Value(i))))
		if presumed.Value(i) {
			d.Counts.Presumed += uint64(counts.Value(i))
		} else {
			d.Counts.Gaps += uint64(counts.Value(i))
		}
	}
	return nil
}

func (l *ledger) sorted() []DeviceLedger {
	all := make([]DeviceLedger, 0, len(l.devices))
	for _, name := range slices.Sorted(maps.Keys(l.devices)) {
		all = append(all, *l.devices[name])
	}
	return all
}

// column returns a column that was asked for; the scan promises that it is there.
func column(batch arrow.RecordBatch, name string) arrow.Array {
	at := batch.Schema().FieldIndices(name)
	if len(at) != 1 {
		panic("lake: column " + name + " was asked for and not read")
	}
	return batch.Column(at[0])
}
