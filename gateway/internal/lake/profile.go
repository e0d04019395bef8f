package lake

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/iceberg-go"
	icecat "github.com/apache/iceberg-go/catalog"
	icetable "github.com/apache/iceberg-go/table"

	"github.com/headwater-iot/headwater/gateway/internal/lake/rowfile"
	"github.com/headwater-iot/headwater/gateway/internal/lake/schema"
	"github.com/headwater-iot/headwater/gateway/internal/table"
)

// Touched returns the days that readings came into behind the sequence number since, each with the highest sequence
// number of its files, and the sequence number of the readings that were looked at. Sequence numbers outlive the
// snapshots that they were given out with.
func (l *Lake) Touched(ctx context.Context, since int64) (days map[int32]int64, sequence int64, err error) {
	t, err := l.load(ctx, table.Readings)
	if err != nil {
		return nil, 0, err
	}
	s := t.CurrentSnapshot()
	if s == nil || s.SequenceNumber <= since {
		return nil, since, nil
	}
	list, err := s.Manifests(l.cfg.FS)
	if err != nil {
		return nil, 0, fmt.Errorf("read manifest list of snapshot %d: %w", s.SnapshotID, err)
	}
	days = make(map[int32]int64)
	for _, m := range list {
		if m.SequenceNum() <= since {
			continue
		}
		for e, err := range m.Entries(l.cfg.FS, true) {
			if err != nil {
				return nil, 0, fmt.Errorf("read manifest %s: %w", m.FilePath(), err)
			}
			if seq := e.SequenceNum(); seq > since {
				d := dayIn(e.DataFile())
				days[d] = max(days[d], seq)
			}
		}
		if err := ctx.Err(); err != nil {
			return nil, 0, err
		}
	}
	return days, s.SequenceNumber, nil
}

// dayIn returns the day partition of a file.
func dayIn(f iceberg.DataFile) int32 {
	for _, v := range f.Partition() {
		switch v := v.(type) {
		case iceberg.Date:
			return int32(v)
		case int32:
			return v
		}
	}
	panic(fmt.Sprintf("lake: data file %s has no day", f.FilePath()))
}

// Day is the readings of one day as of one snapshot.
type Day struct {
	table *icetable.Table
	day   int32
}

// OpenDay returns the readings of a day as they are now.
func (l *Lake) OpenDay(ctx context.Context, day int32) (*Day, error) {
	t, err := l.load(ctx, table.Readings)
	return &Day{table: t, day: day}, err
}

// Moment returns the snapshot that d reads and its sequence number; zeros when nothing has ever landed.
func (d *Day) Moment() (snapshot, sequence int64) {
	if s := d.table.CurrentSnapshot(); s != nil {
		return s.SnapshotID, s.SequenceNumber
	}
	return 0, 0
}

// Read calls each for the readings of the day, batch by batch; of devices that are named before device it may leave
// out any. Samples hold until each returns.
func (d *Day) Read(ctx context.Context, device string, each func([]table.Sample) error) error {
	at := iceberg.Reference("event_time")
	begin := iceberg.Timestamp(int64(d.day) * usPerDay)
	filter := iceberg.NewAnd(
		iceberg.GreaterThanEqual(at, begin), iceberg.LessThan(at, begin+usPerDay),
		iceberg.GreaterThanEqual(iceberg.Reference("device"), device))
	tasks, err := d.table.Scan(icetable.WithRowFilter(filter)).PlanFiles(ctx)
	if err != nil {
		return fmt.Errorf("find readings of a day: %w", err)
	}
	for i := range tasks {
		tasks[i].Residual = nil // a file is of one day, and the caller looks at the device: no row need be filtered
	}
	scan := d.table.Scan(icetable.WithSelectedFields(rowfile.ProfileColumns()...), icetable.WithMaxConcurrency(1), icetable.WithArrowBatchSize(samplesAtOnce))
	var samples []table.Sample
	err = readTasks(ctx, scan, tasks, func(batch arrow.RecordBatch) error {
		var err error
		if samples, err = rowfile.ReadSamples(batch, samples); err != nil {
			return err
		}
		return each(samples)
	})
	if err != nil {
		return fmt.Errorf("read readings of a day: %w", err)
	}
	return nil
}

const (
	usPerDay = 86_400_000_000
	// samplesAtOnce bounds what is in memory of a file.
	samplesAtOnce = 16 << 10
)

