package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"

	"github.com/headwater-iot/headwater/agent/internal/outbox"
	"github.com/headwater-iot/headwater/agent/internal/sampler"
	"github.com/headwater-iot/headwater/agent/internal/settings"
	"github.com/headwater-iot/headwater/agent/internal/timebase"
	"github.com/headwater-iot/headwater/agent/internal/uplink"
	"github.com/headwater-iot/headwater/shared/buildinfo"
	"github.com/headwater-iot/headwater/shared/durable"
	"github.com/headwater-iot/headwater/shared/health"
	"github.com/headwater-iot/headwater/shared/meter"
	"github.com/headwater-iot/headwater/shared/run"
	"github.com/headwater-iot/headwater/shared/service"
)

// App is an agent. Make one with New; Run it once.
type App struct {
	settings settings.Settings
	log      *slog.Logger
	meter    *meter.Registry
	health   *health.Board
	service  *service.Manager

	// Set by open, in this order.
	lock    *durable.Lock
	memory  bool // the data directory is on tmpfs, for want of one that can be written
	clock   *timebase.Clock
	ring    string // directory of the ring; "" = on the heap
	outbox  *outbox.Outbox
	sampler *sampler.Sampler
	uplink  *uplink.Uplink
	page    net.Listener // nil = no page
}

// New returns an agent with checked settings. It touches nothing yet.
func New(s settings.Settings, log *slog.Logger) *App {
	a := &App{settings: s, log: log, meter: meter.New(), health: health.NewLogged(log)}
	a.service = service.New(service.Config{Status: a.sentence, Logger: log, Health: a.health})
	return a
}

// Run opens the outbox and works until ctx ends. It returns nil after an orderly stop.
func (a *App) Run(ctx context.Context) (err error) {
	defer func() { err = errors.Join(err, a.close()) }()
	if err := a.open(ctx); err != nil {
		return err
	}
	a.log.Info("agent started", "version", buildinfo.Version(), "device", a.settings.Device, "epoch", a.outbox.Epoch(),
		"boot", a.clock.Boot(), "data", a.settings.Data, "sensors", len(a.settings.Sensors))
	stop := context.AfterFunc(ctx, func() {
		a.log.Info("stopping; a second signal leaves at once, and the readings are safe")
	})
	defer stop()
	return run.Run(ctx, a.log, a.stages()...)
}

// open makes everything that Run needs, sink first. What was made before an error is closed by close.
func (a *App) open(ctx context.Context) (err error) {
	if err := a.takeData(ctx); err != nil {
		return err
	}
	a.warnVolatile()
	if a.clock, err = a.openClock(); err != nil {
		return err
	}
	config := a.outboxConfig()
	sensors, err := a.sensors(&config)
	if err != nil {
		return err
	}
	if err := a.openOutbox(ctx, config); err != nil {
		return fmt.Errorf("open outbox in %s: %w", a.settings.Data, err)
	}
	a.lookBehind()
	a.sayClock()
	a.sampler, err = sampler.New(sampler.Config{
		Sensors: sensors, Clock: a.clock, Append: a.outbox.Append,
		Logger: a.log.With("system", "sampler"), Meter: a.meter, Health: a.health, Service: a.service,
	})
	if err != nil {
		return err
	}
	if a.uplink, err = uplink.New(a.uplinkConfig()); err != nil {
		return err
	}
	return a.listen()
}

// listen opens the status page, where one is wanted.
func (a *App) listen() (err error) {
	if a.settings.HTTP.Listen == "" {
		return nil
	}
	if a.page, err = net.Listen("tcp", a.settings.HTTP.Listen); err != nil {
		return fmt.Errorf("status page: %w (http.listen: 127.0.0.1:0 takes a free port)", err)
	}
	a.log.Info("status page", "url", "http://"+a.page.Addr().String()+"/")
	return nil
}

// close lets go of everything, source first. The outbox writes what has not landed to flash.
func (a *App) close() error {
	var errs []error
	if a.page != nil {
		_ = a.page.Close() // closed already when its stage ran
	}
	if a.outbox != nil {
		if err := a.outbox.Close(); err != nil {
			errs = append(errs, fmt.Errorf("close outbox: %w", err))
		} else if a.ring != "" {
			_ = os.Remove(a.ring) // empty when all is on flash; what flash did not take waits in it for the next start
		}
	}
	if a.lock != nil {
		errs = append(errs, a.lock.Close())
	}
	a.health.Close()
	return errors.Join(errs...)
}
