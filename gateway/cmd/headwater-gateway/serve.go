package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"runtime/debug"

	"github.com/headwater-iot/headwater/gateway/internal/app"
	"github.com/headwater-iot/headwater/gateway/internal/lake"
	"github.com/headwater-iot/headwater/gateway/internal/settings"
	"github.com/headwater-iot/headwater/shared/buildinfo"
	"github.com/headwater-iot/headwater/shared/cli"
	"github.com/headwater-iot/headwater/shared/volatile"
)

func runGateway(ctx context.Context, fs *flag.FlagSet, parse func() ([]string, error), _ io.Writer) error {
	config := fs.String("config", "", "configuration `FILE`; the defaults need none")
	data := fs.String("data", "", "data `DIR`ectory: lake/ is to be backed up, state/ is disposable")
	mqtt := fs.String("mqtt", "", "`HOST:PORT` of the embedded MQTT broker (default "+settings.DefaultMQTT+", or a free port)")
	http := fs.String("http", "", "`HOST:PORT` of status page, health and metrics (default "+settings.DefaultHTTP+", or a free port)")
	announce := fs.String("announce", "", "write the addresses to this `FILE` as JSON once devices are served")
	insecure := fs.Bool("insecure-lan", false, "listen beyond loopback without TLS; stands as a health warning")
	verbose := fs.Bool("verbose", false, "log at level debug")
	if _, err := parse(); err != nil {
		return err
	}
	s, err := load(*config)
	if err != nil {
		return err
	}
	opt := app.Options{Announce: *announce, DefaultMQTT: *mqtt == "" && s.MQTT.Listen == settings.DefaultMQTT, DefaultHTTP: *http == "" && s.HTTP.Listen == settings.DefaultHTTP}
	override(&s.Data, *data)
	override(&s.MQTT.Listen, *mqtt)
	override(&s.HTTP.Listen, *http)
	s.MQTT.InsecureLAN = s.MQTT.InsecureLAN || *insecure
	if err := s.Check(); err != nil {
		return fmt.Errorf("%w: %w", cli.ErrConfig, err)
	}
	tune(s)
	level := slog.LevelInfo
	if *verbose {
		level = slog.LevelDebug
	}
	opt.Logger = slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: level}))
	opt.DieAt = os.Getenv("HEADWATER_DIE_AT")
	opt.Die = func() { os.Exit(137) } // no deferred call runs: what is on the disk is what a power cut leaves
	return app.Run(ctx, s, opt)
}

// tune bounds what garbage may add to the heap. The environment has the last word, as Go promises.
func tune(s settings.Settings) {
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(int64(s.Memory))
	}
}

func override(setting *string, flag string) {
	if flag != "" {
		*setting = flag
	}
}

// load reads the configuration, or returns the defaults where no file is named.
func load(path string) (settings.Settings, error) {
	if path == "" {
		return settings.Default(), nil
	}
	s, err := settings.Load(path)
	if err != nil {
		return s, fmt.Errorf("%w:\n%w", cli.ErrConfig, err)
	}
	return s, nil
}

func check(_ context.Context, fs *flag.FlagSet, parse func() ([]string, error), out io.Writer) error {
	config := fs.String("config", "", "configuration `FILE`")
	if _, err := parse(); err != nil {
		return err
	}
	s, err := load(*config)
	if err != nil {
		return err
	}
	text, err := s.YAML()
	if err != nil {
		return err
	}
	if why := volatile.Why(s.Data); s.Data != "" && why != "" {
		fmt.Fprintln(os.Stderr, volatile.Warning(s.Data, why))
	}
	_, err = fmt.Fprint(out, text)
	return err
}

func version(_ context.Context, fs *flag.FlagSet, parse func() ([]string, error), out io.Writer) error {
	asJSON := fs.Bool("json", false, "print JSON")
	if _, err := parse(); err != nil {
		return err
	}
	if *asJSON {
		return printJSON(out, map[string]string{"program": "headwater-gateway", "version": buildinfo.Version()})
	}
	_, err := fmt.Fprintln(out, buildinfo.Line("headwater-gateway"))
	return err
}

func steps(_ context.Context, _ *flag.FlagSet, parse func() ([]string, error), out io.Writer) error {
	if _, err := parse(); err != nil {
		return err
	}
	for _, s := range lake.Steps() {
		fmt.Fprintln(out, s)
	}
	return nil
}
