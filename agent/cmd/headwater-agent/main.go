// Headwater-agent reads the sensors of a device and carries the readings to a gateway.
package main

import (
	"cmp"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"runtime"
	"runtime/debug"

	"github.com/headwater-iot/headwater/agent/internal/app"
	"github.com/headwater-iot/headwater/agent/internal/settings"
	"github.com/headwater-iot/headwater/shared/buildinfo"
	"github.com/headwater-iot/headwater/shared/cli"
	"github.com/headwater-iot/headwater/shared/volatile"
)

// program is what the program is called in what it prints.
const program = "headwater-agent"

// gcPercent trades a little CPU for a third of the idle memory.
const gcPercent = 30

func main() {
	os.Exit(cli.Main(program, commands(), os.Args[1:], os.Stdout, os.Stderr))
}

func commands() []cli.Command {
	return []cli.Command{
		{Name: "run", Args: "--config FILE [--data DIR]", Summary: "sample, keep and send until SIGTERM; a second signal leaves at once", Run: runAgent},
		{Name: "import", Args: "--broker tcp://HOST:PORT --device NAME [flags] FILE.csv...", Summary: "land CSV files, each reading once however often the same file is run; a file that has grown is another one", Run: runImport},
		{Name: "check", Args: "--config FILE [--data DIR]", Summary: "check a configuration and print all of it, defaults included", Run: check},
		{Name: "selftest", Args: "--config FILE [--sensor NAME] [--json]", Summary: "read every sensor once; fails when one does", Run: selfTest},
		{Name: "probe", Args: "[--bus N]... [--root DIR] [--json]", Summary: "look for sensors and print them as configuration", Run: probeAll},
		{Name: "version", Args: "[--json]", Summary: "print the version", Run: version},
	}
}

type (
	flags = *flag.FlagSet
	parse = func() ([]string, error)
)

// load reads the flags that run and check share, and the configuration.
func load(fs flags, parse parse) (settings.Settings, error) {
	config := fs.String("config", "", "the configuration `FILE` (YAML)")
	data := fs.String("data", "", "the data `DIR`ectory, in place of the one in the file")
	rest, err := parse()
	switch {
	case err != nil:
		return settings.Settings{}, err
	case len(rest) > 0:
		return settings.Settings{}, cli.BadUsage(fs, "unexpected %q", rest[0])
	case *config == "":
		return settings.Settings{}, cli.BadUsage(fs, "--config FILE is missing; configs/agent.sim.yaml needs no hardware")
	}
	s, err := settings.Load(*config)
	if err != nil {
		return s, fmt.Errorf("%w:\n%w", cli.ErrConfig, err)
	}
	s.Data = cmp.Or(*data, s.Data)
	return s, nil
}

func runAgent(ctx context.Context, fs flags, parse parse, _ io.Writer) error {
	s, err := load(fs, parse)
	if err != nil {
		return err
	}
	tune(s)
	return app.New(s, logger(s.Log, os.Stderr)).Run(ctx)
}

func check(_ context.Context, fs flags, parse parse, out io.Writer) error {
	s, err := load(fs, parse)
	if err != nil {
		return err
	}
	text, err := s.YAML()
	if err != nil {
		return err
	}
	if why := volatile.Why(s.Data); why != "" {
		fmt.Fprintln(os.Stderr, volatile.Warning(s.Data, why))
	}
	_, err = io.WriteString(out, text)
	return err
}

func version(_ context.Context, fs flags, parse parse, out io.Writer) error {
	asJSON := fs.Bool("json", false, "as JSON")
	rest, err := parse()
	switch {
	case err != nil:
		return err
	case len(rest) > 0:
		return cli.BadUsage(fs, "unexpected %q", rest[0])
	case *asJSON:
		return json.NewEncoder(out).Encode(map[string]string{
			"program": program, "version": buildinfo.Version(), "go": runtime.Version(), "os": runtime.GOOS, "arch": runtime.GOARCH,
		})
	}
	_, err = fmt.Fprintln(out, buildinfo.Line(program))
	return err
}

// tune keeps the heap of a small device small. The environment has the last word, as Go promises.
func tune(s settings.Settings) {
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(int64(s.Memory))
	}
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
}

// logger returns the logger of the settings, which are checked.
func logger(l settings.Log, w io.Writer) *slog.Logger {
	var level slog.Level
	_ = level.UnmarshalText([]byte(l.Level)) // one of the four names
	o := &slog.HandlerOptions{Level: level}
	if l.Format == "json" {
		return slog.New(slog.NewJSONHandler(w, o))
	}
	return slog.New(slog.NewTextHandler(w, o))
}
