package profile

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"math"
	"slices"
	"time"

	"github.com/headwater-iot/headwater/gateway/internal/table"
	"github.com/headwater-iot/headwater/shared/meter"
)

const (
	// seriesAtOnce bounds the memory of a day: 40 KiB for a temperature, 125 KiB for noise around zero, of 20,000 readings.
	// What a day has more is for another pass.
	seriesAtOnce = 500
	// share of a core that the job takes at most, one of so many: it gates nothing, and landing does.
	share = 4
	// workAtOnce is how long it works before it rests.
	workAtOnce = 20 * time.Millisecond
)

// Lake is where readings are and profiles go. One goroutine calls it. An error ends the round, and the next begins
// where this one was.
type Lake interface {
	// Touched returns the days that have readings behind a sequence number, each with the highest of its own, and the
	// sequence number up to which it has looked.
	Touched(ctx context.Context, since int64) (days map[int32]int64, sequence int64, err error)
	// OpenDay returns the readings of a day as they are now.
	OpenDay(ctx context.Context, day int32) (Day, error)
	Profiles
}

// Profiles is the table of profiles.
type Profiles interface {
	// ProfiledDays returns the days that have rows, each with the sequence number they are of.
	ProfiledDays(ctx context.Context) (map[int32]int64, error)
	// Profiles returns the rows of a day.
	Profiles(ctx context.Context, day int32) ([]table.Profile, error)
	// ReplaceProfiles makes rows all the rows of days, at once.
	ReplaceProfiles(ctx context.Context, days []int32, rows []table.Profile) error
}

// Day is the readings of a day as of one snapshot.
type Day interface {
	Moment() (snapshot, sequence int64)
	// Read calls each for the readings, but may leave out those of devices that are named before device.
	Read(ctx context.Context, device string, each func([]table.Sample) error) error
}

// Config is what a job works with.
type Config struct {
	Lake   Lake
	Every  time.Duration // 0 = never
	Logger *slog.Logger
	Meter  *meter.Registry
}

// Job keeps the profiles up to date. Make one with NewJob.
type Job struct {
	cfg    Config
	since  int64           // sequence number of readings up to which every day has its rows
	done   map[int32]int64 // by day, the sequence number that its rows are of; nil = not read yet
	series int             // in memory at once

	rows, failed *meter.Counter
}

// NewJob returns a job that has done nothing yet.
func NewJob(cfg Config) *Job {
	return &Job{
		cfg: cfg, series: seriesAtOnce,
		rows:   cfg.Meter.Counter("headwater_profile_rows_total", "Profiles of a series and day that were made."),
		failed: cfg.Meter.Counter("headwater_profile_failures_total", "Rounds of the profile job that did not finish."),
	}
}

// Run makes profiles of what was touched, now and then, until ctx ends.
func (j *Job) Run(ctx context.Context) error {
	if j.cfg.Every <= 0 {
		<-ctx.Done()
		return nil
	}
	tick := time.NewTicker(j.cfg.Every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		if err := j.Once(ctx); err != nil && ctx.Err() == nil {
			j.failed.Inc()
			j.cfg.Logger.Warn("profiles are not up to date; it is tried again", "error", err, "in", j.cfg.Every)
		}
	}
}

// Once makes the profiles of all days that were touched since they were last made, the newest first. A day that cannot
// be read does not keep the others from theirs.
func (j *Job) Once(ctx context.Context) error {
	started := time.Now()
	touched, sequence, err := j.cfg.Lake.Touched(ctx, j.since)
	if err != nil {
		return fmt.Errorf("find what to profile: %w", err)
	}
	if j.done == nil {
		if j.done, err = j.cfg.Lake.ProfiledDays(ctx); err != nil {
			return fmt.Errorf("find what is profiled: %w", err)
		}
	}
	maps.DeleteFunc(touched, func(day int32, last int64) bool { return j.done[day] >= last })
	if len(touched) == 0 {
		j.since = sequence
		return nil
	}
	days := slices.Sorted(maps.Keys(touched))
	slices.Reverse(days)
	made, rows := 0, 0
	var failed []error
	for _, day := range days {
		n, err := j.day(ctx, day)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			failed = append(failed, fmt.Errorf("profile %s: %w", Date(day), err))
			continue
		}
		made, rows = made+1, rows+n
		j.rows.Add(uint64(n))
	}
	j.cfg.Logger.Info("profiles made", "days", made, "rows", rows, "failed", len(failed), "took", time.Since(started))
	if len(failed) > 0 {
		return fmt.Errorf("%d of %d days failed; the first: %w", len(failed), len(days), failed[0])
	}
	j.since = sequence
	return nil
}

// day makes the rows of one day, and says in those of the day a week later how far that is from it now.
func (j *Job) day(ctx context.Context, day int32) (int, error) {
	d, err := j.cfg.Lake.OpenDay(ctx, day)
	if err != nil {
		return 0, err
	}
	rows, err := j.read(ctx, d, day)
	if err != nil {
		return 0, err
	}
	before, err := j.cfg.Lake.Profiles(ctx, day-driftDays)
	if err != nil {
		return 0, err
	}
	compare(rows, before)
	after, err := j.cfg.Lake.Profiles(ctx, day+driftDays)
	if err != nil {
		return 0, err
	}
	days, n := []int32{day}, len(rows)
	if compare(after, rows) {
		days, rows = append(days, day+driftDays), append(rows, after...)
	}
	if err := j.cfg.Lake.ReplaceProfiles(ctx, days, rows); err != nil {
		return 0, err
	}
	_, j.done[day] = d.Moment()
	return n, nil
}

// compare sets the drift of rows against those of 7 days before, and reports whether any changed.
func compare(rows, before []table.Profile) (changed bool) {
	then := make(map[key]*table.Profile, len(before))
	for i := range before {
		then[keyOf(&before[i])] = &before[i]
	}
	for i := range rows {
		r, d := &rows[i], math.NaN()
		if b := then[keyOf(r)]; b != nil {
			d = drift(r, b)
		}
		changed = changed || d != r.Drift && !(math.IsNaN(d) && math.IsNaN(r.Drift))
		r.Drift = d
	}
	return changed
}

// read folds the readings of a day into rows, in the order of their keys. Each pass has room for so many series, the
// next ones in order; what is beyond is read again in the next pass.
func (j *Job) read(ctx context.Context, d Day, day int32) ([]table.Profile, error) {
	snapshot, sequence := d.Moment()
	updated := time.Now().UnixMicro()
	var rows []table.Profile
	for p := newPass(key{}, j.series); ; p = newPass(p.last(), j.series) {
		worked := time.Now()
		err := d.Read(ctx, p.after.device, func(samples []table.Sample) error {
			p.add(samples)
			took := time.Since(worked)
			if took < workAtOnce {
				return nil
			}
			err := pause(ctx, (share-1)*took)
			worked = time.Now()
			return err
		})
		if err != nil {
			return nil, err
		}
		for _, k := range p.keys {
			r := p.folds[k].Row()
			r.Device, r.Series, r.Day = k.device, k.series, day
			r.Snapshot, r.Sequence, r.Updated = snapshot, sequence, updated
			rows = append(rows, r)
		}
		if !p.more {
			return rows, nil
		}
	}
}

// pause waits.
func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

// Date writes days since 1970 as a date.
func Date(day int32) string {
	return time.Unix(int64(day)*86400, 0).UTC().Format(time.DateOnly)
}
