package sht4x

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"periph.io/x/conn/v3/i2c"

	"github.com/headwater-iot/headwater/agent/internal/sensor"
	"github.com/headwater-iot/headwater/agent/internal/sensor/bus"
	"github.com/headwater-iot/headwater/shared/record"
)

// Settings say where the chip is and how it measures. The zero value is a simulated one.
type Settings struct {
	bus.Place `yaml:",inline"`
	// Precision is high, the default, medium or low: less time, more noise.
	Precision string `yaml:"precision,omitempty"`
}

// Check reports every problem of the settings.
func (s Settings) Check(report sensor.Report) {
	s.Place.Check(Chip(), report)
	if !slices.Contains([]string{"", "high", "medium", "low"}, s.Precision) {
		report("precision", "must be high, medium or low, not %q", s.Precision)
	}
}

// Announce returns the series of the chip.
func (s Settings) Announce() []record.Cell {
	return sensor.Floats("temperature", "Cel", "humidity", "%RH")
}

// measurement returns the command, and the longest time it takes (data sheet, timing).
func (s Settings) measurement() (cmd byte, longest time.Duration) {
	switch s.Precision {
	case "low":
		return 0xE0, 1700 * time.Microsecond
	case "medium":
		return 0xF6, 4600 * time.Microsecond
	}
	return 0xFD, 8400 * time.Microsecond
}

// ErrCRC reports an answer that was damaged on the wires.
var ErrCRC = errors.New("checksum is wrong (long wires, or no pull-ups?)")

// Device is an open chip.
type Device struct {
	bus  i2c.BusCloser
	addr uint16
	cmd  byte
	wait time.Duration
}

// Open takes over the bus and finds the chip. Close closes the bus.
func Open(ctx context.Context, b i2c.BusCloser, s Settings) (*Device, error) {
	d := &Device{bus: b, addr: s.Addr(Chip())}
	d.cmd, d.wait = s.measurement()
	if _, _, err := ask(ctx, b, d.addr, cmdSerial, time.Millisecond); err != nil {
		return nil, bus.NotOpened(b, d.addr, err)
	}
	return d, nil
}

// Read measures once. The heater of the chip is never used.
func (d *Device) Read(ctx context.Context) ([]record.Cell, error) {
	t, h, err := ask(ctx, d.bus, d.addr, d.cmd, d.wait)
	if err != nil {
		return nil, fmt.Errorf("read SHT4x at %#x: %w", d.addr, err)
	}
	return cells(t, h), nil
}

// Close closes the bus. The chip sleeps between measurements by itself.
func (d *Device) Close() error { return d.bus.Close() }

// cells computes what the words mean (data sheet, 4.6). In dry and in wet air the
// formula leaves 0 to 100 %, and the data sheet wants it cropped.
func cells(t, h uint16) []record.Cell {
	celsius := sensor.Rounded(175_000*int64(t), 65535) - 45_000
	percent := min(max(sensor.Rounded(125_000*int64(h), 65535)-6_000, 0), 100_000)
	return []record.Cell{
		record.FloatCell("temperature", "Cel", sensor.Decimal(celsius, 3)),
		record.FloatCell("humidity", "%RH", sensor.Decimal(percent, 3)),
	}
}

// ask sends a command and reads the two words of its answer once the chip has had its time.
func ask(ctx context.Context, b i2c.Bus, addr uint16, cmd byte, wait time.Duration) (first, second uint16, err error) {
	if err := ctx.Err(); err != nil {
		return 0, 0, err
	}
	if err := b.Tx(addr, []byte{cmd}, nil); err != nil {
		return 0, 0, err
	}
	if err := bus.Sleep(ctx, wait); err != nil {
		return 0, 0, err
	}
	var r [6]byte
	if err := b.Tx(addr, nil, r[:]); err != nil {
		return 0, 0, err
	}
	if crc8(r[:2]) != r[2] || crc8(r[3:5]) != r[5] {
		return 0, 0, ErrCRC
	}
	return uint16(r[0])<<8 | uint16(r[1]), uint16(r[3])<<8 | uint16(r[4]), nil
}

// crc8 is the checksum of a word: polynomial 0x31, from 0xFF.
func crc8(word []byte) byte {
	crc := byte(0xFF)
	for _, b := range word {
		crc ^= b
		for range 8 {
			if crc&0x80 != 0 {
				crc = crc<<1 ^ 0x31
			} else {
				crc <<= 1
			}
		}
	}
	return crc
}
