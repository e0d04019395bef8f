package modbus

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/big"
	"regexp"
	"strconv"

	"github.com/headwater-iot/headwater/shared/record"
)

// Type is how the registers of a series are to be understood.
type Type string

// The types. Uint16 is the default.
const (
	Int16   Type = "int16"
	Uint16  Type = "uint16"
	Int32   Type = "int32"
	Uint32  Type = "uint32"
	Float32 Type = "float32"
	Int64   Type = "int64"
	Uint64  Type = "uint64"
	Float64 Type = "float64"
	Bit     Type = "bit"
)

// registers is how many registers the type takes; 0 for one that does not exist.
func (t Type) registers() int {
	switch t {
	case "", Int16, Uint16, Bit:
		return 1
	case Int32, Uint32, Float32:
		return 2
	case Int64, Uint64, Float64:
		return 4
	}
	return 0
}

// scaled tells whether there is something to multiply by or to add.
func (r *Register) scaled() bool { return r.Scale != "" || r.Offset != "" }

// kind is that of the values of the series.
func (r *Register) kind() record.ValueKind {
	switch {
	case r.Function.bits() || r.Type == Bit:
		return record.Bool
	case r.scaled() || r.Type == Float32 || r.Type == Float64:
		return record.Float
	case r.Type == Uint64:
		return record.Uint
	default:
		return record.Int
	}
}

// decimal reads a decimal exactly; the empty one is 0.
func decimal(text string) (*big.Rat, error) {
	if text == "" {
		return new(big.Rat), nil
	}
	// The exponent is short: an exact number with a long one would take the memory of the machine.
	if !regexp.MustCompile(`^[-+]?[0-9]{1,20}(\.[0-9]{1,20})?([eE][-+]?[0-9]{1,2})?$`).MatchString(text) {
		return nil, fmt.Errorf("%q is not a decimal", text)
	}
	n, _ := new(big.Rat).SetString(text) // the pattern is what it understands
	return n, nil
}

// converter turns the bytes of one series into a reading.
type converter struct {
	Register
	order         Order
	scale, offset *big.Rat // nil where the value stays as it is
}

func newConverter(r Register, order Order) (*converter, error) {
	c := &converter{Register: r, order: order}
	if r.Order != "" {
		c.order = r.Order
	}
	if !r.scaled() {
		return c, nil
	}
	var err error
	if c.offset, err = decimal(r.Offset); err != nil {
		return nil, fmt.Errorf("offset of %s: %w", r.Series, err)
	}
	if r.Scale == "" {
		r.Scale = "1"
	}
	if c.scale, err = decimal(r.Scale); err != nil {
		return nil, fmt.Errorf("scale of %s: %w", r.Series, err)
	}
	return c, nil
}

// bit returns the reading of a single bit.
func (c *converter) bit(on bool) record.Cell {
	cell := record.Cell{Series: c.Series, Unit: c.Unit, Kind: record.Bool}
	if on {
		cell.Int = 1
	}
	return cell
}

// cell returns the reading of the registers of the series, two bytes each as they lay on the wire.
func (c *converter) cell(wire []byte) record.Cell {
	raw := c.raw(wire)
	if c.Missing != nil && raw == *c.Missing {
		return record.Cell{Series: c.Series, Unit: c.Unit, Kind: c.kind(), Null: true}
	}
	switch c.Type {
	case Bit:
		return c.bit(raw>>c.Bit&1 == 1)
	case Float32:
		return c.float(float64(math.Float32frombits(uint32(raw))), 32)
	case Float64:
		return c.float(math.Float64frombits(raw), 64)
	case Int16:
		return c.integer(int64(int16(raw)))
	case Int32:
		return c.integer(int64(int32(raw)))
	case Int64:
		return c.integer(int64(raw))
	case Uint64:
		if c.scale == nil {
			return record.Cell{Series: c.Series, Unit: c.Unit, Kind: record.Uint, Uint: raw}
		}
		return c.exact(new(big.Rat).SetUint64(raw))
	default:
		return c.integer(int64(raw))
	}
}

// raw returns the bits of the value, whatever the order of its bytes.
func (c *converter) raw(wire []byte) uint64 {
	low, swapped := c.order == "CDAB" || c.order == "DCBA", c.order == "BADC" || c.order == "DCBA"
	raw, words := uint64(0), len(wire)/2
	for i := range words {
		at := 2 * i
		if low {
			at = 2 * (words - 1 - i)
		}
		word := binary.BigEndian.Uint16(wire[at:])
		if swapped {
			word = word<<8 | word>>8
		}
		raw = raw<<16 | uint64(word)
	}
	return raw
}

func (c *converter) integer(n int64) record.Cell {
	if c.scale == nil {
		return record.IntCell(c.Series, c.Unit, n)
	}
	return c.exact(new(big.Rat).SetInt64(n))
}

// float takes a float for the shortest decimal that means it: a device that measured 21.7 and sends it in 32 bits
// did not measure 21.700000762939453.
func (c *converter) float(v float64, bits int) record.Cell {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return record.FloatCell(c.Series, c.Unit, v) // the sampler makes a null of it, and counts it
	}
	short := strconv.FormatFloat(v, 'g', -1, bits)
	if c.scale == nil {
		v, _ = strconv.ParseFloat(short, 64) // what FormatFloat wrote
		return record.FloatCell(c.Series, c.Unit, v)
	}
	n, _ := new(big.Rat).SetString(short) // what FormatFloat wrote
	return c.exact(n)
}

// exact scales without rounding, and rounds once.
func (c *converter) exact(n *big.Rat) record.Cell {
	v, _ := n.Mul(n, c.scale).Add(n, c.offset).Float64()
	return record.FloatCell(c.Series, c.Unit, v)
}
