package log

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"

	"github.com/headwater-iot/headwater/shared/wire"
)

// Kind says what a record is.
type Kind uint8

// The kinds of FORMAT.md. Those not named here are reserved by number.
const (
	Batch    Kind = 1
	Hello    Kind = 3
	Contract Kind = 4
	Replay   Kind = 5
	Start    Kind = 7
)

// hasClient reports whether a record names its client before its payload. A kind that is not known here is all payload:
// it is given as it is, and whoever reads stops by its name.
func (k Kind) hasClient() bool { return k == Batch || k == Hello }

// startPartition is the partition of Start records, which belong to none.
const startPartition = 0xffff

const (
	magic         = "HWLG"
	formatVersion = 1
	headerFixed   = 40      // bytes of a segment header before the offsets
	recordFixed   = 28      // bytes of a record before its payload
	minLength     = 20      // of a record's length field
	maxLength     = 1 << 20 //

	flagLeads = 1 << 0
)

var (
	errTorn    = errors.New("bytes end inside a record")
	errDamaged = errors.New("damaged")
)

// Entry is one record as a Reader gives it.
type Entry struct {
	Kind      Kind
	Leads     bool // it is the first record of a group: everything before it was synced before it was written
	Partition int
	Offset    uint64
	Received  int64 // us wall
	Client    string
	Payload   []byte // envelope or message; the caller's to keep
}

// appendRecord appends the record of e to dst.
func appendRecord(dst []byte, e *Entry) []byte {
	from := len(dst)
	n := minLength + len(e.Payload)
	if e.Kind.hasClient() {
		n += 1 + len(e.Client)
	}
	dst = binary.LittleEndian.AppendUint32(dst, uint32(n))
	dst = append(dst, 0, 0, 0, 0, byte(e.Kind), flags(e))
	dst = binary.LittleEndian.AppendUint16(dst, uint16(e.Partition))
	dst = binary.LittleEndian.AppendUint64(dst, e.Offset)
	dst = binary.LittleEndian.AppendUint64(dst, uint64(e.Received))
	if e.Kind.hasClient() {
		dst = append(dst, byte(len(e.Client)))
		dst = append(dst, e.Client...)
	}
	dst = append(dst, e.Payload...)
	binary.LittleEndian.PutUint32(dst[from+4:], recordSum(dst[from:]))
	return dst
}

func flags(e *Entry) byte {
	if e.Leads {
		return flagLeads
	}
	return 0
}

// recordSum covers the length field and everything behind the CRC.
func recordSum(b []byte) uint32 {
	var head [4]byte
	copy(head[:], b)
	return crc32.Update(wire.Checksum(head[:]), crc32.MakeTable(crc32.Castagnoli), b[8:])
}

// parseRecord reads the record at the start of b and returns its size. Client and Payload share b.
// The error is errTorn when b may be the beginning of a record, errDamaged when it cannot be.
func parseRecord(b []byte) (Entry, int, error) {
	if len(b) < recordFixed {
		return Entry{}, 0, errTorn
	}
	n := int(binary.LittleEndian.Uint32(b))
	if n < minLength || n > maxLength {
		return Entry{}, 0, fmt.Errorf("%w: record length %d", errDamaged, n)
	}
	size := 8 + n
	if len(b) < size {
		return Entry{}, size, errTorn
	}
	b = b[:size]
	if binary.LittleEndian.Uint32(b[4:]) != recordSum(b) {
		return Entry{}, size, fmt.Errorf("%w: record CRC", errDamaged)
	}
	e := Entry{
		Kind:      Kind(b[8]),
		Leads:     b[9] == flagLeads,
		Partition: int(binary.LittleEndian.Uint16(b[10:])),
		Offset:    binary.LittleEndian.Uint64(b[12:]),
		Received:  int64(binary.LittleEndian.Uint64(b[20:])),
		Payload:   b[recordFixed:],
	}
	if b[9] > flagLeads {
		return Entry{}, size, fmt.Errorf("%w: flags %#x", errDamaged, b[9])
	}
	if !e.Kind.hasClient() {
		return e, size, nil
	}
	if len(e.Payload) == 0 || len(e.Payload) < 1+int(e.Payload[0]) {
		return Entry{}, size, fmt.Errorf("%w: client length", errDamaged)
	}
	end := 1 + int(e.Payload[0])
	e.Client, e.Payload = string(e.Payload[1:end]), e.Payload[end:]
	return e, size, nil
}

// header is the start of a segment.
type header struct {
	Log     wire.ID
	Segment uint64
	Next    []uint64 // next offset of each partition at the start of the segment
}

func (h *header) size() int64 { return int64(headerFixed + 8*len(h.Next) + 4) }

func (h *header) bytes() []byte {
	b := append([]byte(magic), formatVersion, 0, 0, 0)
	b = append(b, h.Log[:]...)
	b = binary.LittleEndian.AppendUint64(b, h.Segment)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(h.Next)))
	b = append(b, 0, 0, 0, 0)
	for _, n := range h.Next {
		b = binary.LittleEndian.AppendUint64(b, n)
	}
	return binary.LittleEndian.AppendUint32(b, wire.Checksum(b))
}

// parseHeader reads the header at the start of b.
func parseHeader(b []byte) (header, error) {
	if len(b) < headerFixed || string(b[:4]) != magic {
		return header{}, fmt.Errorf("%w: not a segment of a log", errDamaged)
	}
	if b[4] != formatVersion {
		return header{}, fmt.Errorf("segment version %d is not known to this binary; a newer one wrote it", b[4])
	}
	parts := binary.LittleEndian.Uint32(b[32:])
	if parts == 0 || parts >= startPartition || len(b) < headerFixed+8*int(parts)+4 {
		return header{}, fmt.Errorf("%w: segment header with %d partitions", errDamaged, parts)
	}
	end := headerFixed + 8*int(parts)
	h := header{Segment: binary.LittleEndian.Uint64(b[24:]), Next: make([]uint64, parts)}
	copy(h.Log[:], b[8:24])
	for i := range h.Next {
		h.Next[i] = binary.LittleEndian.Uint64(b[headerFixed+8*i:])
	}
	zero := b[5] | b[6] | b[7] | b[36] | b[37] | b[38] | b[39]
	if zero != 0 || binary.LittleEndian.Uint32(b[end:]) != wire.Checksum(b[:end]) {
		return header{}, fmt.Errorf("%w: segment header CRC", errDamaged)
	}
	return h, nil
}
