package ads1115

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"periph.io/x/conn/v3/analog"
	"periph.io/x/conn/v3/i2c"
	"periph.io/x/conn/v3/physic"
	"periph.io/x/devices/v3/ads1x15"

	"github.com/headwater-iot/headwater/agent/internal/sensor"
	"github.com/headwater-iot/headwater/agent/internal/sensor/bus"
	"github.com/headwater-iot/headwater/shared/record"
)

// Device is an open chip.
type Device struct {
	bus      *bus.Guard
	addr     uint16
	inputs   []input
	told     uint16 // the configuration as the driver last wrote it
	starting bool   // a conversion was begun and not yet seen to end
}

// input is one channel with the driver's pin for it.
type input struct {
	Channel
	pin ads1x15.PinADC
}

// Open takes over the bus and finds the chip. Close closes the bus.
func Open(ctx context.Context, b i2c.BusCloser, s Settings) (*Device, error) {
	d := &Device{bus: &bus.Guard{BusCloser: b}, addr: s.Addr(Chip())}
	err := d.bus.Do(ctx, func() error {
		chip, err := ads1x15.NewADS1115(d.bus, &ads1x15.Opts{I2cAddress: d.addr})
		if err != nil {
			return err
		}
		for _, c := range s.channels() {
			pin, err := chip.PinForChannel(inputs()[c.Input], microvolts(c.full())*physic.MicroVolt,
				physic.Frequency(s.rate())*physic.Hertz, ads1x15.BestQuality)
			if err != nil {
				return err
			}
			d.inputs = append(d.inputs, input{c, pin})
		}
		_, err = bus.Word(ctx, d.bus, d.addr, regConfig)
		return err
	})
	if err != nil {
		return nil, bus.NotOpened(b, d.addr, err)
	}
	d.bus.Before, d.bus.Seen = d.finish, d.note
	return d, nil
}

// note remembers what the driver told the chip to do.
func (d *Device) note(w, _ []byte) {
	if len(w) == 3 && w[0] == regConfig {
		d.told, d.starting = uint16(w[1])<<8|uint16(w[2]), true
	}
}

// finish lets a read of the result wait until there is one. The driver waits as long
// as the data rate says, and the chip may be a tenth slower; what it would read then
// is the result of the channel before.
func (d *Device) finish(w, _ []byte) error {
	if !d.starting || len(w) != 1 || w[0] != regConversion {
		return nil
	}
	d.starting = false // what follows is read by this function
	for {
		var now [2]byte
		if err := d.bus.Tx(d.addr, []byte{regConfig}, now[:]); err != nil {
			return err // also when the time of the read is over
		}
		config := uint16(now[0])<<8 | uint16(now[1])
		switch {
		case config&^configIdle != d.told&^configIdle:
			return bus.ErrReset
		case config&configIdle != 0:
			return nil
		}
		time.Sleep(time.Millisecond)
	}
}

// Read converts every channel, one after the other. One that is over its range is null, and the error says so.
func (d *Device) Read(ctx context.Context) ([]record.Cell, error) {
	out := make([]record.Cell, 0, len(d.inputs))
	var over error
	for _, in := range d.inputs {
		var sample analog.Sample
		err := d.bus.Do(ctx, func() (err error) {
			d.starting = false
			sample, err = in.pin.Read()
			return err
		})
		if err != nil {
			if errors.Is(err, context.DeadlineExceeded) {
				err = fmt.Errorf("%w, or the timeout is too short for its channels: %w", bus.ErrBusy, err)
			}
			return nil, fmt.Errorf("read input %s of ADS1115 at %#x: %w", in.Input, d.addr, err)
		}
		cell, ok := in.cell(sample.Raw)
		if !ok {
			over = errors.Join(over, fmt.Errorf("input %s of ADS1115 at %#x is at the end of its range of %v V", in.Input, d.addr, in.full()))
		}
		out = append(out, cell)
	}
	return out, over
}

// Close closes the bus. The chip sleeps between conversions by itself.
func (d *Device) Close() error { return d.bus.Close() }

// cell turns a count into a reading; false where the input is over the range.
func (c Channel) cell(raw int32) (record.Cell, bool) {
	if raw >= math.MaxInt16 || raw <= math.MinInt16 {
		return record.FailedCell(c.series(), c.unit(), record.Float), false
	}
	// A count is a whole number of 10^-10 V: full is in uV, and 2^15 divides 10^4 full.
	volts := sensor.Decimal(int64(raw)*int64(microvolts(c.full()))*10_000/32768, 10)
	if c.Scale == 0 && c.Offset == 0 {
		return record.FloatCell(c.series(), c.unit(), volts), true
	}
	step := c.full() / 32768 * c.scale()
	return record.FloatCell(c.series(), c.unit(), sensor.Near(volts*c.scale()+c.Offset, sensor.Places(step))), true
}

func microvolts(v float64) physic.ElectricPotential {
	return physic.ElectricPotential(math.Round(v * 1e6))
}
