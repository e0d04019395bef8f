package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"github.com/headwater-iot/headwater/agent/internal/sensor/probe"
	"github.com/headwater-iot/headwater/agent/internal/sensor/roster"
	"github.com/headwater-iot/headwater/shared/cli"
)

// probeHead stands above what was found.
const probeHead = `# What headwater-agent probe found. It is a configuration as it stands: add device, site and
# uplink, take out what you do not want, then try it with headwater-agent selftest --config FILE.
`

func probeAll(ctx context.Context, fs flags, parse parse, out io.Writer) error {
	o := probe.Options{Chips: roster.Chips()}
	fs.Func("bus", "only this I2C bus `N`, such as 1 or /dev/i2c-1; sim is the simulated one; may be said several times",
		func(names string) error {
			o.Buses = append(o.Buses, strings.Split(names, ",")...)
			return nil
		})
	fs.StringVar(&o.Root, "root", "", "the `DIR`ectory in which sys, proc and dev are, in place of /; I2C buses only with --bus")
	asJSON := fs.Bool("json", false, "as JSON")
	rest, err := parse()
	switch {
	case err != nil:
		return err
	case len(rest) > 0:
		return cli.BadUsage(fs, "unexpected %q", rest[0])
	}
	if o.Root != "" {
		if o.Root, err = filepath.Abs(o.Root); err != nil {
			return fmt.Errorf("find root: %w", err)
		}
	}
	found, err := probe.Scan(ctx, o)
	if err != nil {
		return fmt.Errorf("probe: %w", err)
	}
	config := probeHead + found.YAML()
	if *asJSON {
		return json.NewEncoder(out).Encode(struct {
			probe.Report
			Config string `json:"config"`
		}{found, config})
	}
	_, err = io.WriteString(out, config)
	return err
}
