package rowfile

import (
	"fmt"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/bitutil"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/file"

	"github.com/headwater-iot/headwater/gateway/internal/table"
)

// buffers hold one column of one row group at a time, and are used again for the next.
type buffers struct {
	pieces []piece
	rows   int

	longs   []int64
	doubles []float64
	texts   []parquet.ByteArray
	indices []int32 // into the dictionary of the column; -1 = null
	levels  []int16 // definition levels: 1 = present, 0 = null
	bits    []byte  // the same as a bitmap
}

// start turns to the next row group.
func (b *buffers) start(pieces []piece) {
	b.pieces, b.rows = pieces, 0
	for _, p := range pieces {
		b.rows += p.rows()
	}
}

// room empties s and makes room for n elements.
func room[T any](s []T, n int) []T { return slices.Grow(s[:0], n) }

// repeat adds n equal indices.
func (b *buffers) repeat(index int32, n int) { b.indices = appendN(b.indices, index, n) }

// absent adds n nulls.
func (b *buffers) absent(n int) { b.levels = appendN(b.levels, 0, n) }

// presence adds the levels of a piece, of which so many cells are there.
func (b *buffers) presence(p piece, there int) {
	if there == p.rows() {
		b.levels = appendN(b.levels, 1, there)
		return
	}
	for _, null := range p.run.Null[p.from:p.to] {
		if null {
			b.levels = append(b.levels, 0)
		} else {
			b.levels = append(b.levels, 1)
		}
	}
}

// appendN appends v n times.
func appendN[T any](s []T, v T, n int) []T {
	at := len(s)
	if cap(s)-at < n {
		s = append(s, make([]T, n)...)
	} else {
		s = s[:at+n]
	}
	fill := s[at:]
	for i := range fill {
		fill[i] = v
	}
	return s
}

// present appends the cells of a piece that are not null.
func present[V, T any](dst []T, values []V, p piece, convert func(V) T) []T {
	if p.run.Null == nil {
		for _, v := range values[p.from:p.to] {
			dst = append(dst, convert(v))
		}
		return dst
	}
	for i := p.from; i < p.to; i++ {
		if !p.run.Null[i] {
			dst = append(dst, convert(values[i]))
		}
	}
	return dst
}

// dict numbers values in the order in which they come.
type dict[K comparable] struct {
	keys []K
	at   map[K]int32
}

func newDict[K comparable]() *dict[K] { return &dict[K]{at: make(map[K]int32)} }

func (d *dict[K]) index(k K) int32 {
	if i, ok := d.at[k]; ok {
		return i
	}
	i := int32(len(d.keys))
	d.at[k] = i
	d.keys = append(d.keys, k)
	return i
}

// constant writes a column that has one value per run: one look-up per piece, not per row.
func constant[K comparable, V string | int64](b *buffers, cw file.ColumnChunkWriter, get func(*table.Run) (K, bool), text func(K) V) error {
	dict := newDict[K]()
	b.indices = room(b.indices, b.rows)
	nulls := false
	for _, p := range b.pieces {
		index := int32(-1)
		if k, ok := get(p.run); ok {
			index = dict.index(k)
		} else {
			nulls = true
		}
		b.repeat(index, p.rows())
	}
	values := make([]V, len(dict.keys))
	for i, k := range dict.keys {
		values[i] = text(k)
	}
	return b.writeDict(cw, values, nulls)
}

// dictEncoder is the part of the Parquet library's dictionary encoder that is used here; its package is internal.
type dictEncoder interface {
	PutDictionary(values arrow.Array) error
}

// writeDict writes b.indices as a column chunk whose dictionary is values, a slice of string, int64 or int32.
func (b *buffers) writeDict(cw file.ColumnChunkWriter, values any, nulls bool) error {
	dictionary := dictionaryOf(values)
	defer dictionary.Release()
	if cw.Descr().MaxDefinitionLevel() == 0 && nulls {
		return fmt.Errorf("null in a required column")
	}
	enc, ok := cw.CurrentEncoder().(dictEncoder)
	if !ok {
		panic("rowfile: dictionary column without a dictionary encoder")
	}
	if err := enc.PutDictionary(dictionary); err != nil {
		return err
	}
	indices, there := b.indexArray(nulls)
	defer indices.Release()
	stats := cw.PageStatistics()
	stats.IncNulls(int64(b.rows - there))
	stats.IncNumValues(int64(there))
	if err := stats.UpdateFromArrow(dictionary, false); err != nil {
		return err
	}
	var levels []int16
	if cw.Descr().MaxDefinitionLevel() > 0 {
		levels = b.levels
	}
	return cw.WriteDictIndices(indices, levels, nil)
}

func dictionaryOf(values any) arrow.Array {
	switch values := values.(type) {
	case []string:
		sb := array.NewStringBuilder(memory.DefaultAllocator)
		defer sb.Release()
		sb.AppendValues(values, nil)
		return sb.NewArray()
	case []int64:
		lb := array.NewInt64Builder(memory.DefaultAllocator)
		defer lb.Release()
		lb.AppendValues(values, nil)
		return lb.NewArray()
	case []int32:
		ib := array.NewInt32Builder(memory.DefaultAllocator)
		defer ib.Release()
		ib.AppendValues(values, nil)
		return ib.NewArray()
	}
	panic(fmt.Sprintf("rowfile: dictionary of %T", values))
}

// indexArray wraps b.indices, sets b.levels, and returns the number of values that are there.
func (b *buffers) indexArray(nulls bool) (arrow.Array, int) {
	there := len(b.indices)
	var valid *memory.Buffer
	if !nulls {
		b.levels = appendN(b.levels[:0], 1, there)
	} else {
		b.bits = appendN(b.bits[:0], 0, int(bitutil.BytesForBits(int64(len(b.indices)))))
		b.levels = room(b.levels, b.rows)
		there = 0
		for i, index := range b.indices {
			if index < 0 {
				b.levels = append(b.levels, 0)
				continue
			}
			b.levels = append(b.levels, 1)
			bitutil.SetBit(b.bits, i)
			there++
		}
		valid = memory.NewBufferBytes(b.bits)
	}
	data := array.NewData(arrow.PrimitiveTypes.Int32, len(b.indices),
		[]*memory.Buffer{valid, memory.NewBufferBytes(arrow.Int32Traits.CastToBytes(b.indices))}, nil, len(b.indices)-there, 0)
	defer data.Release()
	return array.NewInt32Data(data), there
}
