package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/headwater-iot/headwater/gateway/internal/bind"
	"github.com/headwater-iot/headwater/gateway/internal/console"
	"github.com/headwater-iot/headwater/gateway/internal/control"
	"github.com/headwater-iot/headwater/gateway/internal/intake"
	"github.com/headwater-iot/headwater/gateway/internal/lake"
	"github.com/headwater-iot/headwater/gateway/internal/land"
	"github.com/headwater-iot/headwater/gateway/internal/log"
	"github.com/headwater-iot/headwater/gateway/internal/settings"
	"github.com/headwater-iot/headwater/shared/buildinfo"
	"github.com/headwater-iot/headwater/shared/durable"
	"github.com/headwater-iot/headwater/shared/health"
	"github.com/headwater-iot/headwater/shared/meter"
	"github.com/headwater-iot/headwater/shared/run"
	"github.com/headwater-iot/headwater/shared/service"
)

// Options are what a command line adds to the settings.
type Options struct {
	Logger      *slog.Logger
	Announce    string // file for the addresses, "" = none
	DefaultMQTT bool   // nobody asked for the MQTT address: a busy port is replaced
	DefaultHTTP bool   // the same for HTTP
	DieAt       string // step of a commit, or "open CLIENT", at which Die is called, "" = none (tests)
	Die         func() // ends the process as kill -9 would; only main may do that

	Grace time.Duration // of a stage that hangs; 0 = the default (tests)
}

// Gateway is an assembled gateway. Its stages run in Run.
type Gateway struct {
	settings settings.Settings
	opt      Options
	meter    *meter.Registry
	board    *health.Board
	service  *service.Manager

	state    *durable.Lock
	lake     *lake.Lake
	log      *log.Log
	attempts *land.Attempts
	door     wayIn
	http     net.Listener
	control  net.Listener
	verdicts *verdicts

	progress   *progress
	contracts  *contracts
	pseudonyms []byte // the key of them

	intake  *intake.Intake
	console *console.Console
}

// Run runs a gateway until ctx ends.
func Run(ctx context.Context, s settings.Settings, opt Options) error {
	g := &Gateway{settings: s, opt: opt, meter: meter.New(), board: health.NewLogged(opt.Logger), verdicts: newVerdicts(), progress: newProgress()}
	g.service = service.New(service.Config{Grace: opt.Grace, Status: g.sentence, Logger: opt.Logger, Health: g.board})
	if err := g.open(ctx); err != nil {
		return errors.Join(err, g.close())
	}
	err := run.Run(ctx, opt.Logger, g.stages()...)
	return errors.Join(err, g.close())
}

// open opens everything that touches disk or network, sink first.
func (g *Gateway) open(ctx context.Context) (err error) {
	g.meter.Gauge("headwater_build_info", "1; the label is the version.", "version", buildinfo.Version()).Set(1)
	if err := (durable.Disk{}).MkdirAll(g.settings.State(), 0o755); err != nil {
		return fmt.Errorf("make the state directory: %w", err)
	}
	g.warnVolatile()
	if g.state, err = durable.LockFile(filepath.Join(g.settings.State(), "LOCK")); err != nil {
		return err
	}
	g.lake, err = lake.Open(ctx, lake.Config{
		Dir: g.settings.Lake(), Logger: g.opt.Logger, Meter: g.meter, Partitions: g.settings.Log.Partitions, Step: dieAt(g.opt),
		ReservePercent: g.settings.Commit.ReservePercent, Health: g.board,
	})
	if err != nil {
		return err
	}
	g.log, err = log.Open(log.Config{
		Dir: filepath.Join(g.settings.State(), "log"), Partitions: g.settings.Log.Partitions,
		SegmentBytes: int64(g.settings.Log.Segment), ReservePercent: g.settings.Log.ReservePercent,
		SharePercent: g.settings.Log.SharePercent,
		Logger:       g.opt.Logger, Meter: g.meter, Health: g.board, Pulse: g.service.Pulse("log"),
	})
	if err != nil {
		return err
	}
	if err := g.openContracts(ctx); err != nil {
		return err
	}
	if g.attempts, err = land.OpenAttempts(g.settings.State(), g.opt.Logger); err != nil {
		return err
	}
	if g.door, err = g.openDoor(); err != nil {
		return err
	}
	if g.control, err = control.Listen(g.settings.State()); err != nil {
		return err
	}
	g.http, err = g.listenHTTP()
	return err
}

