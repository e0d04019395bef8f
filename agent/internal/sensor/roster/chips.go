package roster

import (
	"context"
	"hash/fnv"

	"periph.io/x/conn/v3/i2c"

	"github.com/headwater-iot/headwater/agent/internal/sensor"
	"github.com/headwater-iot/headwater/agent/internal/sensor/ads1115"
	"github.com/headwater-iot/headwater/agent/internal/sensor/bme280"
	"github.com/headwater-iot/headwater/agent/internal/sensor/bus"
	"github.com/headwater-iot/headwater/agent/internal/sensor/ds18b20"
	"github.com/headwater-iot/headwater/agent/internal/sensor/ina219"
	"github.com/headwater-iot/headwater/agent/internal/sensor/mcp9808"
	"github.com/headwater-iot/headwater/agent/internal/sensor/sht4x"
	"github.com/headwater-iot/headwater/agent/internal/sensor/simbus"
	"github.com/headwater-iot/headwater/shared/record"
)

// Chips returns the kinds that sit on an I2C bus, in the order in which a chip is
// best asked whether it is one of them: the surest and most harmless questions first.
func Chips() []bus.Chip {
	return []bus.Chip{bme280.Chip(), mcp9808.Chip(), ads1115.Chip(), ina219.Chip(), sht4x.Chip(), ds18b20.Chip()}
}

// onBus plans a chip: what it announces, and its opening on a bus. A simulated bus
// lives as long as the plan, with this one chip on it.
func onBus[S interface{ Announce() []record.Cell }, D sensor.Driver](
	s *Settings, p *sensor.Plan, settings S, place bus.Place, sim simbus.Config,
	drive func(context.Context, i2c.BusCloser, S) (D, error),
) {
	open := func() (i2c.BusCloser, error) { return bus.Open(place.Bus) }
	if place.Simulated() {
		if sim.Seed = place.Seed; sim.Seed == 0 {
			sim.Seed = seedOf(s.Name)
		}
		b := simbus.New(sim)
		open = func() (i2c.BusCloser, error) { return b.Open(), nil }
	}
	p.Announce = settings.Announce()
	p.Open = func(ctx context.Context) (sensor.Driver, error) {
		b, err := open()
		if err != nil {
			return nil, err
		}
		d, err := drive(ctx, b, settings)
		if err != nil {
			return nil, err // and not a nil pointer in an interface
		}
		return d, nil
	}
}

// seedOf gives every simulated chip weather of its own.
func seedOf(name string) uint64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(name)) // never fails
	return h.Sum64()
}

// alone is a simulated bus with one chip.
func alone(addr uint16, part simbus.Part) simbus.Config {
	return simbus.Config{Parts: map[uint16]simbus.Part{addr: part}}
}

func planBME280(s *Settings, _ Deps, p *sensor.Plan) error {
	part := simbus.BME280
	if s.BME280.Model == "bmp280" {
		part = simbus.BMP280
	}
	place := bus.Place{Bus: s.BME280.Bus, Seed: s.BME280.Seed}
	onBus(s, p, *s.BME280, place, alone(s.BME280.Addr(), part), bme280.Open)
	return nil
}

func planMCP9808(s *Settings, _ Deps, p *sensor.Plan) error {
	place := s.MCP9808.Place
	onBus(s, p, *s.MCP9808, place, alone(place.Addr(mcp9808.Chip()), simbus.MCP9808), mcp9808.Open)
	return nil
}

func planINA219(s *Settings, _ Deps, p *sensor.Plan) error {
	place := s.INA219.Place
	onBus(s, p, *s.INA219, place, alone(place.Addr(ina219.Chip()), simbus.INA219), ina219.Open)
	return nil
}

func planADS1115(s *Settings, _ Deps, p *sensor.Plan) error {
	place := s.ADS1115.Place
	onBus(s, p, *s.ADS1115, place, alone(place.Addr(ads1115.Chip()), simbus.ADS1115), ads1115.Open)
	return nil
}

func planSHT4x(s *Settings, _ Deps, p *sensor.Plan) error {
	place := s.SHT4x.Place
	onBus(s, p, *s.SHT4x, place, alone(place.Addr(sht4x.Chip()), simbus.SHT4x), sht4x.Open)
	return nil
}

func planDS18B20(s *Settings, _ Deps, p *sensor.Plan) error {
	place := s.DS18B20.Place
	sim := alone(place.Addr(ds18b20.Chip()), simbus.DS2482)
	sim.ROMs = s.DS18B20.ROMs()
	onBus(s, p, *s.DS18B20, place, sim, ds18b20.Open)
	return nil
}
