package replay

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/headwater-iot/headwater/agent/internal/sensor"
	"github.com/headwater-iot/headwater/shared/meter"
	"github.com/headwater-iot/headwater/shared/record"
)

// Times says what becomes of the times in the files.
type Times string

// The choices. Original is the default.
const (
	Original Times = "original"
	Shifted  Times = "shifted" // the latest row is now
)

// Settings say what to replay.
type Settings struct {
	// Files are read one after the other.
	Files []string `yaml:"files"`
	// TimeColumn is the header of the time; by default the first column.
	TimeColumn string `yaml:"time_column,omitempty"`
	// Zone is where times without a zone were written down: UTC, the default, or a name such as Europe/Zurich.
	Zone string `yaml:"zone,omitempty"`
	// Times is original, the default, or shifted: moved such that the latest row is now.
	Times Times `yaml:"times,omitempty"`
	// Speed is how many times faster than it was recorded; 0 = as fast as rows are accepted.
	Speed float64 `yaml:"speed,omitempty"`
	// Columns says which columns to take, by their header; none = all, under their own names, without unit.
	Columns map[string]Column `yaml:"columns,omitempty"`
}

// Column says what a column of the file becomes.
type Column struct {
	// Series is the name to give; by default the header.
	Series string `yaml:"series,omitempty"`
	// Unit is the SenML unit.
	Unit string `yaml:"unit,omitempty"`
}

// Check reports every problem of the settings that shows without opening a file.
func (s Settings) Check(report sensor.Report) {
	if len(s.Files) == 0 {
		report("files", "names no file")
	}
	if s.Times != "" && s.Times != Original && s.Times != Shifted {
		report("times", "must be original or shifted, not %q", string(s.Times))
	}
	if !(s.Speed >= 0) {
		report("speed", "must not be negative")
	}
	if _, err := time.LoadLocation(s.Zone); err != nil {
		report("zone", "is not known on this machine: %v", err)
	}
	if _, taken := s.Columns[s.TimeColumn]; taken {
		report("columns", "has the time column %q", s.TimeColumn)
	}
}

// Config is what a Replay works with. Meter may be nil.
type Config struct {
	Name   string // of the sensor
	Prefix string // of its series
	Logger *slog.Logger
	Meter  *meter.Registry
	Now    func() time.Time // the wall clock, for shifted times
}

// Replay is a source of rows.
type Replay struct {
	settings Settings
	config   Config
	zone     *time.Location
	announce []record.Cell
	bad      map[string]*meter.Counter
	named    int // bad rows named in the log
}

// Reasons for a row that cannot be read.
const (
	badCSV    = "csv"
	badFields = "fields"
	badTime   = "time"
	badValue  = "value"
)

// New reads the headers of the files.
func New(s Settings, c Config) (*Replay, error) {
	zone, err := time.LoadLocation(s.Zone)
	if err != nil {
		return nil, fmt.Errorf("replay: zone: %w", err)
	}
	r := &Replay{settings: s, config: c, zone: zone, bad: map[string]*meter.Counter{}}
	for _, reason := range []string{badCSV, badFields, badTime, badValue} {
		r.bad[reason] = c.Meter.Counter("headwater_replay_bad_rows_total",
			"Rows of replayed files that cannot be read.", "sensor", c.Name, "reason", reason)
	}
	seen := map[string]bool{}
	for _, path := range s.Files {
		f, err := r.open(path)
		if err != nil {
			return nil, err
		}
		for _, col := range f.columns {
			if !seen[col.Series] {
				seen[col.Series] = true
				r.announce = append(r.announce, record.FailedCell(col.Series, col.Unit, record.Float))
			}
		}
		if err := f.Close(); err != nil {
			return nil, fmt.Errorf("replay: close %s: %w", path, err)
		}
	}
	return r, nil
}

// Announce returns the series of all files, under their full names.
func (r *Replay) Announce() []record.Cell { return r.announce }

// Run emits every row once.
func (r *Replay) Run(ctx context.Context, emit func(record.Row) error) error {
	shift, err := r.shift(ctx)
	if err != nil {
		return err
	}
	rows, pace := 0, pacer{speed: r.settings.Speed}
	err = r.each(ctx, true, func(row record.Row) error {
		if err := pace.wait(ctx, row); err != nil {
			return err
		}
		if row.Unit == record.Micro {
			row.Time += shift.Microseconds()
		} else {
			row.Time += shift.Milliseconds()
		}
		if err := sensor.Offer(ctx, emit, row); err != nil {
			return err
		}
		rows++
		return nil
	})
	if err != nil {
		return err
	}
	var bad uint64
	for _, c := range r.bad {
		bad += c.Value()
	}
	r.config.Logger.Info("replay has given its last row", "sensor", r.config.Name, "rows", rows, "bad_rows", bad)
	return nil
}

// shift returns how far all rows are to be moved, a whole number of milliseconds.
func (r *Replay) shift(ctx context.Context) (time.Duration, error) {
	if r.settings.Times != Shifted {
		return 0, nil
	}
	var latest int64
	found := false
	err := r.each(ctx, false, func(row record.Row) error {
		ms := row.Time
		if row.Unit == record.Micro {
			ms /= 1000
		}
		if !found || ms > latest {
			latest, found = ms, true
		}
		return nil
	})
	if err != nil || !found {
		return 0, err
	}
	shift := r.config.Now().Sub(time.UnixMilli(latest)).Truncate(time.Millisecond)
	r.config.Logger.Info("replay moves all times so that the latest row is now",
		"sensor", r.config.Name, "latest", time.UnixMilli(latest).UTC(), "shift", shift)
	return shift, nil
}

// each calls use with every row that can be read. With count, those that cannot are counted and named.
func (r *Replay) each(ctx context.Context, count bool, use func(record.Row) error) error {
	for _, path := range r.settings.Files {
		if err := r.eachOf(ctx, path, count, use); err != nil {
			return err
		}
	}
	return nil
}

func (r *Replay) eachOf(ctx context.Context, path string, count bool, use func(record.Row) error) error {
	f, err := r.open(path)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }() // it was only read
	for {
		row, err := f.next()
		var bad *badRow
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case errors.As(err, &bad):
			if count {
				r.name(path, bad)
			}
			continue
		case err != nil:
			return fmt.Errorf("replay: read %s: %w", path, err)
		case ctx.Err() != nil:
			return ctx.Err()
		}
		row.Sensor = r.config.Name
		if err := use(row); err != nil {
			return err
		}
	}
}

// mostNamed bounds how many bad rows are named one by one.
const mostNamed = 20

// name counts a bad row and says where it is.
func (r *Replay) name(path string, bad *badRow) {
	r.bad[bad.reason].Inc()
	if r.named++; r.named > mostNamed {
		return
	}
	r.config.Logger.Warn("row of a replayed file cannot be read and is left out", "sensor", r.config.Name,
		"file", path, "line", bad.line, "reason", bad.reason, "error", bad.err, "last_named", r.named == mostNamed)
}

// pacer holds rows back until their time has come.
type pacer struct {
	speed   float64
	started time.Time
	first   int64 // us
}

func (p *pacer) wait(ctx context.Context, row record.Row) error {
	if p.speed == 0 {
		return nil
	}
	us := row.Time
	if row.Unit == record.Milli {
		us *= 1000
	}
	if p.started.IsZero() {
		p.started, p.first = time.Now(), us
	}
	due := p.started.Add(time.Duration(float64(us-p.first) / p.speed * float64(time.Microsecond)))
	return sensor.Pause(ctx, time.Until(due))
}
