package rowfile

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/iceberg-go"
	icetable "github.com/apache/iceberg-go/table"

	"github.com/headwater-iot/headwater/gateway/internal/table"
	"github.com/headwater-iot/headwater/shared/seqset"
	"github.com/headwater-iot/headwater/shared/wire"
)

// WriteQuarantine writes rows as data files, one per day of receipt.
func WriteQuarantine(ctx context.Context, t *icetable.Table, rows []table.QuarantineRow) ([]iceberg.DataFile, error) {
	return writeByDay(ctx, t, rows, func(r table.QuarantineRow) int64 { return r.Origin.Received }, appendQuarantine)
}

// WriteGaps writes rows as data files, one per day of receipt.
func WriteGaps(ctx context.Context, t *icetable.Table, rows []table.GapRow) ([]iceberg.DataFile, error) {
	return writeByDay(ctx, t, rows, func(r table.GapRow) int64 { return r.Origin.Received }, appendGap)
}

// WriteCursors writes rows as data files, one per bucket.
func WriteCursors(ctx context.Context, t *icetable.Table, rows []table.Cursor) ([]iceberg.DataFile, error) {
	spec := t.Spec()
	field := spec.Field(0)
	return writeGroups(ctx, t, rows,
		func(r table.Cursor) int32 { return bucket(field, r.Device) },
		func(n int32) partition {
			return partition{field: field.FieldID, value: n, dir: fmt.Sprintf("%s=%d", field.Name, n)}
		}, appendCursor)
}

// WriteDevices writes rows as one data file.
func WriteDevices(ctx context.Context, t *icetable.Table, rows []table.Device) ([]iceberg.DataFile, error) {
	return writeGroups(ctx, t, rows,
		func(table.Device) int32 { return 0 }, func(int32) partition { return partition{} }, appendDevice)
}

// bucket returns the partition of a device.
func bucket(field iceberg.PartitionField, device string) int32 {
	lit := field.Transform.Apply(iceberg.Optional[iceberg.Literal]{Val: iceberg.NewLiteral(device), Valid: true})
	return lit.Val.Any().(int32)
}

func writeByDay[R any](ctx context.Context, t *icetable.Table, rows []R, at func(R) int64, add func(*rowBuilder, R)) ([]iceberg.DataFile, error) {
	return writeGroups(ctx, t, rows,
		func(r R) int32 { return dayOf(at(r)) }, func(d int32) partition { return day(t, d) }, add)
}

// writeGroups writes one file per partition.
func writeGroups[R any](ctx context.Context, t *icetable.Table, rows []R, key func(R) int32, where func(int32) partition, add func(*rowBuilder, R)) ([]iceberg.DataFile, error) {
	sc, err := arrowSchema(t)
	if err != nil {
		return nil, err
	}
	groups := make(map[int32][]R)
	for _, r := range rows {
		groups[key(r)] = append(groups[key(r)], r)
	}
	var files []iceberg.DataFile
	for _, k := range slices.Sorted(maps.Keys(groups)) {
		b := &rowBuilder{rb: array.NewRecordBuilder(memory.DefaultAllocator, sc)}
		for _, r := range groups[k] {
			b.next = 0
			add(b, r)
		}
		batch := b.rb.NewRecordBatch()
		f, err := writeBatch(ctx, t, where(k), batch)
		batch.Release()
		b.rb.Release()
		if err != nil {
			return nil, err
		}
		files = append(files, f)
	}
	return files, nil
}

func appendQuarantine(b *rowBuilder, r table.QuarantineRow) {
	seqs := r.From != r.To
	b.text(r.Device)
	b.maybeText(r.Epoch.String(), r.Epoch != 0)
	b.maybeLong(int64(r.From), seqs)
	b.maybeLong(int64(r.To), seqs)
	b.long(int64(r.Count))
	b.blob(r.Bytes)
	b.text(r.Reason)
	b.maybeText(r.Rule, r.Rule != "")
	b.maybeText(r.Contract, r.Contract != "")
	b.origin(r.Origin)
	b.time(r.Origin.Received)
	b.text(r.Fate)
}

func appendGap(b *rowBuilder, r table.GapRow) {
	b.text(r.Device)
	b.text(r.Epoch.String())
	b.long(int64(r.From))
	b.maybeLong(int64(r.To), r.To != 0)
	b.long(int64(r.Count))
	b.maybeLong(int64(r.CountMax), r.CountMax != 0)
	b.maybeTime(r.TimeFrom, r.TimeFrom != table.Unknown)
	b.maybeTime(r.TimeTo, r.TimeTo != table.Unknown)
	b.texts(r.Series)
	b.text(r.Reason)
	b.boolean(r.Presumed)
	b.origin(r.Origin)
	b.time(r.Origin.Received)
}

