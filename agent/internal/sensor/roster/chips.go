package roster

import (
	"context"
	"fmt"
	"hash/fnv"
	"time"

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
)

// Chips returns the kinds that sit on an I2C bus, in the order in which a chip is
// best asked whether it is one of them: the surest and most harmless questions first.
func Chips() []bus.Chip {
	return []bus.Chip{bme280.Chip(), mcp9808.Chip(), ads1115.Chip(), ina219.Chip(), sht4x.Chip(), ds18b20.Chip()}
}

// chip opens a driver on a bus.
type chip func(context.Context, i2c.BusCloser) (sensor.Driver, error)

// onBus plans the opening of a chip. A simulated bus lives as long as the plan, with this one chip on it.
func onBus(s *Settings, p *sensor.Plan, place bus.Place, sim simbus.Config, open chip) error {
	connect := func() (i2c.BusCloser, error) { return bus.Open(place.Bus) }
	if place.Simulated() {
		if sim.Seed = place.Seed; sim.Seed == 0 {
			sim.Seed = seedOf(s.Name)
		}
		b := simbus.New(sim)
		connect = func() (i2c.BusCloser, error) { return b.Open(), nil }
	}
	p.Open = func(ctx context.Context) (sensor.Driver, error) {
		b, err := connect()
		if err != nil {
			return nil, err
		}
		d, err := open(ctx, b)
		if err != nil {
			return nil, err // and not a nil pointer in an interface
		}
		return d, nil
	}
	return nil
}

// place returns where the chip of a section is; false where it has no place of its own.
func (s *Settings) place() (place bus.Place, c bus.Chip, ok bool) {
	switch {
	case s.BME280 != nil:
		place, c = bus.Place{Bus: s.BME280.Bus, Address: s.BME280.Address}, bme280.Chip()
	case s.DS18B20 != nil:
		place, c = s.DS18B20.Place, ds18b20.Chip()
	case s.INA219 != nil:
		place, c = s.INA219.Place, ina219.Chip()
	case s.ADS1115 != nil:
		place, c = s.ADS1115.Place, ads1115.Chip()
	case s.MCP9808 != nil:
		place, c = s.MCP9808.Place, mcp9808.Chip()
	case s.SHT4x != nil:
		place, c = s.SHT4x.Place, sht4x.Chip()
	default:
		return place, c, false
	}
	return place, c, true
}

// takes returns how long a read of a slow chip takes, and 0 for the others.
func (s *Settings) takes() time.Duration {
	switch {
	case s.DS18B20 != nil:
		return s.DS18B20.Takes()
	case s.ADS1115 != nil:
		return s.ADS1115.Takes()
	}
	return 0
}

// checkPace reports a schedule that a slow chip cannot keep.
func checkPace(s *Settings, report sensor.Report) {
	for key, v := range map[string]time.Duration{"interval": s.Interval, "timeout": s.Timeout} {
		if v > 0 && v < s.takes() {
			report(key, "must be at least %v: so long a read takes", s.takes().Round(time.Millisecond))
		}
	}
}

// patience returns the timeout of a slow chip that has none of its own and would not
// be done in the sampler's; else the one that is set.
func patience(s *Settings, interval time.Duration) time.Duration {
	if slow := 2 * s.takes(); s.Timeout == 0 && slow > max(interval, time.Second) {
		return slow
	}
	return s.Timeout
}

// checkPlaces reports two sensors that would give commands to one chip.
func checkPlaces(list []Settings, report sensor.Report) {
	type spot struct {
		bus  int
		addr uint16
	}
	taken := map[spot]string{}
	for i := range list {
		place, c, ok := list[i].place()
		number, err := bus.Number(place.Bus)
		if !ok || place.Simulated() || err != nil {
			continue
		}
		at := spot{number, place.Addr(c)}
		if other, twice := taken[at]; twice {
			report(fmt.Sprintf("[%d].%s.address", i, c.Kind), "is the chip at %#x on bus %d that sensor %q reads", at.addr, number, other)
		}
		taken[at] = list[i].Name
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
	settings, part := *s.BME280, simbus.BME280
	if settings.Model == "bmp280" {
		part = simbus.BMP280
	}
	p.Announce = settings.Announce()
	place := bus.Place{Bus: settings.Bus, Seed: settings.Seed}
	return onBus(s, p, place, alone(settings.Addr(), part), func(ctx context.Context, b i2c.BusCloser) (sensor.Driver, error) {
		return bme280.Open(ctx, b, settings)
	})
}

func planMCP9808(s *Settings, _ Deps, p *sensor.Plan) error {
	settings := *s.MCP9808
	p.Announce = settings.Announce()
	return onBus(s, p, settings.Place, alone(settings.Addr(mcp9808.Chip()), simbus.MCP9808), func(ctx context.Context, b i2c.BusCloser) (sensor.Driver, error) {
		return mcp9808.Open(ctx, b, settings)
	})
}

func planINA219(s *Settings, _ Deps, p *sensor.Plan) error {
	settings := *s.INA219
	p.Announce = settings.Announce()
	return onBus(s, p, settings.Place, alone(settings.Addr(ina219.Chip()), simbus.INA219), func(ctx context.Context, b i2c.BusCloser) (sensor.Driver, error) {
		return ina219.Open(ctx, b, settings)
	})
}

func planADS1115(s *Settings, _ Deps, p *sensor.Plan) error {
	settings := *s.ADS1115
	p.Announce = settings.Announce()
	return onBus(s, p, settings.Place, alone(settings.Addr(ads1115.Chip()), simbus.ADS1115), func(ctx context.Context, b i2c.BusCloser) (sensor.Driver, error) {
		return ads1115.Open(ctx, b, settings)
	})
}

func planSHT4x(s *Settings, _ Deps, p *sensor.Plan) error {
	settings := *s.SHT4x
	p.Announce = settings.Announce()
	return onBus(s, p, settings.Place, alone(settings.Addr(sht4x.Chip()), simbus.SHT4x), func(ctx context.Context, b i2c.BusCloser) (sensor.Driver, error) {
		return sht4x.Open(ctx, b, settings)
	})
}

func planDS18B20(s *Settings, _ Deps, p *sensor.Plan) error {
	settings := *s.DS18B20
	p.Announce = settings.Announce()
	sim := alone(settings.Addr(ds18b20.Chip()), simbus.DS2482)
	sim.ROMs = settings.ROMs()
	return onBus(s, p, settings.Place, sim, func(ctx context.Context, b i2c.BusCloser) (sensor.Driver, error) {
		return ds18b20.Open(ctx, b, settings)
	})
}
