package roster

import (
	"context"

	"github.com/headwater-iot/headwater/agent/internal/sensor"
	"github.com/headwater-iot/headwater/agent/internal/sensor/modbus"
	"github.com/headwater-iot/headwater/agent/internal/sensor/nmea"
	"github.com/headwater-iot/headwater/agent/internal/sensor/plugin"
)

func planModbus(s *Settings, d Deps, p *sensor.Plan) error {
	settings := *s.Modbus
	if err := d.lines.Claim(settings); err != nil {
		return err
	}
	p.Announce = settings.Announce()
	p.Open = func(ctx context.Context) (sensor.Driver, error) {
		device, err := modbus.Open(ctx, settings, d.lines)
		if err != nil {
			return nil, err // and not a nil *Device in an interface
		}
		return device, nil
	}
	return nil
}

func planNMEA(s *Settings, d Deps, p *sensor.Plan) error {
	settings := *s.NMEA
	p.Announce = settings.Announce()
	p.Open = func(ctx context.Context) (sensor.Driver, error) {
		receiver, err := nmea.Open(ctx, settings, s.Name, d.Meter)
		if err != nil {
			return nil, err // and not a nil *Receiver in an interface
		}
		return receiver, nil
	}
	return nil
}

func planExec(s *Settings, d Deps, p *sensor.Plan) error {
	program := plugin.New(*s.Exec, plugin.Config{
		Name: s.Name, Prefix: s.Prefix, Silence: s.Timeout, Logger: d.Logger, Meter: d.Meter,
	})
	p.Announce = program.Announce()
	if s.Exec.Mode != plugin.Stream {
		p.Open = func(context.Context) (sensor.Driver, error) { return program, nil }
		return nil
	}
	for i := range p.Announce {
		p.Announce[i].Series = s.Prefix + p.Announce[i].Series
	}
	p.Source, p.OriginalTimes = program, s.Exec.OwnTimes
	p.Interval, p.Prefix = 0, "" // its rows come when they come, under their full names
	return nil
}
