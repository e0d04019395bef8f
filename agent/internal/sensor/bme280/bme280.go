package bme280

import (
	"context"
	"fmt"
	"slices"

	"periph.io/x/conn/v3/i2c"
	"periph.io/x/conn/v3/physic"
	"periph.io/x/devices/v3/bmxx80"

	"github.com/headwater-iot/headwater/agent/internal/sensor"
	"github.com/headwater-iot/headwater/agent/internal/sensor/bus"
	"github.com/headwater-iot/headwater/shared/record"
)

// DefaultAddress is where breakout boards put the chip.
const DefaultAddress = 0x76

// Settings say which chip sits where.
type Settings struct {
	// Bus is an I2C bus of the machine, 1, i2c-1 or /dev/i2c-1, or sim.
	Bus string `yaml:"bus"`
	// Address is 0x76, the default, or 0x77.
	Address bus.Address `yaml:"address,omitempty"`
	// Model is bme280, the default, bmp280 or bmp180.
	Model string `yaml:"model,omitempty"`
	// Oversampling is 1, 2, 4 (the default), 8 or 16: less noise, longer reads.
	Oversampling int `yaml:"oversampling,omitempty"`
	// Seed fixes the weather and the noise of the simulated bus; 0 = from the sensor's name.
	Seed uint64 `yaml:"seed,omitempty"`
}

// Simulated tells whether the chip is on the simulated bus.
func (s Settings) Simulated() bool { return s.Bus == "sim" }

// Addr returns the address with its default.
func (s Settings) Addr() uint16 {
	if s.Address == 0 {
		return DefaultAddress
	}
	return uint16(s.Address)
}

// Check reports every problem of the settings.
func (s Settings) Check(report sensor.Report) {
	bus.Place{Bus: s.Bus, Address: s.Address}.Check(Chip(), report)
	if !slices.Contains([]string{"", "bme280", "bmp280", "bmp180"}, s.Model) {
		report("model", "must be bme280, bmp280 or bmp180, not %q", s.Model)
	}
	if _, ok := s.oversampling(); !ok {
		report("oversampling", "must be 1, 2, 4, 8 or 16, not %d", s.Oversampling)
	}
	if s.Simulated() && s.Model == "bmp180" {
		report("model", "the simulated bus has a bme280 and a bmp280, no bmp180")
	}
}

// Announce returns the series of the chip.
func (s Settings) Announce() []record.Cell {
	if s.Model == "bmp280" || s.Model == "bmp180" {
		return sensor.Floats("temperature", "Cel", "pressure", "Pa")
	}
	return sensor.Floats("temperature", "Cel", "humidity", "%RH", "pressure", "Pa")
}

func (s Settings) oversampling() (bmxx80.Oversampling, bool) {
	switch s.Oversampling {
	case 1:
		return bmxx80.O1x, true
	case 2:
		return bmxx80.O2x, true
	case 0, 4:
		return bmxx80.O4x, true
	case 8:
		return bmxx80.O8x, true
	case 16:
		return bmxx80.O16x, true
	}
	return bmxx80.Off, false
}

// Device is an open chip.
type Device struct {
	bus     *bus.Guard
	addr    uint16
	chip    *bmxx80.Dev
	skipped bool // the data last read look as if humidity had not been measured
}

// Open takes over the bus, finds the chip and reads its calibration. Close closes the bus.
func Open(ctx context.Context, b i2c.BusCloser, s Settings) (*Device, error) {
	o, ok := s.oversampling()
	if !ok {
		_ = b.Close()
		return nil, fmt.Errorf("open bme280: oversampling %d is not 1, 2, 4, 8 or 16", s.Oversampling)
	}
	d := &Device{bus: &bus.Guard{BusCloser: b}, addr: s.Addr()}
	d.bus.Seen = func(w, r []byte) {
		if len(w) == 1 && w[0] == regData && len(r) == 8 {
			d.skipped = r[6] == 0x80 && r[7] == 0
		}
	}
	err := d.bus.Do(ctx, func() (err error) {
		d.chip, err = bmxx80.NewI2C(d.bus, d.addr, &bmxx80.Opts{Temperature: o, Pressure: o, Humidity: o})
		return err
	})
	if err != nil {
		return nil, bus.NotOpened(b, d.addr, err)
	}
	return d, nil
}

// Read measures once and returns what the chip has.
func (d *Device) Read(ctx context.Context) ([]record.Cell, error) {
	var e physic.Env
	err := d.bus.Do(ctx, func() error {
		d.skipped = false
		if err := d.chip.Sense(&e); err != nil {
			return err
		}
		return d.forgotten()
	})
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", d.chip, err)
	}
	return cells(e), nil
}

// forgotten tells whether the chip was reset since it was opened. It then skips
// humidity and leaves 0x8000 in its place, which the driver takes for a value; a
// real value may look like that too, so the chip is asked what it was told to do.
func (d *Device) forgotten() error {
	if !d.skipped {
		return nil
	}
	var ctrl [1]byte
	if err := d.bus.Tx(d.addr, []byte{regCtrlHum}, ctrl[:]); err != nil {
		return err
	}
	if ctrl[0]&7 == 0 {
		return bus.ErrReset
	}
	return nil
}

// Close leaves the chip asleep, as it is after every single measurement, and closes the bus.
func (d *Device) Close() error { return d.bus.Close() }

// cells turns periph's integers into readings: nK, nPa, and 10^-7 of full humidity.
func cells(e physic.Env) []record.Cell {
	out := make([]record.Cell, 0, 3)
	if e.Temperature != 0 { // 0 K: not measured
		centi := sensor.Rounded(int64(e.Temperature-physic.ZeroCelsius), int64(10*physic.MilliKelvin))
		out = append(out, record.FloatCell("temperature", "Cel", sensor.Decimal(centi, 2)))
	}
	if e.Humidity != 0 {
		milli := sensor.Rounded(int64(e.Humidity), int64(physic.PercentRH)/1000)
		out = append(out, record.FloatCell("humidity", "%RH", sensor.Decimal(milli, 3)))
	}
	if e.Pressure != 0 {
		deci := sensor.Rounded(int64(e.Pressure), int64(100*physic.MilliPascal))
		out = append(out, record.FloatCell("pressure", "Pa", sensor.Decimal(deci, 1)))
	}
	return out
}
