package app

import (
	"context"
	"time"

	"github.com/headwater-iot/headwater/agent/internal/outbox"
	"github.com/headwater-iot/headwater/agent/internal/sampler"
	"github.com/headwater-iot/headwater/agent/internal/sensor"
	"github.com/headwater-iot/headwater/agent/internal/sensor/roster"
	"github.com/headwater-iot/headwater/agent/internal/status"
	"github.com/headwater-iot/headwater/agent/internal/uplink"
	"github.com/headwater-iot/headwater/shared/buildinfo"
	"github.com/headwater-iot/headwater/shared/run"
)

// stages returns the river from its mouth up: run starts them in this order and stops them in reverse.
func (a *App) stages() []run.Stage {
	stages := []run.Stage{
		{Name: "watchdog", Run: a.service.Watch},
		{Name: "outbox", Run: a.outbox.Run},
		{Name: "uplink", Run: a.uplink.Run},
		{Name: "seal", Run: a.seal}, // after the last sample and before the uplink drains
		{Name: "sampler", Run: a.sampler.Run},
		{Name: "service", Run: a.service.Serve},
	}
	if a.page == nil {
		return stages
	}
	page := status.Page{Snapshot: a.snapshot, Meter: a.meter}
	serve := func(ctx context.Context) error { return page.Serve(ctx, a.page) }
	return append([]run.Stage{{Name: "status", Run: serve}}, stages...) // it shows the others stop
}

// seal waits for the sampler to end and seals what it left.
func (a *App) seal(ctx context.Context) error {
	<-ctx.Done()
	return a.outbox.Seal()
}

// sensors returns the configured sensors, and sets what the outbox has to know of them.
func (a *App) sensors(o *outbox.Config) ([]sampler.Sensor, error) {
	plans, err := roster.Plans(a.settings.Sensors, roster.Deps{Logger: a.log.With("system", "sensor"), Meter: a.meter, Now: time.Now})
	if err != nil {
		return nil, err
	}
	o.Rate = sensor.Rate(plans)
	var all []sampler.Sensor
	for _, plan := range plans {
		s := sampler.Sensor{
			Name: plan.Name, Prefix: plan.Prefix, Interval: plan.Interval, Timeout: plan.Timeout, Stuck: plan.Stuck,
			Announce: plan.Announce, Source: plan.Source,
		}
		if plan.Open != nil {
			s.Open = func(ctx context.Context) (sampler.Driver, error) { return plan.Open(ctx) }
		}
		o.OriginalTimes = o.OriginalTimes || plan.OriginalTimes
		all = append(all, s)
	}
	return all, nil
}

func (a *App) outboxConfig() outbox.Config {
	s := a.settings
	if a.ring = ringDir(s.RunDir, s.Device, s.Data); a.ring == "" {
		a.log.Warn("no tmpfs: the ring is on the heap, and the death of this process takes what is younger than flush_interval",
			"tried", s.RunDir, "flush_interval", s.Outbox.FlushInterval)
	} else {
		a.log.Info("ring on tmpfs", "dir", a.ring)
	}
	return outbox.Config{
		Device: s.Device, Boot: a.clock.Boot(), Dir: s.Data, RingDir: a.ring,
		FlushInterval: s.Outbox.FlushInterval, RingBytes: int(s.Outbox.RingSize),
		Quota: int64(s.Outbox.Quota), Reserve: int64(s.Outbox.Reserve), Policy: outbox.Policy(s.Outbox.OnFull),
		Promise: func() int64 { return a.sampler.Promise() }, // asked when there are rows, which come from it
		Clock:   a.clock, Floor: a.clock.Floor, Log: a.log, Meter: a.meter, Health: a.health, Pulse: a.service.Pulse("outbox"),
	}
}

func (a *App) uplinkConfig() uplink.Config {
	s := a.settings
	return uplink.Config{
		Broker: s.Uplink.Broker, Device: s.Device, Version: buildinfo.Version(), Boot: a.clock.Boot(),
		Site: s.Site, Owner: s.Owner, Tags: s.Tags, Schedule: a.sampler.Schedule(),
		Queue: queue{a.outbox}, Teller: queue{a.outbox}, Clock: a.clock, Wake: a.outbox.Wake(),
		Log: a.log, Meter: a.meter, Health: a.health, Pulse: a.service.Pulse("uplink"),
	}
}

// snapshot is what the status page shows.
func (a *App) snapshot() status.Snapshot {
	bytes, batches := a.outbox.Backlog()
	s := status.Snapshot{
		Device: a.settings.Device, Version: buildinfo.Version(),
		Epoch: a.outbox.Epoch().String(), Boot: a.clock.Boot().String(),
		Clock: clockState(a.clock), Bytes: bytes, Batches: batches,
		Conditions: a.health.Snapshot(),
	}
	for _, x := range a.sampler.Status() {
		s.Sensors = append(s.Sensors, status.Sensor(x))
	}
	return s
}

// queue is the outbox as the uplink sees it: neither stage knows the other's types.
type queue struct{ *outbox.Outbox }

// Next implements uplink.Queue.
func (q queue) Next(lane uplink.Lane, skip func(uplink.Ref) bool) (uplink.Batch, bool) {
	from := outbox.Live
	if lane == uplink.Backlog {
		from = outbox.Backlog
	}
	b, ok := q.Outbox.Next(from, func(r outbox.Ref) bool { return skip(uplink.Ref(r)) })
	return uplink.Batch{Ref: uplink.Ref(b.Ref), Anchor: b.Anchor, Sealed: b.Sealed}, ok
}

// Verify implements uplink.Queue.
func (q queue) Verify(r uplink.Ref) bool { return q.Outbox.Verify(outbox.Ref(r)) }

// Report implements uplink.Teller.
func (q queue) Report() uplink.Report {
	r := q.Outbox.Report()
	return uplink.Report{Epochs: r.Epochs, Anchors: r.Anchors, Bytes: r.Bytes, Batches: r.Batches}
}
