package ring

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"github.com/headwater-iot/headwater/shared/record"
)

// ErrRow means bytes that AppendRow does not write.
var ErrRow = errors.New("not a row")

const (
	flagAbsolute = 1
	flagNull     = 0x80 // on the kind of a cell
)

// AppendRow appends the bytes of a row to dst. A null cell has no value.
func AppendRow(dst []byte, row *record.Row) []byte {
	var flags byte
	if row.Absolute {
		flags |= flagAbsolute
	}
	dst = append(dst, flags, byte(row.Unit))
	dst = binary.AppendVarint(dst, row.Time)
	dst = appendString(dst, row.Sensor)
	dst = binary.AppendUvarint(dst, uint64(len(row.Cells)))
	for i := range row.Cells {
		dst = appendCell(dst, &row.Cells[i])
	}
	return dst
}

func appendCell(dst []byte, c *record.Cell) []byte {
	dst = appendString(dst, c.Series)
	dst = appendString(dst, c.Unit)
	kind := byte(c.Kind)
	if c.Null {
		kind |= flagNull
	}
	dst = append(dst, kind)
	dst = binary.AppendUvarint(dst, uint64(c.Quality))
	if c.Null {
		return dst
	}
	switch c.Kind {
	case record.Float:
		return binary.LittleEndian.AppendUint64(dst, math.Float64bits(c.Float))
	case record.Int, record.Bool:
		return binary.AppendVarint(dst, c.Int)
	case record.Uint:
		return binary.AppendUvarint(dst, c.Uint)
	}
	return appendString(dst, c.Text)
}

func appendString(dst []byte, s string) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(s))), s...)
}

// ParseRow reads what AppendRow wrote, and nothing else: every accepted input encodes to itself.
func ParseRow(b []byte) (record.Row, error) {
	r := reader{b: b}
	flags := r.u8()
	row := record.Row{Absolute: flags == flagAbsolute, Unit: record.TimeUnit(r.u8()), Time: r.varint(), Sensor: r.str()}
	n := r.uvarint()
	if flags > flagAbsolute || n > uint64(len(r.b)) {
		r.bad = true
	}
	if !r.bad {
		row.Cells = make([]record.Cell, 0, n)
	}
	for ; n > 0 && !r.bad; n-- {
		row.Cells = append(row.Cells, r.cell())
	}
	if r.bad || len(r.b) != 0 {
		return record.Row{}, fmt.Errorf("read row of %d bytes: %w", len(b), ErrRow)
	}
	return row, nil
}

// reader takes fields off b; bad sticks.
type reader struct {
	b   []byte
	bad bool
}

func (r *reader) take(n uint64) []byte {
	if r.bad || n > uint64(len(r.b)) {
		r.bad = true
		return nil
	}
	b := r.b[:n]
	r.b = r.b[n:]
	return b
}

func (r *reader) u8() byte {
	if b := r.take(1); b != nil {
		return b[0]
	}
	return 0
}

// uvarint takes the one shortest spelling.
func (r *reader) uvarint() uint64 {
	v, n := binary.Uvarint(r.b)
	if r.bad || n <= 0 || n > 1 && r.b[n-1] == 0 {
		r.bad = true
		return 0
	}
	r.b = r.b[n:]
	return v
}

func (r *reader) varint() int64 {
	u := r.uvarint()
	return int64(u>>1) ^ -int64(u&1)
}

func (r *reader) str() string { return string(r.take(r.uvarint())) }

func (r *reader) cell() record.Cell {
	c := record.Cell{Series: r.str(), Unit: r.str()}
	kind := r.u8()
	c.Kind, c.Null = record.ValueKind(kind&^flagNull), kind&flagNull != 0
	q := r.uvarint()
	if q > math.MaxUint32 || c.Kind < record.Float || c.Kind > record.Bytes {
		r.bad = true
	}
	c.Quality = record.Quality(q)
	if c.Null {
		return c
	}
	switch c.Kind {
	case record.Float:
		if b := r.take(8); b != nil {
			c.Float = math.Float64frombits(binary.LittleEndian.Uint64(b))
		}
	case record.Int, record.Bool:
		c.Int = r.varint()
	case record.Uint:
		c.Uint = r.uvarint()
	default:
		c.Text = r.str()
	}
	return c
}
