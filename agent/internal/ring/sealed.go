package ring

import (
	"encoding/binary"
	"fmt"

	"github.com/headwater-iot/headwater/shared/seqset"
)

// Batch is the payload of a sealed record.
type Batch struct {
	Rows   seqset.Set // counters of the rows it consumed
	To     int64      // ms, exclusive end of its device times
	Sealed []byte
}

// AppendBatch appends the payload of a sealed record to dst.
func AppendBatch(dst []byte, b *Batch) []byte {
	ranges := b.Rows.Ranges()
	dst = binary.AppendUvarint(dst, uint64(len(ranges)))
	for _, x := range ranges {
		dst = binary.AppendUvarint(dst, x.From)
		dst = binary.AppendUvarint(dst, x.Len())
	}
	dst = binary.AppendVarint(dst, b.To)
	return append(dst, b.Sealed...)
}

// ParseBatch reads the payload of a sealed record. Sealed shares its memory and is not looked at.
func ParseBatch(p []byte) (Batch, error) {
	r := reader{b: p}
	n := r.uvarint()
	var b Batch
	for last := uint64(0); n > 0 && !r.bad; n-- {
		from, length := r.uvarint(), r.uvarint()
		if length == 0 || from+length < from || from < last || last > 0 && from == last {
			r.bad = true
			break
		}
		b.Rows.Add(from, from+length)
		last = from + length
	}
	b.To = r.varint()
	b.Sealed = r.b
	if r.bad {
		return Batch{}, fmt.Errorf("read sealed record of %d bytes: %w", len(p), ErrRow)
	}
	return b, nil
}
