package modbus

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/headwater-iot/headwater/shared/record"
)

// Device is a device on its line, ready to be asked.
type Device struct {
	line   *line
	unit   byte
	wait   time.Duration
	blocks []*block
	log    *slog.Logger
	refuse []error // by block: why the latest answer was a refusal
}

// Open finds the line of the device among lines, and opens it. The settings have passed Check.
func Open(ctx context.Context, s Settings, lines *Lines, log *slog.Logger) (*Device, error) {
	l, err := lines.of(s)
	if err != nil {
		return nil, err
	}
	d := &Device{line: l, unit: s.unit(), wait: cmp.Or(s.Answer, DefaultAnswer), log: log}
	if d.blocks, err = blocks(s); err != nil {
		return nil, err
	}
	d.refuse = make([]error, len(d.blocks))
	if err := l.join(ctx); err != nil {
		return nil, err
	}
	return d, nil
}

// Read asks for every block. What the device refuses is left out; a device that refuses all, or that does not answer
// once, was not read.
func (d *Device) Read(ctx context.Context) ([]record.Cell, error) {
	var cells []record.Cell
	refused := 0
	for i, b := range d.blocks {
		data, err := d.line.ask(ctx, request{d.unit, b.function, b.first, b.count}, d.wait)
		if refusal := Exception(0); err != nil && !errors.As(err, &refusal) {
			return nil, err
		}
		d.note(i, err)
		if err != nil {
			refused++
			continue
		}
		cells = append(cells, b.cells(data)...)
	}
	if refused == len(d.blocks) {
		return nil, fmt.Errorf("all %d requests: %w", refused, d.refuse[0])
	}
	return cells, nil
}

// note says once that the device refuses a block, and once that it gives it again.
func (d *Device) note(i int, err error) {
	before, b := d.refuse[i], d.blocks[i]
	d.refuse[i] = err
	if (before == nil) == (err == nil) {
		return
	}
	where := []any{"line", d.line.url, "unit_id", d.unit, "function", b.function, "first", b.first, "count", b.count}
	if err != nil {
		d.log.Warn("modbus device refuses some registers; their readings are null", append(where, "error", err)...)
		return
	}
	d.log.Info("modbus device gives all registers again", where...)
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
