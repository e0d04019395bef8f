package main

import (
	"context"
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

func importFlags(fs flags, parse parse) (f importer.Files, asJSON bool, err error) {
	o := &f.Options
	fs.StringVar(&f.Broker, "broker", "", "the gateway's broker, `tcp://HOST:PORT`")
	fs.StringVar(&f.Device, "device", "", "the `NAME` of the device that the readings are of")
	fs.StringVar(&o.TimeColumn, "time-column", "", "the `HEADER` of the time; by default the one called timestamp, time, date or alike")
	fs.StringVar(&o.TimeFormat, "time-format", "", "`FORMAT` of the times: iso, dmy, mdy, unix, unix_ms, unix_us, unix_ns, strftime (%d.%m.%Y %H:%M) or Go (02.01.2006 15:04)")
	fs.StringVar(&o.Timezone, "timezone", "", "`ZONE` of times that name none: UTC, +02:00 or Europe/Zurich")
	fs.StringVar(&o.Delimiter, "delimiter", "", "the `CHARACTER` between fields: , ; | or tab")
	fs.StringVar(&o.Decimal, "decimal", "", "the decimal `SIGN`: . or ,")
	fs.Func("column", "take the column with header name as `name=series:unit` (series or :unit may be left out); once for each; without any, all are taken",
		func(text string) error { return column(o, text) })
	fs.BoolVar(&f.AllowBad, "allow-bad-rows", false, "exit 0 though rows could not be read")
	fs.BoolVar(&f.AnyOrder, "any-order", false, "land even a file of years whose rows are in no order of time, as very many small files")
	fs.BoolVar(&f.DryRun, "dry-run", false, "read and check the files, send nothing")
	fs.DurationVar(&f.Stall, "give-up", 10*time.Minute, "exit when nothing new has been stored or landed for so long; 0 = never")
	fs.BoolVar(&asJSON, "json", false, "print the result as JSON")
	if f.Paths, err = parse(); err != nil {
		return f, asJSON, err
	}
	switch {
	case len(f.Paths) == 0:
		return f, asJSON, cli.BadUsage(fs, "no file to import")
	case !f.DryRun && !strings.Contains(f.Broker, "://"): // before the files are read, which may take minutes
		return f, asJSON, cli.BadUsage(fs, "--broker must be tcp://HOST:PORT, not %q", f.Broker)
	case record.CheckDevice(f.Device) != nil:
		return f, asJSON, cli.BadUsage(fs, "--device %q: %v", f.Device, record.ErrDevice)
	}
	return f, asJSON, nil
}

// column reads name=series:unit.
func column(o *csvfile.Options, text string) error {
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

func runImport(ctx context.Context, fs flags, parse parse, out io.Writer) error {
	files, asJSON, err := importFlags(fs, parse)
	if err != nil {
		return err
	}
	screen := newScreen(os.Stderr)
	files.Version, files.Screen, files.ListBad = buildinfo.Version(), screen, asJSON
	files.Log = slog.New(slog.NewTextHandler(screen, &slog.HandlerOptions{Level: slog.LevelWarn}))
	outcomes, err := files.Land(ctx)
	screen.clear()
	if !asJSON {
		return err
	}
	result := map[string]any{"device": files.Device, "ok": err == nil, "files": outcomes}
	if err != nil {
		result["error"] = err.Error()
	}
	in := json.NewEncoder(out)
	in.SetIndent("", " ")
	return errors.Join(err, in.Encode(result))
}
