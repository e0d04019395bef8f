package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"time"

	"github.com/headwater-iot/headwater/gateway/internal/contract"
	"github.com/headwater-iot/headwater/gateway/internal/lake"
	"github.com/headwater-iot/headwater/gateway/internal/table"
	"github.com/headwater-iot/headwater/shared/cli"
)

// progressEvery is how many rows are read between two lines of progress.
const progressEvery = 5_000_000

func contractInit(ctx context.Context, fs *flag.FlagSet, parse func() ([]string, error), out io.Writer) error {
	data := fs.String("data", "", "the gateway's data `DIR`ectory")
	device := fs.String("device", "*", "the devices it is for: a `NAME`, with * for any letters")
	id := fs.String("id", "draft", "`ID` of the contract")
	where := fs.String("where", "", "`FILTER` of the readings to look at, such as \"event_time >= '2026-01-01T00:00:00Z'\"; all if not given")
	file := fs.String("out", "", "write to `FILE`, which must not exist yet; the terminal if not given")
	if _, err := parse(); err != nil {
		return err
	}
	if _, err := path.Match(*device, ""); err != nil {
		return cli.BadUsage(fs, "--device %q is no pattern", *device)
	}
	if *file != "" {
		if _, err := os.Lstat(*file); err == nil {
			return fmt.Errorf("%s is there already and would be lost: name another file", *file)
		}
	}
	r, err := openReader(fs, *data)
	if err != nil {
		return err
	}
	defer r.Close()
	seen, err := observe(ctx, r, *device, *where, fs.Output())
	if err != nil {
		return err
	}
	if seen.Empty() {
		return fmt.Errorf("no reading of devices %q has landed: there is nothing to draft a contract from", *device)
	}
	var patterns []string // the devices seen, so that it claims no others
	if *device != "*" {
		patterns = []string{*device}
	}
	draft := seen.Draft(*id, patterns)
	if _, err := contract.Parse(*id, draft); err != nil {
		return fmt.Errorf("draft contract: %w", err)
	}
	if *file == "" {
		_, err = out.Write(draft)
		return err
	}
	return create(*file, draft)
}

// observe looks at every reading of the devices.
func observe(ctx context.Context, r *lake.Reader, device, where string, progress io.Writer) (*contract.Observed, error) {
	var seen contract.Observed
	rows := 0
	req := lake.ScanRequest{Table: table.Readings, Columns: []string{"device", "series", "event_time", "unit", "value", "value_text", "value_int"}, Where: where}
	err := r.Scan(ctx, req, func([]string) error { return nil }, func(v []any) error {
		if rows++; rows%progressEvery == 0 {
			fmt.Fprintf(progress, "%d readings\n", rows)
		}
		name, _ := v[0].(string)
		if ok, err := path.Match(device, name); err != nil || !ok {
			return err
		}
		series, _ := v[1].(string)
		at, _ := v[2].(time.Time)
		unit, _ := v[3].(string)
		value := contract.Value{Integer: v[6] != nil}
		if number, ok := v[4].(float64); ok {
			value.Number = &number
		}
		if text, ok := v[5].(string); ok {
			value.Text = &text
		}
		seen.See(name, series, unit, at.UnixMicro(), value)
		return nil
	})
	return &seen, err
}

// create writes a file that was not there, or leaves none.
func create(name string, data []byte) error {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return fmt.Errorf("write contract: %w", err)
	}
	_, err = f.Write(data)
	if err = errors.Join(err, f.Close()); err != nil {
		return errors.Join(fmt.Errorf("write contract %s: %w", filepath.Base(name), err), os.Remove(name))
	}
	return nil
}
