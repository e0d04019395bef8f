package ina219

import (
	"context"
	"fmt"
	"math"
	"time"

	"periph.io/x/conn/v3/i2c"
	"periph.io/x/conn/v3/physic"
	"periph.io/x/devices/v3/ina219"

	"github.com/headwater-iot/headwater/agent/internal/sensor"
	"github.com/headwater-iot/headwater/agent/internal/sensor/bus"
	"github.com/headwater-iot/headwater/shared/record"
)

const (
	// DefaultShunt, in ohms, is what breakout boards have.
	DefaultShunt = 0.1
	// DefaultMaxCurrent, in amperes, is what fills the chip's range at that shunt.
	DefaultMaxCurrent = 3.2

	// The chip measures up to 320 mV at the shunt, and its calibration register
	// overflows when the greatest current makes less than a sixteenth of that.
	mostShunt, leastShunt = 0.32, 0.0206
)

// Settings say where the chip is and what it measures.
type Settings struct {
	bus.Place `yaml:",inline"`
	// Shunt is the resistance that the current goes through, in ohms; 0.1 by default.
	Shunt float64 `yaml:"shunt,omitempty"`
	// MaxCurrent is the greatest current to expect, in amperes; by default 3.2. Less gives finer steps.
	MaxCurrent float64 `yaml:"max_current,omitempty"`
}

// Check reports every problem of the settings.
func (s Settings) Check(report sensor.Report) {
	s.Place.Check(Chip(), report)
	shunt, most := s.shunt(), s.maxCurrent()
	if !(shunt > 0) || math.IsInf(shunt, 0) {
		report("shunt", "must be a resistance in ohms, not %v", shunt)
		return
	}
	if drop := shunt * most; !(drop >= leastShunt && drop <= mostShunt*1.0001) {
		report("max_current", "must be %.4g to %.4g A at a shunt of %v ohm, not %v", leastShunt/shunt, mostShunt/shunt, shunt, most)
	}
}

func (s Settings) shunt() float64 {
	if s.Shunt == 0 {
		return DefaultShunt
	}
	return s.Shunt
}

func (s Settings) maxCurrent() float64 {
	if s.MaxCurrent == 0 {
		return DefaultMaxCurrent
	}
	return s.MaxCurrent
}

// Announce returns the series of the chip.
func (s Settings) Announce() []record.Cell {
	return sensor.Floats("voltage", "V", "shunt", "V", "current", "A", "power", "W")
}

// firstConversion is how long the means of 128 conversions of both voltages take at most, with room.
const firstConversion = 160 * time.Millisecond

// Device is an open chip. It has periph's driver behind a func, which keeps what
// periph's types can do besides, such as being parsed from text, out of the binary.
type Device struct {
	bus         *bus.Guard
	addr        uint16
	sense       func() ([]record.Cell, error)
	calibration uint16  // as the driver wrote it
	step        float64 // of the current, in amperes
}

// Open takes over the bus, sets the chip up and waits for its first conversion. Close closes the bus.
func Open(ctx context.Context, b i2c.BusCloser, s Settings) (*Device, error) {
	d := &Device{bus: &bus.Guard{BusCloser: b}, addr: s.Addr(Chip()), step: s.maxCurrent() / 32768}
	d.bus.Seen = func(w, _ []byte) {
		if len(w) == 3 && w[0] == regCalibration {
			d.calibration = uint16(w[1])<<8 | uint16(w[2])
		}
	}
	err := d.bus.Do(ctx, func() error {
		chip, err := ina219.New(d.bus, &ina219.Opts{
			Address:       int(d.addr),
			SenseResistor: physic.ElectricResistance(math.Round(s.shunt() * float64(physic.Ohm))),
			MaxCurrent:    physic.ElectricCurrent(math.Round(s.maxCurrent() * float64(physic.Ampere))),
		})
		if err != nil {
			return err
		}
		d.sense = func() ([]record.Cell, error) {
			p, err := chip.Sense()
			return cells(p, d.step), err
		}
		// The driver leaves the chip at 16 V, where more reads as 16 V.
		if err := d.bus.Tx(d.addr, []byte{regConfig, configRunning >> 8, configRunning & 0xFF}, nil); err != nil {
			return err
		}
		if err := bus.Sleep(ctx, firstConversion); err != nil {
			return err
		}
		return d.begun(ctx)
	})
	if err != nil {
		return nil, bus.NotOpened(b, d.addr, err)
	}
	return d, nil
}

// begun tells whether there is a conversion to read; before, the chip says 0 V.
func (d *Device) begun(ctx context.Context) error {
	w, err := bus.Word(ctx, d.bus, d.addr, regBus)
	if err == nil && w&converted == 0 {
		err = bus.ErrBusy
	}
	return err
}

// settled tells whether the chip still has its settings. One that has lost them
// says that no current flows, which would be believed.
func (d *Device) settled(ctx context.Context) error {
	config, err := bus.Word(ctx, d.bus, d.addr, regConfig)
	if err != nil {
		return err
	}
	calibration, err := bus.Word(ctx, d.bus, d.addr, regCalibration)
	if err == nil && (config != configRunning || calibration&^1 != d.calibration&^1) {
		err = bus.ErrReset
	}
	return err
}

// Read returns the latest conversions.
func (d *Device) Read(ctx context.Context) ([]record.Cell, error) {
	var out []record.Cell
	err := d.bus.Do(ctx, func() (err error) {
		if out, err = d.sense(); err != nil {
			return err
		}
		return d.settled(ctx)
	})
	if err != nil {
		return nil, fmt.Errorf("read INA219 at %#x: %w", d.addr, err)
	}
	return out, nil
}

// Close closes the bus. The chip goes on converting, at 0.7 mA.
func (d *Device) Close() error { return d.bus.Close() }

// cells turns nV, nA and nW into readings. What is at the end of its range was clipped, so it is absent.
func cells(p ina219.PowerMonitor, step float64) []record.Cell {
	out := make([]record.Cell, 0, 4)
	if p.Voltage < 32*physic.Volt {
		milli := sensor.Rounded(int64(p.Voltage), int64(physic.MilliVolt))
		out = append(out, record.FloatCell("voltage", "V", sensor.Decimal(milli, 3)))
	}
	if p.Shunt <= -320*physic.MilliVolt || p.Shunt >= 320*physic.MilliVolt {
		return out
	}
	tens := sensor.Rounded(int64(p.Shunt), int64(10*physic.MicroVolt))
	out = append(out,
		record.FloatCell("shunt", "V", sensor.Decimal(tens, 5)),
		record.FloatCell("current", "A", sensor.Near(float64(p.Current)/float64(physic.Ampere), sensor.Places(step))))
	if p.Voltage < 32*physic.Volt {
		if p.Current < 0 {
			p.Power = -p.Power // the current's register has a sign, that of the power is a magnitude
		}
		out = append(out, record.FloatCell("power", "W", sensor.Near(float64(p.Power)/float64(physic.Watt), sensor.Places(20*step))))
	}
	return out
}
