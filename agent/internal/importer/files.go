package importer

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/headwater-iot/headwater/agent/internal/csvfile"
	"github.com/headwater-iot/headwater/shared/record"
)

const (
	mostNamed  = 20      // bad rows that are printed one by one, for each file
	mostListed = 100_000 // bad rows in the outcomes of all files: bounds the memory of a file that is all wrong
)

// Errors of files that can be read.
var (
	// ErrBadRows ends an import of which something did not land.
	ErrBadRows = errors.New("rows could not be read and did not land; correct them in a file of their own and import that, or pass --allow-bad-rows")
	// ErrScattered refuses years in no order of time.
	ErrScattered = errors.New("its rows are in no order of time")
)

// Screen is where an import tells how it goes. It is called from one goroutine.
type Screen interface {
	Print(format string, args ...any) // a line that stays
	Move(format string, args ...any)  // a line that the next one replaces
}

// Files are what a run of the command is to land.
type Files struct {
	Paths    []string
	Device   string
	Options  csvfile.Options
	Broker   string
	Version  string
	Stall    time.Duration // see Config
	DryRun   bool          // send nothing
	AllowBad bool          // rows that cannot be read are no error
	AnyOrder bool          // nor is a file that is Scattered
	ListBad  bool          // name them in the outcomes
	Screen   Screen
	Log      *slog.Logger
}

// Outcome is what became of one file.
type Outcome struct {
	File     string `json:"file"`
	SHA256   string `json:"sha256"`
	Epoch    string `json:"epoch"`
	Rows     uint64 `json:"rows"`
	BadRows  uint64 `json:"bad_rows"`
	Readings uint64 `json:"readings"`
	Before   uint64 `json:"landed_before"` // readings that the gateway had already
	Sent     uint64 `json:"sent"`
	Landed   uint64 `json:"landed"`
	Done     bool   `json:"done"`

	TimeColumn string           `json:"time_column"`
	TimeFormat string           `json:"time_format"`
	Series     []string         `json:"series"`
	Bad        []csvfile.BadRow `json:"bad"`
}

// Land reads all files before it sends the first: a wrong option shows before anything has landed. There is an
// outcome for each file that was opened, also beside an error.
func (f Files) Land(ctx context.Context) ([]Outcome, error) {
	all := &landing{Files: f, outcomes: []Outcome{}}
	err := all.run(ctx)
	return all.outcomes, err
}

// landing is a run that goes on.
type landing struct {
	Files
	outcomes []Outcome
	listed   int
}

func (l *landing) run(ctx context.Context) error {
	var plans []*Plan
	defer func() {
		for _, p := range plans {
			_ = p.Close() // it was only read
		}
	}()
	for _, path := range l.Paths {
		p, err := l.plan(ctx, path)
		if err != nil {
			return err
		}
		plans = append(plans, p)
		if p.Scattered() && !l.AnyOrder {
			return fmt.Errorf("import %s: %w over %d days, and would land as some %d small files; "+
				"sort it by time, import it year by year, or pass --any-order", path, ErrScattered, p.Days, p.Spread)
		}
	}
	bad := uint64(0)
	for i, p := range plans {
		bad += p.Bad
		if l.DryRun {
			continue
		}
		if err := l.send(ctx, p, &l.outcomes[i]); err != nil {
			if ctx.Err() != nil {
				return fmt.Errorf("stopped; run the same command again to go on: %w", err)
			}
			return err
		}
	}
	if bad > 0 && !l.AllowBad {
		return fmt.Errorf("%d %w", bad, ErrBadRows)
	}
	return nil
}

