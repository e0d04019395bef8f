package modbus

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/headwater-iot/headwater/shared/record"
)

// Device is a device on its line, ready to be asked.
type Device struct {
	line   *line
	unit   byte
	wait   time.Duration
	blocks []*block
}

// Open finds the line of the device among lines, and opens it. The settings have passed Check.
func Open(ctx context.Context, s Settings, lines *Lines) (*Device, error) {
	l, err := lines.of(s)
	if err != nil {
		return nil, err
	}
	d := &Device{line: l, unit: s.unit(), wait: cmp.Or(s.Answer, DefaultAnswer)}
	if d.blocks, err = blocks(s); err != nil {
		return nil, err
	}
	if err := l.join(ctx); err != nil {
		return nil, err
	}
	return d, nil
}

// Read asks for every block. What the device refuses is left out, and the error says so; a device that does not answer
// once was not read.
func (d *Device) Read(ctx context.Context) ([]record.Cell, error) {
	var cells []record.Cell
	var refused error
	for _, b := range d.blocks {
		data, err := d.line.ask(ctx, request{d.unit, b.function, b.first, b.count}, d.wait)
		if refusal := Exception(0); errors.As(err, &refusal) {
			refused = errors.Join(refused, fmt.Errorf("%d registers from %d by function %d of unit %d on %s: %w",
				b.count, b.first, b.function, d.unit, d.line.url, err))
			continue
		}
		if err != nil {
			return nil, err
		}
		cells = append(cells, b.cells(data)...)
	}
	return cells, refused
}

// Close leaves the line. Its last device closes it.
func (d *Device) Close() error { return d.line.leave() }

// cells returns the readings of a block.
func (b *block) cells(data []byte) []record.Cell {
	out := make([]record.Cell, 0, len(b.converters))
	for _, c := range b.converters {
		at := c.Address - b.first
		if c.Function.bits() {
			out = append(out, c.bit(data[at/8]>>(at%8)&1 == 1))
			continue
		}
		out = append(out, c.cell(data[2*at:2*(at+c.size())]))
	}
	return out
}
