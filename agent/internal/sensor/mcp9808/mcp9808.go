package mcp9808

import (
	"context"
	"fmt"
	"time"

	"periph.io/x/conn/v3/i2c"
	"periph.io/x/conn/v3/physic"
	"periph.io/x/devices/v3/mcp9808"

	"github.com/headwater-iot/headwater/agent/internal/sensor"
	"github.com/headwater-iot/headwater/agent/internal/sensor/bus"
	"github.com/headwater-iot/headwater/shared/record"
)

// Settings say where the chip is. The zero value is a simulated one.
type Settings struct {
	bus.Place `yaml:",inline"`
}

// Check reports every problem of the settings.
func (s Settings) Check(report sensor.Report) { s.Place.Check(Chip(), report) }

// Announce returns the series of the chip.
func (s Settings) Announce() []record.Cell { return sensor.Floats("temperature", "Cel") }

// firstConversion is how long a chip that was just powered has nothing to say: 250 ms typically.
const firstConversion = 300 * time.Millisecond

const regTemperature = 5

// Bits of the temperature register above the temperature: what it is compared with.
const (
	aboveUpper = 1 << 14
	belowLower = 1 << 13
)

// Device is an open chip. It has periph's driver behind a func, which keeps what
// periph's types can do besides, such as being parsed from text, out of the binary.
type Device struct {
	bus   *bus.Guard
	addr  uint16
	sense func() ([]record.Cell, error)
	raw   uint16 // the temperature register as last read
}

// Open takes over the bus, wakes the chip up and waits for its first conversion. Close closes the bus.
func Open(ctx context.Context, b i2c.BusCloser, s Settings) (*Device, error) {
	d := &Device{bus: &bus.Guard{BusCloser: b}, addr: s.Addr(Chip())}
	d.bus.Seen = func(w, r []byte) {
		if len(w) == 1 && w[0] == regTemperature && len(r) == 2 {
			d.raw = uint16(r[0])<<8 | uint16(r[1])
		}
	}
	err := d.bus.Do(ctx, func() error {
		if err := who(ctx, d.bus, d.addr); err != nil {
			return err
		}
		chip, err := mcp9808.New(d.bus, &mcp9808.Opts{Addr: int(d.addr), Res: mcp9808.Maximum})
		if err != nil {
			return err
		}
		d.sense = func() ([]record.Cell, error) {
			t, err := chip.SenseTemp()
			return cells(t), err
		}
		return bus.Sleep(ctx, firstConversion)
	})
	if err != nil {
		return nil, bus.NotOpened(b, d.addr, err)
	}
	return d, nil
}

// Read returns the latest conversion.
func (d *Device) Read(ctx context.Context) ([]record.Cell, error) {
	var out []record.Cell
	err := d.bus.Do(ctx, func() (err error) {
		out, err = d.sense()
		return err
	})
	switch {
	case err != nil:
	case d.raw == 0:
		err = bus.ErrReset
	case d.raw&aboveUpper != 0 && d.raw&belowLower != 0:
		err = bus.ErrGarbled
	}
	if err != nil {
		return nil, fmt.Errorf("read MCP9808 at %#x: %w", d.addr, err)
	}
	return out, nil
}

// Close closes the bus. The chip goes on converting, at 0.2 mA.
func (d *Device) Close() error { return d.bus.Close() }

// cells turns nK into sixteenths of a degree, which have four decimals.
func cells(t physic.Temperature) []record.Cell {
	tenthMilli := sensor.Rounded(int64(t-physic.ZeroCelsius), int64(100*physic.MicroKelvin))
	return []record.Cell{record.FloatCell("temperature", "Cel", sensor.Decimal(tenthMilli, 4))}
}
