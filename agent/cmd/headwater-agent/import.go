package main

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/headwater-iot/headwater/agent/internal/csvfile"
	"github.com/headwater-iot/headwater/agent/internal/importer"
	"github.com/headwater-iot/headwater/shared/buildinfo"
	"github.com/headwater-iot/headwater/shared/cli"
	"github.com/headwater-iot/headwater/shared/record"
)

const (
	mostNamed  = 20      // bad rows that are printed one by one, for each file
	mostListed = 100_000 // bad rows that --json lists, for all files: bounds the memory of a file that is all wrong
)

// errBadRows ends an import of which something did not land.
var errBadRows = errors.New("rows could not be read and did not land; correct them in a file of their own and import that, or pass --allow-bad-rows")

// importOptions are the flags.
type importOptions struct {
	csvfile.Options
	broker, device   string
	allowBad, asJSON bool
	dryRun, anyOrder bool
	stall            time.Duration
	files            []string
}

func importFlags(fs flags, parse parse) (o importOptions, err error) {
	fs.StringVar(&o.broker, "broker", "", "the gateway's broker, `tcp://HOST:PORT`")
	fs.StringVar(&o.device, "device", "", "the `NAME` of the device that the readings are of")
	fs.StringVar(&o.TimeColumn, "time-column", "", "the `HEADER` of the time; by default the one called timestamp, time, date or alike")
	fs.StringVar(&o.TimeFormat, "time-format", "", "`FORMAT` of the times: iso, dmy, mdy, unix, unix_ms, unix_us, unix_ns, strftime (%d.%m.%Y %H:%M) or Go (02.01.2006 15:04)")
	fs.StringVar(&o.Timezone, "timezone", "", "`ZONE` of times that name none: UTC, +02:00 or Europe/Zurich")
	fs.StringVar(&o.Delimiter, "delimiter", "", "the `CHARACTER` between fields: , ; | or tab")
	fs.StringVar(&o.Decimal, "decimal", "", "the decimal `SIGN`: . or ,")
	fs.Func("column", "take the column with header name as `name=series:unit` (series or :unit may be left out); once for each; without any, all are taken", o.column)
	fs.BoolVar(&o.allowBad, "allow-bad-rows", false, "exit 0 though rows could not be read")
	fs.BoolVar(&o.anyOrder, "any-order", false, "land even a file of years whose rows are in no order of time, as very many small files")
	fs.BoolVar(&o.dryRun, "dry-run", false, "read and check the files, send nothing")
	fs.DurationVar(&o.stall, "give-up", 10*time.Minute, "exit when nothing new has been stored or landed for so long; 0 = never")
	fs.BoolVar(&o.asJSON, "json", false, "print the result as JSON")
	if o.files, err = parse(); err != nil {
		return o, err
	}
	switch {
	case len(o.files) == 0:
		return o, cli.BadUsage(fs, "no file to import")
	case o.broker == "" && !o.dryRun:
		return o, cli.BadUsage(fs, "--broker tcp://HOST:PORT is missing")
	case record.CheckDevice(o.device) != nil:
		return o, cli.BadUsage(fs, "--device %q: %v", o.device, record.ErrDevice)
	}
	return o, nil
}

// column reads name=series:unit.
func (o *importOptions) column(text string) error {
	name, rest, _ := strings.Cut(text, "=")
	series, unit := rest, ""
	if i := strings.LastIndexByte(rest, ':'); i >= 0 {
		series, unit = rest[:i], rest[i+1:]
	}
	if series == "" {
		series = name
	}
	if o.Columns == nil {
		o.Columns = map[string]csvfile.Column{}
	}
	if _, twice := o.Columns[name]; twice || name == "" {
		return fmt.Errorf("want name=series:unit, each name once")
	}
	o.Columns[name] = csvfile.Column{Series: series, Unit: unit}
	return nil
}

