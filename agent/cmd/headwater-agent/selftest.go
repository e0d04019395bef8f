package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/headwater-iot/headwater/agent/internal/sensor"
	"github.com/headwater-iot/headwater/agent/internal/sensor/roster"
	"github.com/headwater-iot/headwater/agent/internal/sensor/selftest"
	"github.com/headwater-iot/headwater/agent/internal/settings"
	"github.com/headwater-iot/headwater/shared/cli"
	"github.com/headwater-iot/headwater/shared/record"
)

func selfTest(ctx context.Context, fs flags, parse parse, out io.Writer) error {
	var only []string
	fs.Func("sensor", "only the sensor of this `NAME`; may be said several times", func(name string) error {
		only = append(only, name)
		return nil
	})
	asJSON := fs.Bool("json", false, "as JSON")
	s, err := load(fs, parse)
	if err != nil {
		return err
	}
	for _, name := range only {
		if !slices.ContainsFunc(s.Sensors, func(s roster.Settings) bool { return s.Name == name }) {
			return cli.BadUsage(fs, "the configuration has no sensor %q", name)
		}
	}
	if len(only) > 0 {
		s.Sensors = slices.DeleteFunc(s.Sensors, func(s roster.Settings) bool { return !slices.Contains(only, s.Name) })
	}
	results, err := tryAll(ctx, s)
	if err != nil {
		return err
	}
	if *asJSON {
		err = printJSON(out, results)
	} else {
		_, err = io.WriteString(out, table(results))
	}
	if err != nil {
		return fmt.Errorf("print the results: %w", err)
	}
	failed := 0
	for _, r := range results {
		if r.Err != nil {
			failed++
		}
	}
	if failed > 0 {
		return fmt.Errorf("%d of %d sensors failed", failed, len(results))
	}
	return nil
}

// tryAll plans each sensor by itself first: what cannot be planned, or hangs there, fails
// alone. The others are then planned together, because sensors of one line share it.
func tryAll(ctx context.Context, s settings.Settings) ([]selftest.Result, error) {
	s.Log.Level = "warn" // what sources say of themselves at their start is not asked for here
	deps := roster.Deps{Logger: logger(s.Log, os.Stderr), Now: time.Now}
	looks := make([]sensor.Plan, 0, len(s.Sensors))
	for _, one := range s.Sensors {
		looks = append(looks, sensor.Plan{Name: one.Name, Timeout: cmp.Or(one.Timeout, planTimeout), Open: func(context.Context) (sensor.Driver, error) {
			_, err := roster.Plans([]roster.Settings{one}, deps)
			return planned{}, err
		}})
	}
	results := selftest.Run(ctx, looks)
	var good []roster.Settings
	for i, r := range results {
		if r.Err == nil {
			good = append(good, s.Sensors[i])
		}
	}
	plans, err := roster.Plans(good, deps)
	if err != nil {
		return nil, err
	}
	read := selftest.Run(ctx, plans)
	for i := range results {
		if results[i].Err == nil {
			results[i], read = read[0], read[1:]
		}
	}
	return results, nil
}

// planTimeout is for what a plan looks at: headers of files, devices that the kernel shows.
const planTimeout = 10 * time.Second

// planned is a sensor whose plan is all that is asked for.
type planned struct{}

// Read implements sensor.Driver.
func (planned) Read(context.Context) ([]record.Cell, error) { return nil, nil }

// table is for people.
func table(results []selftest.Result) string {
	rows := [][]string{{"SENSOR", "SERIES", "VALUE", "UNIT", "TOOK"}}
	for _, r := range results {
		took := r.Took.Round(100 * time.Microsecond).String()
		for _, c := range r.Cells {
			rows = append(rows, []string{r.Sensor, c.Series, inWords(c), c.Unit, took})
		}
	}
	var b strings.Builder
	if len(rows) > 1 {
		b.WriteString(columns(rows))
	}
	for _, r := range results {
		if r.Err == nil {
			fmt.Fprintf(&b, "ok    %s\n", r.Sensor)
			continue
		}
		fmt.Fprintf(&b, "FAIL  %s: %s\n", r.Sensor, strings.ReplaceAll(r.Err.Error(), "\n", "; "))
		if hint := selftest.Hint(r.Err); hint != "" {
			fmt.Fprintf(&b, "      %s\n", hint)
		}
	}
	if len(results) == 0 {
		b.WriteString("the configuration has no sensor\n")
	}
	return b.String()
}

// columns sets rows below each other.
func columns(rows [][]string) string {
	width := make([]int, len(rows[0]))
	for _, row := range rows {
		for i, cell := range row {
			width[i] = max(width[i], len(cell))
		}
	}
	var b strings.Builder
	for _, row := range rows {
		line := ""
		for i, cell := range row {
			line += fmt.Sprintf("%-*s  ", width[i], cell)
		}
		b.WriteString(strings.TrimRight(line, " ") + "\n")
	}
	return b.String()
}

// inWords says a value, and when its driver doubts it.
func inWords(c record.Cell) string {
	v := value(c)
	switch {
	case v == nil:
		return "-"
	case c.Quality&record.Suspect != 0:
		return fmt.Sprint(v, " (suspect)")
	case c.Kind == record.Float:
		return strconv.FormatFloat(c.Float, 'f', -1, 64)
	}
	return fmt.Sprint(v)
}

// value returns what JSON shows of a cell; nil is null.
func value(c record.Cell) any {
	switch {
	case c.Null, c.Kind == record.Float && (math.IsNaN(c.Float) || math.IsInf(c.Float, 0)):
		return nil
	case c.Kind == record.Float:
		return c.Float
	case c.Kind == record.Bool:
		return c.Int != 0
	case c.Kind == record.Int:
		return c.Int
	case c.Kind == record.Uint:
		return c.Uint
	case c.Kind == record.Bytes:
		return []byte(c.Text)
	}
	return c.Text
}

// printJSON is for programs.
func printJSON(out io.Writer, results []selftest.Result) error {
	type reading struct {
		Series  string         `json:"series"`
		Value   any            `json:"value"`
		Unit    string         `json:"unit,omitempty"`
		Quality record.Quality `json:"quality"`
	}
	type sensor struct {
		Sensor   string    `json:"sensor"`
		OK       bool      `json:"ok"`
		Took     float64   `json:"took_seconds"`
		Readings []reading `json:"readings"`
		Error    string    `json:"error,omitempty"`
		Hint     string    `json:"hint,omitempty"`
	}
	all := make([]sensor, 0, len(results))
	for _, r := range results {
		s := sensor{Sensor: r.Sensor, OK: r.Err == nil, Took: r.Took.Seconds(), Readings: []reading{}}
		for _, c := range r.Cells {
			s.Readings = append(s.Readings, reading{c.Series, value(c), c.Unit, c.Quality})
		}
		if r.Err != nil {
			s.Error, s.Hint = r.Err.Error(), selftest.Hint(r.Err)
		}
		all = append(all, s)
	}
	return json.NewEncoder(out).Encode(all)
}
