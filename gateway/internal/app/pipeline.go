package app

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/headwater-iot/headwater/gateway/internal/commit"
	"github.com/headwater-iot/headwater/gateway/internal/console"
	"github.com/headwater-iot/headwater/gateway/internal/control"
	"github.com/headwater-iot/headwater/gateway/internal/intake"
	"github.com/headwater-iot/headwater/gateway/internal/land"
	"github.com/headwater-iot/headwater/gateway/internal/log"
	"github.com/headwater-iot/headwater/gateway/internal/profile"
	"github.com/headwater-iot/headwater/shared/buildinfo"
	"github.com/headwater-iot/headwater/shared/run"
)

// stopCommitWithin is how long landing may take to stop: the last commit has the longest way.
const stopCommitWithin = commit.StopWithin + 5*time.Second

// stages lists the running parts, sink first: they start in this order and stop in the reverse one.
func (g *Gateway) stages() []run.Stage {
	logger := g.opt.Logger
	lander := land.New(land.Config{
		Log: g.log.ID(), Lookup: g.lake.Cursor, Logger: logger, Meter: g.meter, Health: g.board, Attempts: g.attempts,
		Opening: dieOpening(g.opt), Key: g.pseudonyms, Kept: g.lake, Decided: g.verdicts.tell,
	})
	g.intake = intake.New(intake.Config{
		Log:  intakeLog{g.log, g.lake},
		Lake: g.lake.ID(), LogID: g.log.ID(), Start: g.log.Start(), Partitions: g.log.Partitions(),
		Publisher: g.door, Logger: logger, Meter: g.meter, Health: g.board, Pulse: g.service.Pulse("intake"),
	})
	loop := commit.New(commit.Config{
		Lake: commitLake{g.lake}, Log: landLog{g.log, g.progress}, Lander: lander, Outcome: outcome,
		LogID: g.log.ID(), Partitions: g.log.Partitions(),
		Every: g.settings.Commit.Every, Stretch: g.settings.Commit.Stretch, Bytes: int64(g.settings.Commit.Bytes),
		Loaded: g.intake.Loaded, Landed: g.intake.Landed, Devices: g.lake.ReplaceDevices,
		Logger: logger, Meter: g.meter, Health: g.board, Pulse: g.service.Pulse("landing"),
	})
	g.console = console.New(console.Config{
		Version: buildinfo.Version(), MQTT: g.door.Addr(), Data: g.settings.Data, Started: time.Now(),
		Metrics: g.meter, Board: g.board, Tables: g.tables,
	})
	profiles := profile.NewJob(profile.Config{
		Lake: profileLake{g.lake}, Every: g.settings.Profile.Every, Logger: logger, Meter: g.meter,
	})
	replayed := make(chan struct{})
	return []run.Stage{
		{Name: "watchdog", Run: g.service.Watch},
		{Name: "log", Run: g.log.Watch},
		{Name: "console", Run: func(ctx context.Context) error { return g.console.Serve(ctx, g.http) }},
		{Name: "maintain", Run: g.maintain},
		{Name: "profile", Run: profiles.Run},
		{Name: "acks", Run: g.intake.Run},
		{Name: "replay", Run: func(ctx context.Context) error { return g.replay(ctx, replayed) }, Ready: replayed},
		{Name: "land", Run: func(ctx context.Context) error {
			devices, err := g.lake.LoadDevices(ctx)
			if err != nil {
				return err
			}
			lander.LoadDevices(devices)
			return loop.Run(ctx)
		}, Ready: loop.Ready(), StopWithin: stopCommitWithin},
		{Name: "control", Run: func(ctx context.Context) error { return control.Serve(ctx, g.control, g.commands()) }},
		{Name: "front door", Run: g.serveDevices},
		{Name: "service", Run: g.service.Serve},
	}
}

// replay tells intake what is stored. Intake takes messages once it has heard the cursors too.
func (g *Gateway) replay(ctx context.Context, done chan<- struct{}) error {
	marks, _, err := g.lake.Marks(ctx)
	if err != nil {
		return err
	}
	pulse := g.service.Pulse("replay")
	defer pulse.Rest()
	var odd error
	err = replay(ctx, g.log, marks, func(e log.Entry) {
		pulse.Due(0)
		if e.Kind == log.Contract {
			odd = errors.Join(odd, g.contracts.Take(e.Partition, e.Payload))
			return
		}
		g.intake.Replay(uint8(e.Kind), e.Client, e.Payload)
	})
	if err != nil {
		return err
	}
	if odd != nil {
		return fmt.Errorf("replay the log: %w", odd)
	}
	g.levelContracts(ctx)
	pulse.Rest()
	g.intake.Open()
	close(done)
	<-ctx.Done() // a stage that has nothing more to do is not one that failed
	return nil
}

// commands are what the control socket does.
func (g *Gateway) commands() http.Handler {
	mux := http.NewServeMux()
	control.Handle(mux, QuarantinePath, g.decide)
	control.Handle(mux, ContractPath, g.changeContracts)
	return mux
}

// serveDevices is the last to start and the first to stop.
func (g *Gateway) serveDevices(ctx context.Context) error {
	if err := g.announce(); err != nil {
		return err
	}
	g.console.SetReady(true)
	defer g.console.SetReady(false)
	return g.door.Run(ctx, g.intake)
}
