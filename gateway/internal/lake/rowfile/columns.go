package rowfile

import (
	"fmt"
	"math"
	"math/big"

	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/file"

	"github.com/headwater-iot/headwater/gateway/internal/table"
	"github.com/headwater-iot/headwater/shared/record"
)

// column writes the column of the given name for the current row group.
func (b *buffers) column(cw file.ColumnChunkWriter, name string) error {
	switch name {
	case "device":
		return constant(b, cw, func(r *table.Run) (string, bool) { return r.Device, true }, asIs)
	case "series":
		return constant(b, cw, func(r *table.Run) (string, bool) { return r.Series, true }, asIs)
	case "unit":
		return constant(b, cw, func(r *table.Run) (string, bool) { return r.Unit, r.Unit != "" }, asIs)
	case "site":
		return constant(b, cw, func(r *table.Run) (string, bool) { return r.Site, r.Site != "" }, asIs)
	case "contract":
		return constant(b, cw, func(r *table.Run) (string, bool) { return r.Contract, r.Contract != "" }, asIs)
	case "epoch":
		return constant(b, cw, func(r *table.Run) (record.Epoch, bool) { return r.Epoch, true }, record.Epoch.String)
	case "boot":
		return constant(b, cw, func(r *table.Run) (record.Boot, bool) { return r.Boot, true }, record.Boot.String)
	case "received_time":
		return constant(b, cw, func(r *table.Run) (int64, bool) { return r.Received, true }, asLong)
	case "clock_offset":
		return constant(b, cw, func(r *table.Run) (int64, bool) { return known(r.Stamp.ClockOffset) }, asLong)
	case "clock_error":
		return constant(b, cw, func(r *table.Run) (int64, bool) { return known(r.Stamp.ClockError) }, asLong)
	case "anchor":
		return constant(b, cw, func(r *table.Run) (int64, bool) { return known(r.Stamp.Anchor) }, asLong)
	case "event_time":
		return b.eventTime(cw)
	case "seq":
		return b.seq(cw)
	case "quality":
		return b.quality(cw)
	case "value":
		return b.value(cw)
	case "value_text":
		return b.valueText(cw)
	case "value_int":
		return b.valueInt(cw)
	case "value_bytes":
		return b.valueBytes(cw)
	}
	return fmt.Errorf("no reading has it: the table is newer than this binary")
}

func asIs(s string) string        { return s }
func asLong(v int64) int64        { return v }
func known(v int64) (int64, bool) { return v, v != table.Unknown }

func (b *buffers) eventTime(cw file.ColumnChunkWriter) error {
	b.longs = room(b.longs, b.rows)
	for _, p := range b.pieces {
		b.longs = append(b.longs, p.run.EventTime[p.from:p.to]...)
	}
	_, err := cw.(*file.Int64ColumnChunkWriter).WriteBatch(b.longs, nil, nil)
	return err
}

func (b *buffers) seq(cw file.ColumnChunkWriter) error {
	b.longs = room(b.longs, b.rows)
	for _, p := range b.pieces {
		for _, seq := range p.run.Seq[p.from:p.to] {
			b.longs = append(b.longs, int64(seq)) // below 2^63: record.MaxSeq
		}
	}
	_, err := cw.(*file.Int64ColumnChunkWriter).WriteBatch(b.longs, nil, nil)
	return err
}

// quality is constant over most runs; where it is not, it has few values.
func (b *buffers) quality(cw file.ColumnChunkWriter) error {
	dict := newDict[record.Quality]()
	b.indices = room(b.indices, b.rows)
	for _, p := range b.pieces {
		if p.run.Quality == nil {
			b.repeat(dict.index(p.run.Base), p.rows())
			continue
		}
		for _, q := range p.run.Quality[p.from:p.to] {
			b.indices = append(b.indices, dict.index(q|p.run.Base))
		}
	}
	values := make([]int32, len(dict.keys))
	for i, q := range dict.keys {
		values[i] = int32(q)
	}
	return b.writeDict(cw, values, false)
}

