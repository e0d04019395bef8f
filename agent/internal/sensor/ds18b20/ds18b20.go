package ds18b20

import (
	"context"
	"errors"
	"fmt"
	"time"

	"periph.io/x/conn/v3/i2c"
	"periph.io/x/conn/v3/onewire"
	"periph.io/x/conn/v3/physic"
	"periph.io/x/devices/v3/ds18b20"
	"periph.io/x/devices/v3/ds248x"

	"github.com/headwater-iot/headwater/agent/internal/sensor"
	"github.com/headwater-iot/headwater/agent/internal/sensor/bus"
	"github.com/headwater-iot/headwater/shared/record"
)

// ErrWhich reports that the settings name no thermometer, and there is not exactly one.
var ErrWhich = errors.New("the thermometer to read is not clear")

// Device is a DS2482 and the thermometers behind it.
type Device struct {
	bus    *bus.Guard
	addr   uint16
	wire   *checked
	broken bool // the bridge's driver has given up
	bits   int
	probes []probe
}

// probe is one thermometer. Its driver is made when it first answers: one that is
// not there does not keep the others from being read.
type probe struct {
	series string
	rom    onewire.Address
	chip   *ds18b20.Dev // nil: has not answered yet
	err    error        // of the last try
}

// Open takes over the I2C bus and finds the bridge, and the thermometer where the
// settings name none. Close closes the bus.
func Open(ctx context.Context, b i2c.BusCloser, s Settings) (*Device, error) {
	d := &Device{bus: &bus.Guard{BusCloser: b}, addr: s.Addr(Chip()), wire: &checked{}, bits: s.bits()}
	if err := d.bus.Do(ctx, d.connect); err != nil {
		return nil, bus.NotOpened(b, d.addr, err)
	}
	if err := d.bus.Do(ctx, func() error { return d.find(s) }); err != nil {
		_ = b.Close() // the other error is the one to show
		return nil, fmt.Errorf("open the 1-wire bus of the DS2482 at %#x on %s: %w", d.addr, b, err)
	}
	return d, nil
}

// connect resets the bridge, and gives the wire to a new driver of it: after one
// failed transaction on the I2C bus a driver works no more.
func (d *Device) connect() (err error) {
	d.wire.Bus, err = bridge(d.bus, d.addr)
	d.broken = err != nil
	return err
}

// bridge opens the driver of a DS2482.
func bridge(b i2c.Bus, addr uint16) (onewire.Bus, error) {
	dev, err := ds248x.New(moved{b, addr}, driverAddress, &ds248x.DefaultOpts)
	if err != nil {
		return nil, err // and not a nil pointer in an interface
	}
	return dev, nil
}

// find makes the list of thermometers.
func (d *Device) find(s Settings) error {
	for _, p := range s.Probes {
		rom, err := parseROM(p.ROM)
		if err != nil {
			return err
		}
		d.probes = append(d.probes, probe{series: p.series(), rom: rom})
	}
	if len(s.Probes) > 0 {
		return nil
	}
	roms, err := thermometers(d.wire)
	if err != nil {
		return err
	}
	if len(roms) != 1 {
		return fmt.Errorf("%w: there are %d on the wire %v (name them under probes)", ErrWhich, len(roms), names(roms))
	}
	d.probes = []probe{{series: defaultSeries, rom: roms[0]}}
	return nil
}