// ProfiledDays returns the days that have profiles, each with the sequence number of the readings that they are of.
func (l *Lake) ProfiledDays(ctx context.Context) (map[int32]int64, error) {
	t, err := l.load(ctx, table.Profiles)
	if err != nil {
		return nil, err
	}
	scan := t.Scan(icetable.WithSelectedFields("day", "from_sequence"), icetable.WithMaxConcurrency(1))
	tasks, err := scan.PlanFiles(ctx)
	if err != nil {
		return nil, fmt.Errorf("find profiles: %w", err)
	}
	days := make(map[int32]int64)
	err = readTasks(ctx, scan, tasks, func(batch arrow.RecordBatch) error {
		day, sequence := column(batch, "day").(*array.Date32), column(batch, "from_sequence").(*array.Int64)
		for i := range day.Len() {
			days[int32(day.Value(i))] = sequence.Value(i) // one for all rows of a day
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read days of profiles: %w", err)
	}
	return days, nil
}

// Profiles returns the profiles of one day.
func (l *Lake) Profiles(ctx context.Context, day int32) ([]table.Profile, error) {
	t, err := l.load(ctx, table.Profiles)
	if err != nil {
		return nil, err
	}
	return profiles(ctx, t, ofDays(day))
}

// ProfileRequest says which rows of `profile` to read.
type ProfileRequest struct {
	Device, Series string // "" = all
	Day            int32
	AllDays        bool
}

// Profiles returns rows of `profile`, in the order of device, series and day.
func (r *Reader) Profiles(ctx context.Context, req ProfileRequest) ([]table.Profile, error) {
	t, err := r.cat.LoadTable(ctx, schema.Identifier(table.Profiles))
	if errors.Is(err, icecat.ErrNoSuchTable) {
		return nil, nil // of an earlier version, which no later one has opened yet
	}
	if err != nil {
		return nil, err
	}
	filter := everything()
	if req.Device != "" {
		filter = iceberg.NewAnd(filter, iceberg.EqualTo(iceberg.Reference("device"), req.Device))
	}
	if req.Series != "" {
		filter = iceberg.NewAnd(filter, iceberg.EqualTo(iceberg.Reference("series"), req.Series))
	}
	if !req.AllDays {
		filter = iceberg.NewAnd(filter, ofDays(req.Day))
	}
	rows, err := profiles(ctx, t, filter)
	slices.SortFunc(rows, func(a, b table.Profile) int {
		return cmp.Or(cmp.Compare(a.Device, b.Device), cmp.Compare(a.Series, b.Series), cmp.Compare(a.Day, b.Day))
	})
	return rows, err
}

// ofDays is the filter of rows of `profile` of any of days.
func ofDays(days ...int32) iceberg.BooleanExpression {
	dates := make([]iceberg.Date, len(days))
	for i, d := range days {
		dates[i] = iceberg.Date(d)
	}
	return iceberg.IsIn(iceberg.Reference("day"), dates...)
}

func profiles(ctx context.Context, t *icetable.Table, filter iceberg.BooleanExpression) ([]table.Profile, error) {
	var all []table.Profile
	err := scanTable(ctx, t, filter, func(batch arrow.RecordBatch) error {
		rows, err := rowfile.ReadProfiles(batch)
		all = append(all, rows...)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read profiles: %w", err)
	}
	return all, nil
}

// ReplaceProfiles makes rows all the profiles of their days, in one transaction of their own: a crash leaves the rows
// of before. A day that is named and has no rows is left without.
func (l *Lake) ReplaceProfiles(ctx context.Context, days []int32, rows []table.Profile) error {
	l.writing.Lock()
	defer l.writing.Unlock()
	if err := l.room(); err != nil {
		return err
	}
	t, err := l.load(ctx, table.Profiles)
	if err != nil {
		return err
	}
	for _, r := range rows {
		if !slices.Contains(days, r.Day) {
			panic("lake: a profile of a day that is not replaced")
		}
	}
	tasks, err := t.Scan(icetable.WithRowFilter(ofDays(days...))).PlanFiles(ctx)
	if err != nil {
		return fmt.Errorf("find files of profiles: %w", err)
	}
	ch := change{table: t}
	for _, task := range tasks {
		ch.remove = append(ch.remove, task.File) // a file is of one day
	}
	if ch.add, err = rowfile.WriteProfiles(ctx, t, rows); err != nil {
		return fmt.Errorf("table %s: %w", table.Profiles, err)
	}
	if err := l.step("files " + table.Profiles); err != nil || len(ch.add)+len(ch.remove) == 0 {
		return err
	}
	return l.apply(ctx, []change{ch}, nil)
}
