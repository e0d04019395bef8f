package record

import (
	"errors"
	"fmt"
	"unicode/utf8"
)

// MaxName is the largest number of bytes of a series or a unit.
const MaxName = 255

// Limits of a row, so that a batch of a single row always fits a sealed part of 240 KiB.
const (
	MaxCells = 4000      // a body has at most 4,096 groups and columns
	MaxRow   = 200 << 10 // names, units and values, and cellSize for each cell

	cellSize = 40 // what a column of one cell takes beside them, at most
)

// ErrRow reports a row that no batch can carry. Accepting it would block the batch it is sealed into.
var ErrRow = errors.New("row cannot be sealed")

// Row is what one sensor said at one instant: the unit of acceptance.
type Row struct {
	Sensor   string   // names the group of columns the row joins
	Absolute bool     // Time is a wall time, not monotonic time of this boot
	Unit     TimeUnit // resolution of Time
	Time     int64    // Unit ticks
	Cells    []Cell   // scheduled series, in the order the driver announced them
}

// Cell is one reading of a Row.
type Cell struct {
	Series  string
	Unit    string // SenML unit, "" = none
	Kind    ValueKind
	Null    bool // scheduled, but failed or without a value
	Quality Quality

	Float float64 // Kind Float
	Int   int64   // Kind Int; Bool as 0 or 1
	Uint  uint64  // Kind Uint
	Text  string  // Kind Text; Bytes as a string of bytes
}

// Check returns ErrRow, with what is wrong, unless r can be sealed. It is for the moment before a row is accepted.
func (r *Row) Check() error {
	if r.Unit != Milli && r.Unit != Micro {
		return fmt.Errorf("%w: sensor %q: time unit %d", ErrRow, r.Sensor, r.Unit)
	}
	if len(r.Cells) == 0 {
		return fmt.Errorf("%w: sensor %q: no reading", ErrRow, r.Sensor)
	}
	size := 0
	for i := range r.Cells {
		c := &r.Cells[i]
		size += len(c.Series) + len(c.Unit) + len(c.Text) + cellSize
		if err := c.check(); err != nil {
			return fmt.Errorf("%w: sensor %q: series %q: %w", ErrRow, r.Sensor, c.Series, err)
		}
	}
	if len(r.Cells) > MaxCells || size > MaxRow {
		return fmt.Errorf("%w: sensor %q: %d readings of %d bytes, at most %d of %d", ErrRow, r.Sensor, len(r.Cells), size, MaxCells, MaxRow)
	}
	return nil
}

func (c *Cell) check() error {
	switch {
	case len(c.Series) == 0 || len(c.Series) > MaxName || !utf8.ValidString(c.Series):
		return fmt.Errorf("a name is 1 to %d bytes of UTF-8", MaxName)
	case len(c.Unit) > MaxName || !utf8.ValidString(c.Unit):
		return fmt.Errorf("a unit is at most %d bytes of UTF-8", MaxName)
	case c.Kind < Float || c.Kind > Bytes:
		return fmt.Errorf("kind %d", c.Kind)
	case c.Quality&^DeviceBits != 0:
		return fmt.Errorf("quality %#x has bits a device may not set", c.Quality)
	case c.Kind == Text && !utf8.ValidString(c.Text):
		return errors.New("text is not UTF-8; send it as bytes")
	}
	return nil
}

// FloatCell returns a reading of a number.
func FloatCell(series, unit string, v float64) Cell {
	return Cell{Series: series, Unit: unit, Kind: Float, Float: v}
}

// IntCell returns a reading of an integer, exact over all of int64.
func IntCell(series, unit string, v int64) Cell {
	return Cell{Series: series, Unit: unit, Kind: Int, Int: v}
}

// FailedCell returns the reading of a scheduled sample that failed.
func FailedCell(series, unit string, kind ValueKind) Cell {
	return Cell{Series: series, Unit: unit, Kind: kind, Null: true, Quality: ReadError}
}