// value: the number, or the nearest double of an integer; a boolean is 0 or 1.
func (b *buffers) value(cw file.ColumnChunkWriter) error {
	b.doubles, b.levels = room(b.doubles, b.rows), room(b.levels, b.rows)
	for _, p := range b.pieces {
		n, r := len(b.doubles), p.run
		switch r.Kind {
		case record.Float:
			b.doubles = present(b.doubles, r.Floats, p, func(v float64) float64 { return v })
		case record.Int:
			b.doubles = present(b.doubles, r.Ints, p, func(v int64) float64 { return float64(v) })
		case record.Uint:
			b.doubles = present(b.doubles, r.Uints, p, func(v uint64) float64 { return float64(v) })
		case record.Bool:
			b.doubles = present(b.doubles, r.Bools, p, func(v bool) float64 {
				if v {
					return 1
				}
				return 0
			})
		default:
			b.absent(p.rows())
			continue
		}
		b.presence(p, len(b.doubles)-n)
	}
	_, err := cw.(*file.Float64ColumnChunkWriter).WriteBatch(b.doubles, b.levels, nil)
	return err
}

// valueText uses a dictionary where texts repeat (states, codes) and plain text where they do not.
func (b *buffers) valueText(cw file.ColumnChunkWriter) error {
	b.texts, b.levels = b.texts[:0], room(b.levels, b.rows)
	for _, p := range b.pieces {
		if p.run.Kind != record.Text {
			b.absent(p.rows())
			continue
		}
		n := len(b.texts)
		b.texts = present(b.texts, p.run.Texts, p, func(v string) parquet.ByteArray { return parquet.ByteArray(v) })
		b.presence(p, len(b.texts)-n)
	}
	_, err := cw.(*file.ByteArrayColumnChunkWriter).WriteBatch(b.texts, b.levels, nil)
	return err
}

func (b *buffers) valueBytes(cw file.ColumnChunkWriter) error {
	b.texts, b.levels = b.texts[:0], room(b.levels, b.rows)
	for _, p := range b.pieces {
		if p.run.Kind != record.Bytes {
			b.absent(p.rows())
			continue
		}
		n := len(b.texts)
		b.texts = present(b.texts, p.run.Blobs, p, func(v []byte) parquet.ByteArray { return v })
		b.presence(p, len(b.texts)-n)
	}
	_, err := cw.(*file.ByteArrayColumnChunkWriter).WriteBatch(b.texts, b.levels, nil)
	return err
}

// valueInt holds the integers that value cannot: a double is exact up to 2^53, and beyond for some.
func (b *buffers) valueInt(cw file.ColumnChunkWriter) error {
	var values []parquet.FixedLenByteArray
	width := cw.Descr().TypeLength()
	b.levels = room(b.levels, b.rows)
	for _, p := range b.pieces {
		if p.run.Kind != record.Int && p.run.Kind != record.Uint {
			b.absent(p.rows())
			continue
		}
		for i := p.from; i < p.to; i++ {
			v, ok := inexact(p.run, i)
			if !ok {
				b.levels = append(b.levels, 0)
				continue
			}
			b.levels = append(b.levels, 1)
			values = append(values, bigEndian(v, width))
		}
	}
	_, err := cw.(*file.FixedLenByteArrayColumnChunkWriter).WriteBatch(values, b.levels, nil)
	return err
}

// inexact returns the integer at i if a double does not hold it.
func inexact(r *table.Run, i int) (*big.Int, bool) {
	const exact = 1 << 53
	switch {
	case r.Null != nil && r.Null[i]:
	case r.Kind == record.Int:
		v := r.Ints[i]
		if v > exact || v < -exact {
			// 2^63 as a double does not fit back into an int64; it is never what v was.
			if f := float64(v); f == math.MaxInt64 || int64(f) != v {
				return big.NewInt(v), true
			}
		}
	default:
		v := r.Uints[i]
		if v > exact {
			if f := float64(v); f == math.MaxUint64 || uint64(f) != v {
				return new(big.Int).SetUint64(v), true
			}
		}
	}
	return nil, false
}

// bigEndian is v in two's complement, as Parquet stores a decimal.
func bigEndian(v *big.Int, width int) parquet.FixedLenByteArray {
	b := make([]byte, width)
	if v.Sign() >= 0 {
		return v.FillBytes(b)
	}
	return new(big.Int).Add(v, new(big.Int).Lsh(big.NewInt(1), uint(8*width))).FillBytes(b)
}