// plan reads a file and says what it found.
func (l *landing) plan(ctx context.Context, path string) (*Plan, error) {
	at := len(l.outcomes)
	l.outcomes = append(l.outcomes, Outcome{File: path, Series: []string{}, Bad: []csvfile.BadRow{}})
	named := 0
	p, err := Open(ctx, path, l.Device, l.Options, Heard{
		Bad: func(_ string, row *csvfile.BadRow) {
			if named++; named <= mostNamed {
				l.Screen.Print("%s:%d: %s: %s", path, row.Line, row.Reason, row.Detail)
			}
			if l.ListBad && l.listed < mostListed {
				l.listed++
				l.outcomes[at].Bad = append(l.outcomes[at].Bad, *row)
			}
		},
		Read: func(_ string, bytes, of int64) { l.Screen.Move("%s: read %d %%", path, 100*bytes/max(of, 1)) },
	})
	if err != nil {
		return nil, err
	}
	if more := named - mostNamed; more > 0 {
		l.Screen.Print("%s: and %d more rows that cannot be read", path, more)
	}
	x := &l.outcomes[at]
	x.SHA256, x.Epoch, x.Rows, x.BadRows, x.Readings = hex.EncodeToString(p.SHA256[:]), p.Epoch.String(), p.Rows, p.Bad, p.Readings
	x.TimeColumn, x.TimeFormat = p.File.Time, p.File.TimeFormat
	for _, field := range p.File.Fields {
		x.Series = append(x.Series, field.Series)
	}
	l.describe(p)
	return p, nil
}

// describe prints how a file was understood.
func (l *landing) describe(p *Plan) {
	say := func(format string, args ...any) { l.Screen.Print("%s: "+format, append([]any{p.Path}, args...)...) }
	say("time %q (%s), series %s", p.File.Time, p.File.TimeFormat, series(p.File.Fields))
	if len(p.File.Left) > 0 {
		say("columns that are not taken: %q", p.File.Left)
	}
	if p.Readings == 0 {
		say("%d rows, no reading", p.Rows)
		return
	}
	say("%d rows from %s to %s, %d readings", p.Rows, wall(p.From), wall(p.To), p.Readings)
	if p.To > time.Now().Add(24*time.Hour).UnixMicro() {
		say("its last row lies in the future: the gateway puts what is more than a day ahead into quarantine")
	}
	if p.Twice > 0 {
		say("%d rows lie in an hour that the clocks repeated; they are taken in the order of the file", p.Twice)
	}
	if p.Cut > 0 {
		say("%d times are finer than a microsecond, which is cut off", p.Cut)
	}
}

// series names what a file gives, with units, and kinds where they are not numbers: a number that was not understood
// makes a column of text.
func series(fields []csvfile.Field) string {
	names := make([]string, 0, len(fields))
	for _, field := range fields {
		name := field.Series
		if field.Unit != "" {
			name += ":" + field.Unit
		}
		switch field.Kind {
		case record.Text:
			name += " (text)"
		case record.Bool:
			name += " (true or false)"
		}
		names = append(names, name)
	}
	return strings.Join(names, ", ")
}

func wall(us int64) string { return time.UnixMicro(us).UTC().Format(time.RFC3339) }

// send lands a file and says how it went.
func (l *landing) send(ctx context.Context, p *Plan, x *Outcome) error {
	got, err := Send(ctx, p, Config{
		Broker: l.Broker, Version: l.Version, Stall: l.Stall, Log: l.Log,
		Tell: func(g Progress) { l.Screen.Move("%s: %s", p.Path, g.text(p.Readings)) },
	})
	x.Before, x.Sent, x.Landed, x.Done = got.Before, got.Sent, got.Landed, err == nil
	switch {
	case err != nil:
		l.Screen.Print("%s: %d of %d readings have landed", p.Path, got.Landed, p.Readings)
	case p.Readings > 0:
		l.Screen.Print("%s: all %d readings have landed, in the tables or in quarantine; %d were there before, %d were sent in %s",
			p.Path, p.Readings, got.Before, got.Sent, got.Took.Round(time.Millisecond))
	}
	return err
}

// text is a line of progress.
func (g Progress) text(all uint64) string {
	text := fmt.Sprintf("sent %d, stored %d, landed %d of %d readings", g.Sent, g.Stored, g.Landed, all)
	if fresh := g.Landed - min(g.Before, g.Landed); fresh > 0 {
		rate := float64(fresh) / g.Took.Seconds()
		left := time.Duration(float64(all-min(g.Landed, all)) / rate * float64(time.Second))
		text += fmt.Sprintf(", %.0f/s, %s left", rate, left.Round(time.Second))
	}
	return text
}
