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

	"github.com/headwater-iot/headwater/gateway/internal/table"
	"github.com/headwater-iot/headwater/shared/seqset"
)

// DeviceLedger is the balance of one device: what the agent accepted and where it went. The upper half is what the
// cursors say; the lower half is counted in the tables they speak of, and has to agree.
type DeviceLedger struct {
	Device      string `json:"device"`
	Accepted    uint64 `json:"accepted"`    // the agent's own figure, as of its last hello
	Held        uint64 `json:"held"`        // of those, what the device claimed to hold and was not closed then
	Landed      uint64 `json:"landed"`      // closed by landing
	Quarantined uint64 `json:"quarantined"` // closed by quarantine
	Gaps        uint64 `json:"gaps"`        // closed by gaps that the agent sealed
	Presumed    uint64 `json:"presumed"`    // presumed lost, not closed; open ends not counted

	PresentRows     uint64 `json:"present_rows"`     // rows in readings
	QuarantineCount uint64 `json:"quarantine_count"` // sum of count in quarantine
	GapCount        uint64 `json:"gap_count"`        // sum of count in gaps, sealed by the agent
	PresumedCount   uint64 `json:"presumed_count"`   // the same, presumed
	Duplicates      uint64 `json:"duplicates"`       // with LedgerRequest.Unique: rows beyond the first of a (device, epoch, seq)

	Pending  int64 `json:"pending"`  // accepted - landed - quarantined - gaps - presumed; below 0 when the last hello is older than that
	Balanced bool  `json:"balanced"` // cursors and tables agree, and nothing is there twice
}

// LedgerRequest says what to balance.
type LedgerRequest struct {
	Device string // "" = all
	Unique bool   // also look for two rows of one reading
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

// Ledger balances every device, in the order of their names. All tables are read as of one moment: a commit that
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
		{table.Quarantine, []string{"device", "count"}, l.quarantine},
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
	return l.balance(), nil
}

func (l *ledger) cursors(ctx context.Context, t *icetable.Table, filter iceberg.BooleanExpression) error {
	latest, err := latestCursors(ctx, t, filter)
	for _, c := range latest {
		d := l.of(c.Device)
		d.Accepted += c.Accepted
		d.Held += c.Held
		d.Landed += c.Landed
		d.Quarantined += c.Quarantined
		d.Gaps += c.GapSeqs
		d.Presumed += c.Presumed.Count()
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
		d.PresentRows += uint64(to - from)
		if batch.NumCols() > 1 {
			d.Duplicates += l.duplicates(batch, d.Device, from, to)
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

func (l *ledger) quarantine(batch arrow.RecordBatch) error {
	devices, counts := column(batch, "device").(array.StringLike), column(batch, "count").(*array.Int64)
	for i := range int(batch.NumRows()) {
		l.of(string([]byte(devices.Value(i)))).QuarantineCount += uint64(counts.Value(i))
	}
	return nil
}

func (l *ledger) gaps(batch arrow.RecordBatch) error {
	devices, counts := column(batch, "device").(array.StringLike), column(batch, "count").(*array.Int64)
	presumed := column(batch, "presumed").(*array.Boolean)
	for i := range int(batch.NumRows()) {
		d := l.of(string([]byte(devices.Value(i))))
		if presumed.Value(i) {
			d.PresumedCount += uint64(counts.Value(i))
		} else {
			d.GapCount += uint64(counts.Value(i))
		}
	}
	return nil
}

func (l *ledger) balance() []DeviceLedger {
	var all []DeviceLedger
	for _, name := range slices.Sorted(maps.Keys(l.devices)) {
		d := *l.devices[name]
		d.Pending = int64(d.Accepted) - int64(d.Landed+d.Quarantined+d.Gaps+d.Presumed)
		d.Balanced = d.Landed == d.PresentRows && d.Quarantined == d.QuarantineCount &&
			d.Gaps == d.GapCount && d.Presumed == d.PresumedCount && d.Duplicates == 0
		all = append(all, d)
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