// listenHTTP listens for the operator. That others may read there stands in health, like what frontdoor says of devices.
func (g *Gateway) listenHTTP() (net.Listener, error) {
	a := bind.Address{
		What: "HTTP", Listen: g.settings.HTTP.Listen, OtherPort: g.opt.DefaultHTTP, InsecureLAN: g.settings.MQTT.InsecureLAN,
	}
	l, err := a.Bind(g.opt.Logger)
	if err != nil {
		return nil, err
	}
	if open, _ := a.Open(); open { // Bind has looked already
		g.board.Raise(&health.Condition{
			Code: "insecure-http", Severity: health.Warning, Title: "Anyone on the network can read status and metrics: HTTP has no TLS and no credentials",
		}, l.Addr().String())
	}
	return l, nil
}

// close gives back what open took, in reverse.
func (g *Gateway) close() error {
	var errs []error
	closing := func(open bool, c interface{ Close() error }) {
		if open {
			errs = append(errs, c.Close())
		}
	}
	closing(g.door != nil, g.door)
	closing(g.attempts != nil, g.attempts)
	closing(g.log != nil, g.log)
	closing(g.lake != nil, g.lake)
	closing(g.state != nil, g.state)
	if g.http != nil {
		_ = g.http.Close() // the console has closed it if it ran
	}
	if g.control != nil {
		_ = g.control.Close() // so has its stage
	}
	return errors.Join(errs...)
}

// announcement is where a script finds the gateway.
type announcement struct {
	MQTT string `json:"mqtt"`
	HTTP string `json:"http"`
	PID  int    `json:"pid"`
}

// announce says where devices are served.
func (g *Gateway) announce() error {
	a := announcement{MQTT: g.door.Addr(), HTTP: g.http.Addr().String(), PID: os.Getpid()}
	g.opt.Logger.Info("ready", "mqtt", a.MQTT, "http", "http://"+a.HTTP+"/", "data", g.settings.Data,
		"lake_id", g.lake.ID().String(), "log_id", g.log.ID().String(), "version", buildinfo.Version())
	if g.opt.Announce == "" {
		return nil
	}
	text, err := json.MarshalIndent(a, "", "  ")
	if err != nil {
		return err
	}
	if err := (durable.Disk{}).WriteFile(g.opt.Announce, append(text, '\n'), 0o644); err != nil {
		return fmt.Errorf("announce the addresses: %w", err)
	}
	return nil
}

// maintain keeps the lake tidy. A failure is logged and tried again: it gates nothing.
func (g *Gateway) maintain(ctx context.Context) error {
	tick := time.NewTicker(g.settings.Maintain.Every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		g.describe(ctx)
		if err := g.lake.Maintain(ctx); err != nil && ctx.Err() == nil {
			g.opt.Logger.Warn("maintenance did not finish; it is tried again", "error", err, "in", g.settings.Maintain.Every)
		}
	}
}

// tables reads what the status page shows, as any reader would.
func (g *Gateway) tables(ctx context.Context) ([]console.Table, error) {
	r, err := lake.OpenReader(g.settings.Lake())
	if err != nil {
		return nil, err
	}
	defer r.Close()
	infos, err := r.Tables(ctx)
	out := make([]console.Table, len(infos))
	for i, t := range infos {
		out[i] = console.Table{
			Name: t.Name, Rows: t.Rows, Files: t.Files, Bytes: t.Bytes, Snapshots: t.Snapshots, LastCommit: t.LastCommit, Metadata: t.Metadata,
		}
	}
	return out, err
}

// dieOpening ends the process whenever a batch of the client named by "open CLIENT" is opened, as a batch would that no
// recover can save the process from.
func dieOpening(opt Options) func(client string) {
	victim, asked := strings.CutPrefix(opt.DieAt, "open ")
	if !asked {
		return nil
	}
	return func(client string) {
		if client == victim {
			opt.Logger.Warn("dying as asked", "client", client)
			opt.Die()
		}
	}
}

// dieAt ends the process when a commit reaches the named step for the second time: the first commit of a lake is
// not the usual one.
func dieAt(opt Options) func(string) error {
	if opt.DieAt == "" {
		return nil
	}
	seen := 0
	return func(step string) error {
		if step == opt.DieAt {
			if seen++; seen == 2 {
				opt.Logger.Warn("dying as asked", "step", step)
				opt.Die()
			}
		}
		return nil
	}
}