// outcome is what is said of one file.
type outcome struct {
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

func runImport(ctx context.Context, fs flags, parse parse, out io.Writer) error {
	o, err := importFlags(fs, parse)
	if err != nil {
		return err
	}
	screen := newScreen(os.Stderr)
	im := &imports{importOptions: o, screen: screen, log: slog.New(slog.NewTextHandler(screen, &slog.HandlerOptions{Level: slog.LevelWarn}))}
	err = im.run(ctx)
	screen.clear()
	if o.asJSON {
		in := json.NewEncoder(out)
		in.SetIndent("", " ")
		if im.outcomes == nil {
			im.outcomes = []outcome{}
		}
		result := map[string]any{"device": o.device, "ok": err == nil, "files": im.outcomes}
		if err != nil {
			result["error"] = err.Error()
		}
		return errors.Join(err, in.Encode(result))
	}
	return err
}

// imports is a run of the command.
type imports struct {
	importOptions
	screen   *screen
	log      *slog.Logger
	outcomes []outcome
	listed   int
}

// run reads all files before it sends the first: a wrong option shows before anything has landed.
func (im *imports) run(ctx context.Context) error {
	var plans []*importer.Plan
	defer func() {
		for _, p := range plans {
			_ = p.Close() // it was only read
		}
	}()
	for _, path := range im.files {
		p, err := im.plan(ctx, path)
		if err != nil {
			return err
		}
		plans = append(plans, p)
		if p.Scattered() && !im.anyOrder {
			return fmt.Errorf("import %s: its rows are in no order of time over %d days, and would land as some %d small files; "+
				"sort it by time, import it year by year, or pass --any-order", path, p.Days, p.Spread)
		}
	}
	bad := uint64(0)
	for i, p := range plans {
		bad += p.Bad
		if im.dryRun {
			continue
		}
		if err := im.send(ctx, p, &im.outcomes[i]); err != nil {
			if ctx.Err() != nil {
				return fmt.Errorf("stopped; run the same command again to go on: %w", err)
			}
			return err
		}
	}
	if bad > 0 && !im.allowBad {
		return fmt.Errorf("%d %w", bad, errBadRows)
	}
	return nil
}

// plan reads a file and says what it found.
func (im *imports) plan(ctx context.Context, path string) (*importer.Plan, error) {
	at := len(im.outcomes)
	im.outcomes = append(im.outcomes, outcome{File: path, Series: []string{}, Bad: []csvfile.BadRow{}})
	named := 0
	p, err := importer.Open(ctx, path, im.device, im.Options, importer.Heard{
		Bad: func(_ string, row *csvfile.BadRow) {
			if named++; named <= mostNamed {
				im.screen.printf("%s:%d: %s: %s\n", path, row.Line, row.Reason, row.Detail)
			}
			if im.listed < mostListed && im.asJSON {
				im.listed++
				im.outcomes[at].Bad = append(im.outcomes[at].Bad, *row)
			}
		},
		Read: func(_ string, bytes, of int64) { im.screen.move("%s: read %d %%", path, 100*bytes/max(of, 1)) },
	})
	if err != nil {
		return nil, err
	}
	if more := named - mostNamed; more > 0 {
		im.screen.printf("%s: and %d more rows that cannot be read\n", path, more)
	}
	x := &im.outcomes[at]
	x.SHA256, x.Epoch, x.Rows, x.BadRows, x.Readings = hex.EncodeToString(p.SHA256[:]), p.Epoch.String(), p.Rows, p.Bad, p.Readings
	x.TimeColumn, x.TimeFormat = p.File.Time, p.File.TimeFormat
	for _, f := range p.File.Fields {
		x.Series = append(x.Series, f.Series)
	}
	im.describe(p)
	return p, nil
}

// describe prints how a file was understood.
func (im *imports) describe(p *importer.Plan) {
	im.screen.printf("%s: time %q (%s), series %s\n", p.Path, p.File.Time, p.File.TimeFormat, strings.Join(im.outcomes[len(im.outcomes)-1].Series, ", "))
	if len(p.File.Left) > 0 {
		im.screen.printf("%s: columns that are not taken: %q\n", p.Path, p.File.Left)
	}
	if p.Readings > 0 {
		im.screen.printf("%s: %d rows from %s to %s, %d readings\n", p.Path, p.Rows, wall(p.From), wall(p.To), p.Readings)
	} else {
		im.screen.printf("%s: %d rows, no reading\n", p.Path, p.Rows)
	}
	if p.Readings > 0 && p.To > time.Now().Add(24*time.Hour).UnixMicro() {
		im.screen.printf("%s: its last row lies in the future: the gateway puts what is more than a day ahead into quarantine\n", p.Path)
	}
	if p.Twice > 0 {
		im.screen.printf("%s: %d rows lie in an hour that the clocks repeated; they are taken in the order of the file\n", p.Path, p.Twice)
	}
	if p.Cut > 0 {
		im.screen.printf("%s: %d times are finer than a microsecond, which is cut off\n", p.Path, p.Cut)
	}
}

func wall(us int64) string { return time.UnixMicro(us).UTC().Format(time.RFC3339) }

// send lands a file and says how it went.
func (im *imports) send(ctx context.Context, p *importer.Plan, x *outcome) error {
	got, err := importer.Send(ctx, p, importer.Config{
		Broker: im.broker, Version: buildinfo.Version(), Stall: im.stall, Log: im.log,
		Tell: func(g importer.Progress) { im.screen.move("%s: %s", p.Path, tell(g, p.Readings)) },
	})
	x.Before, x.Sent, x.Landed, x.Done = got.Before, got.Sent, got.Landed, err == nil
	if err == nil {
		im.screen.printf("%s: all %d readings have landed; %d were there before, %d were sent in %s\n",
			p.Path, p.Readings, got.Before, got.Sent, got.Took.Round(time.Millisecond))
	} else {
		im.screen.printf("%s: %d of %d readings have landed\n", p.Path, got.Landed, p.Readings)
	}
	return err
}

// tell is a line of progress.
func tell(g importer.Progress, all uint64) string {
	text := fmt.Sprintf("sent %d, stored %d, landed %d of %d readings", g.Sent, g.Stored, g.Landed, all)
	if fresh := g.Landed - min(g.Before, g.Landed); fresh > 0 {
		rate := float64(fresh) / g.Took.Seconds()
		left := time.Duration(float64(all-min(g.Landed, all)) / rate * float64(time.Second))
		text += fmt.Sprintf(", %.0f/s, %s left", rate, left.Round(time.Second))
	}
	return text
}