func appendCursor(b *rowBuilder, r table.Cursor) {
	mark := r.Closed.Mark()
	above := r.Closed.Clone()
	above.Remove(0, mark)
	anchor := r.Anchor.State != wire.NoAnchor
	b.text(r.Device)
	b.text(r.Epoch.String())
	b.long(int64(r.Version))
	b.long(int64(mark))
	b.set(&above)
	b.set(&r.Presumed)
	b.maybeLong(int64(r.PresumedFrom), r.PresumedOpen)
	b.text(map[bool]string{false: stateOpen, true: stateEnded}[r.Ended])
	b.maybeLong(int64(r.FinalSeq), r.HasFinal)
	b.maybeText(r.Predecessor.String(), r.Predecessor != 0)
	b.text(r.Boot.String())
	b.maybeLong(r.Promise, r.Promise != table.Unknown)
	b.maybeLong(int64(r.Anchor.Generation), anchor)
	b.maybeInteger(int32(r.Anchor.State), anchor)
	b.maybeLong(r.Anchor.Wall, anchor)
	b.maybeLong(r.Anchor.Monotonic, anchor)
	b.maybeLong(int64(r.Anchor.Uncertainty), anchor)
	b.long(int64(r.Accepted))
	b.long(int64(r.Held))
	b.long(int64(r.Landed))
	b.long(int64(r.Quarantined))
	b.long(int64(r.GapSeqs))
	b.origin(r.Origin)
	b.time(r.Committed)
	b.maybeLong(r.ClockOffset, r.ClockOffset != table.Unknown)
	var recent []int64
	for _, m := range r.Recent {
		recent = append(recent, int64(m.First), int64(m.Count), int64(m.CRC))
	}
	b.longs(recent, len(recent) > 0)
	b.maybeLong(int64(r.PresumedMax), r.PresumedMax != 0)
	b.maybeText(r.Site, r.Site != "")
	b.blob(r.SeriesState)
}

// States of a cursor, and ways of delivery, as the tables have them.
const (
	stateOpen   = "open"
	stateEnded  = "ended"
	exactlyOnce = "exactly_once"
	atLeastOnce = "at_least_once"
)

func appendDevice(b *rowBuilder, r table.Device) {
	b.text(r.Device)
	b.maybeText(r.Site, r.Site != "")
	b.maybeText(r.Owner, r.Owner != "")
	b.tags(r.Tags)
	b.maybeText(r.AgentVersion, r.AgentVersion != "")
	b.maybeText(r.Client, r.Client != "")
	b.maybeTime(r.FirstSeen, r.FirstSeen != table.Unknown)
	b.time(r.LastSeen)
	b.long(int64(r.BacklogBytes))
	b.long(int64(r.BacklogBatches))
	b.maybeText(r.ClockState, r.ClockState != "")
	b.maybeLong(r.ClockError, r.ClockError != table.Unknown)
	b.maybeText(r.Epoch.String(), r.Epoch != 0)
	b.maybeText(r.Boot.String(), r.Boot != 0)
	b.text(map[bool]string{false: exactlyOnce, true: atLeastOnce}[r.AtLeastOnce])
	b.maybeText(r.Contract, r.Contract != "")
	b.texts(r.Schedule)
}

// rowBuilder adds one cell after the other, in the order of the schema.
type rowBuilder struct {
	rb   *array.RecordBuilder
	next int
}

func (b *rowBuilder) field() array.Builder {
	b.next++
	return b.rb.Field(b.next - 1)
}

func (b *rowBuilder) text(v string) { b.maybeText(v, true) }
func (b *rowBuilder) long(v int64)  { b.maybeLong(v, true) }
func (b *rowBuilder) time(us int64) { b.maybeTime(us, true) }

func (b *rowBuilder) maybeText(v string, ok bool) {
	put(b.field().(*array.StringBuilder), v, ok)
}

func (b *rowBuilder) maybeLong(v int64, ok bool) {
	put(b.field().(*array.Int64Builder), v, ok)
}

func (b *rowBuilder) maybeTime(us int64, ok bool) {
	put(b.field().(*array.TimestampBuilder), arrow.Timestamp(us), ok)
}

func (b *rowBuilder) maybeInteger(v int32, ok bool) {
	put(b.field().(*array.Int32Builder), v, ok)
}

func (b *rowBuilder) boolean(v bool) { b.field().(*array.BooleanBuilder).Append(v) }

func (b *rowBuilder) blob(v []byte) { put(b.field().(*array.BinaryBuilder), v, v != nil) }

// put appends v, or null.
func put[T any](b interface {
	Append(T)
	AppendNull()
}, v T, ok bool,
) {
	if ok {
		b.Append(v)
	} else {
		b.AppendNull()
	}
}

func (b *rowBuilder) texts(v []string) {
	lb := b.field().(*array.ListBuilder)
	if v == nil {
		lb.AppendNull()
		return
	}
	lb.Append(true)
	lb.ValueBuilder().(*array.StringBuilder).AppendValues(v, nil)
}

func (b *rowBuilder) longs(v []int64, ok bool) {
	lb := b.field().(*array.ListBuilder)
	if !ok {
		lb.AppendNull()
		return
	}
	lb.Append(true)
	lb.ValueBuilder().(*array.Int64Builder).AppendValues(v, nil)
}

func (b *rowBuilder) set(s *seqset.Set) {
	var flat []int64
	for _, v := range s.Flat() {
		flat = append(flat, int64(v))
	}
	b.longs(flat, true)
}

func (b *rowBuilder) tags(v map[string]string) {
	mb := b.field().(*array.MapBuilder)
	if v == nil {
		mb.AppendNull()
		return
	}
	mb.Append(true)
	for _, k := range slices.Sorted(maps.Keys(v)) {
		mb.KeyBuilder().(*array.StringBuilder).Append(k)
		mb.ItemBuilder().(*array.StringBuilder).Append(v[k])
	}
}

func (b *rowBuilder) origin(o table.Origin) {
	b.text(o.Log.String())
	b.maybeInteger(int32(o.Partition), true)
	b.long(int64(o.Offset))
}