// Search returns the names of the thermometers behind a DS2482, for a caller that looks for sensors.
func Search(ctx context.Context, b i2c.Bus, addr uint16) (roms []string, err error) {
	g := &bus.Guard{BusCloser: kept{b}}
	err = g.Do(ctx, func() error {
		wire, err := bridge(g, addr)
		if err != nil {
			return err
		}
		found, err := thermometers(wire)
		roms = names(found)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("search the 1-wire bus of the DS2482 at %#x: %w", addr, err)
	}
	return roms, nil
}

// kept is a bus that somebody else closes.
type kept struct{ i2c.Bus }

func (kept) Close() error { return nil }

// thermometers returns the addresses of all DS18B20s on a wire.
func thermometers(wire onewire.Bus) (roms []onewire.Address, err error) {
	all, err := wire.Search(false)
	if err != nil {
		return nil, err
	}
	for _, rom := range all {
		if byte(rom) == byte(ds18b20.DS18B20) {
			roms = append(roms, rom)
		}
	}
	return roms, nil
}

// Read lets all thermometers measure at once and asks each for its result. One that
// does not answer well is absent, and the error says why.
func (d *Device) Read(ctx context.Context) (out []record.Cell, err error) {
	err = d.bus.Do(ctx, func() (err error) {
		if d.broken {
			if err := d.connect(); err != nil {
				return err
			}
		}
		out, err = d.measure(ctx)
		d.broken = err != nil && !onTheWire(err)
		return err
	})
	if err != nil {
		out = nil // half a round
	} else {
		err = d.silent(len(out))
	}
	if err != nil {
		return out, fmt.Errorf("read the 1-wire bus of the DS2482 at %#x: %w", d.addr, err)
	}
	return out, nil
}

// measure starts all thermometers, waits, and collects what they say.
func (d *Device) measure(ctx context.Context) (out []record.Cell, err error) {
	if err := d.each(d.introduce); err != nil {
		return nil, err
	}
	if err := ds18b20.StartAll(d.wire); err != nil {
		return nil, err
	}
	if err := bus.Sleep(ctx, conversion(d.bits)); err != nil {
		return nil, err
	}
	err = d.each(func(p *probe) error {
		if p.chip == nil {
			return p.err
		}
		t, err := d.wire.temperature(p.chip)
		if err == nil {
			out = append(out, cell(p.series, t))
		}
		return err
	})
	return out, err
}

// silent says which thermometers did not answer well, and why.
func (d *Device) silent(answered int) (err error) {
	if answered == 0 {
		err = errSilent
	}
	for _, p := range d.probes {
		if p.err != nil {
			err = errors.Join(err, fmt.Errorf("%s: %w", name(p.rom), p.err))
		}
	}
	return err
}

// errSilent is what a wire with no good answer is.
var errSilent = errors.New("no thermometer answered")

// each does something with every thermometer. An error of one is kept with it; one of the bridge ends the round.
func (d *Device) each(do func(*probe) error) error {
	for i := range d.probes {
		p := &d.probes[i]
		p.err = do(p)
		if p.err != nil && !onTheWire(p.err) {
			return p.err
		}
	}
	return nil
}

// introduce sets up a thermometer that has not answered yet, if it does now.
func (d *Device) introduce(p *probe) (err error) {
	if p.chip == nil {
		p.chip, err = ds18b20.New(d.wire, p.rom, d.bits)
	}
	return err
}

// onTheWire tells whether an error is one of the 1-wire bus, after which the bridge still works.
func onTheWire(err error) bool {
	var e onewire.BusError // not an error by itself, so AsType does not take it
	return errors.As(err, &e) && e.BusError()
}

// Close closes the I2C bus.
func (d *Device) Close() error { return d.bus.Close() }

// conversion is how long a conversion takes at most (DS18B20 data sheet, table 2).
func conversion(bits int) time.Duration { return 94 * time.Millisecond << (min(max(bits, 9), 12) - 9) }

// cell turns nK into sixteenths of a degree, which have four decimals.
func cell(series string, t physic.Temperature) record.Cell {
	tenthMilli := sensor.Rounded(int64(t-physic.ZeroCelsius), int64(100*physic.MicroKelvin))
	return record.FloatCell(series, "Cel", sensor.Decimal(tenthMilli, 4))
}

// checked is a wire that takes no scratchpad for good which cannot be one. Nine
// zeros, as a shorted wire gives them, fit their checksum.
type checked struct {
	onewire.Bus
	pad [9]byte // the last scratchpad
}

// Tx implements onewire.Bus.
func (c *checked) Tx(w, r []byte, power onewire.Pullup) error {
	if err := c.Bus.Tx(w, r, power); err != nil {
		return err
	}
	if len(r) == len(c.pad) {
		copy(c.pad[:], r)
		if r[4]&0x9F != 0x1F { // bits of the configuration that are always ones
			return shorted{}
		}
	}
	return nil
}

// temperature returns what a thermometer measured last. 85 degrees is also what it
// says when it has measured nothing since it got power; a byte that is 0x0C then and
// 0x10 after a measurement of 85 tells the two apart. The driver means to refuse 85
// degrees, but compares with 85 K.
func (c *checked) temperature(chip *ds18b20.Dev) (physic.Temperature, error) {
	t, err := chip.LastTemp()
	if err == nil && c.pad[0] == 0x50 && c.pad[1] == 0x05 && c.pad[6] != 0x10 {
		return 0, unpowered{}
	}
	return t, err
}

// unpowered is the error of a thermometer that has measured nothing since it got power.
type unpowered struct{}

func (unpowered) Error() string  { return "it has not measured (has it power, has the wire a pull-up?)" }
func (unpowered) BusError() bool { return true }

// shorted is the error of such a scratchpad.
type shorted struct{}

func (shorted) Error() string  { return "the answer is not a scratchpad (is the wire shorted?)" }
func (shorted) BusError() bool { return true }
