package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/headwater-iot/headwater/gateway/internal/lake"
	scanner "github.com/headwater-iot/headwater/gateway/internal/lake/scan"
	"github.com/headwater-iot/headwater/gateway/internal/table"
	"github.com/headwater-iot/headwater/shared/cli"
)

// errUnbalanced ends `ledger` with a status that a monitor can see.
var errUnbalanced = errors.New("the ledger does not balance: readings are missing or there are too many; the lines marked NO say for which device")

// openReader opens the lake below the data directory that --data names.
func openReader(fs *flag.FlagSet, data string) (*lake.Reader, error) {
	if data == "" {
		return nil, cli.BadUsage(fs, "--data DIR is needed: the directory that `headwater-gateway run` was given")
	}
	if _, err := os.Stat(data); err != nil {
		return nil, fmt.Errorf("open %s: %w", data, err)
	}
	return lake.OpenReader(filepath.Join(data, "lake"))
}

func printJSON(out io.Writer, v any) error {
	enc := json.NewEncoder(out)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}

// tableLine is one line of `tables`, and one object of `tables --json`.
type tableLine struct {
	lake.TableInfo
	Freshness float64 `json:"freshness_seconds"` // since the last commit; -1 = never
}

func tables(ctx context.Context, fs *flag.FlagSet, parse func() ([]string, error), out io.Writer) error {
	data := fs.String("data", "", "the gateway's data `DIR`ectory")
	asJSON := fs.Bool("json", false, "print JSON")
	asLine := fs.Bool("line", false, "print one line, for a status display")
	if _, err := parse(); err != nil {
		return err
	}
	r, err := openReader(fs, *data)
	if err != nil {
		return err
	}
	defer r.Close()
	infos, err := r.Tables(ctx)
	if err != nil {
		return err
	}
	lines := make([]tableLine, len(infos))
	for i, t := range infos {
		lines[i] = tableLine{TableInfo: t, Freshness: -1}
		if !t.LastCommit.IsZero() {
			lines[i].Freshness = time.Since(t.LastCommit).Seconds()
		}
	}
	switch {
	case *asJSON:
		return printJSON(out, map[string]any{"tables": lines})
	case *asLine:
		return printLine(out, lines)
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "TABLE\tROWS\tFILES\tBYTES\tSNAPSHOTS\tFRESH\tMETADATA")
	for _, t := range lines {
		fmt.Fprintf(w, "%s\t%d\t%d\t%d\t%d\t%s\t%s\n", t.Name, t.Rows, t.Files, t.Bytes, t.Snapshots, fresh(t.Freshness), t.Metadata)
	}
	return w.Flush()
}

func fresh(seconds float64) string {
	if seconds < 0 {
		return "never"
	}
	return time.Duration(seconds * float64(time.Second)).Round(100 * time.Millisecond).String()
}

// printLine is what a person watches: how much is there and how fresh it is.
func printLine(out io.Writer, lines []tableLine) error {
	var parts []string
	for _, t := range lines {
		if t.Name == table.Readings {
			parts = append(parts, fmt.Sprintf("%d readings in %d files, %d bytes, last commit %s ago", t.Rows, t.Files, t.Bytes, fresh(t.Freshness)))
		} else if t.Name != table.Cursors && t.Rows > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", t.Rows, t.Name))
		}
	}
	_, err := fmt.Fprintln(out, strings.Join(parts, ", "))
	return err
}

func scan(ctx context.Context, fs *flag.FlagSet, parse func() ([]string, error), out io.Writer) error {
	data := fs.String("data", "", "the gateway's data `DIR`ectory")
	columns := fs.String("columns", "", "comma-separated `COLUMNS`; all if not given")
	where := fs.String("where", "", "`FILTER`, such as \"device = 'x' and event_time >= '2026-01-01T00:00:00Z'\"")
	snapshot := fs.Int64("snapshot", 0, "snapshot `ID`; the current one if not given")
	limit := fs.Int64("limit", 0, "at most `N` rows; 0 = all")
	format := fs.String("format", string(scanner.Table), "`FORMAT`: table, csv or jsonl")
	args, err := parse()
	if err != nil {
		return err
	}
	if len(args) != 1 {
		return cli.BadUsage(fs, "want one TABLE, such as readings; got %d", len(args))
	}
	if f := scanner.Format(*format); !slices.Contains([]scanner.Format{scanner.Table, scanner.CSV, scanner.JSONL}, f) {
		return cli.BadUsage(fs, "--format %s: want table, csv or jsonl", f)
	}
	r, err := openReader(fs, *data)
	if err != nil {
		return err
	}
	defer r.Close()
	req := lake.ScanRequest{Table: args[0], Where: *where, Snapshot: *snapshot, Limit: *limit}
	if *columns != "" {
		req.Columns = strings.Split(*columns, ",")
	}
	_, err = r.Write(ctx, req, scanner.Format(*format), out)
	return err
}
