package ring

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math"
	"slices"
	"sort"
)

var (
	// ErrFull means that space must be released first.
	ErrFull = errors.New("ring is full")
	// ErrNotTmpfs means that the place for a ring would wear flash out, or is not there.
	ErrNotTmpfs = errors.New("not on tmpfs")
)

// MinBytes is the smallest ring: some of the largest sealed batches and the rows of one more.
const MinBytes = 1 << 20

const (
	headerBytes = 4096
	slotBytes   = 512
	recordBytes = 32
)

// Kind says what a record holds.
type Kind uint8

// The kinds of record.
const (
	Row Kind = 1 + iota
	Sealed
	filler
)

const released = 1 // state

// Ring is a bounded log in shared memory. Make one with Open or Heap.
type Ring struct {
	mem   []byte // header and data
	data  []byte
	gen   uint64
	head  Header
	tail  uint64 // pos of the next record
	told  uint64 // where the header says that records begin
	recs  []rec  // from the first unreleased to the tail, ascending
	unmap func() error
	path  string // "" for a heap ring
}

// rec is one record; kept outside the mapping so that damage there cannot lead us astray.
type rec struct {
	pos      uint64
	size     uint32 // with header, rounded up
	released bool
}

// Heap returns a ring that dies with the process.
func Heap(bytes int) *Ring {
	return newRing(make([]byte, headerBytes+max(bytes, MinBytes)&^7))
}

func newRing(mem []byte) *Ring {
	return &Ring{mem: mem, data: mem[headerBytes:]}
}

// OnTmpfs reports whether the ring outlives the process.
func (r *Ring) OnTmpfs() bool { return r.path != "" }

// Cap returns the bytes for records.
func (r *Ring) Cap() int { return len(r.data) }

// Used returns the bytes from the first unreleased record to the tail.
func (r *Ring) Used() int { return int(r.tail - r.headPos()) }

func (r *Ring) headPos() uint64 {
	if len(r.recs) == 0 {
		return r.tail
	}
	return r.recs[0].pos
}

// Size returns what a payload of n bytes takes.
func Size(n int) int { return (recordBytes + n + 7) &^ 7 }

// Append writes a record and returns its pos. It fails with ErrFull when less than reserve bytes would
// be left.
func (r *Ring) Append(kind Kind, counter uint64, readings int, payload []byte, reserve int) (uint64, error) {
	size := Size(len(payload))
	left := len(r.data) - int(r.tail%uint64(len(r.data))) // to the end of the circle
	need := size
	if size > left {
		need += left
	}
	if need+reserve > len(r.data)-r.Used() {
		return 0, ErrFull
	}
	// Nothing is written over that the header still tells of: a process that recovers would miss it.
	if r.tail+uint64(need)-r.told > uint64(len(r.data)) {
		r.writeHeader()
	}
	if size > left {
		r.fill(left)
	}
	pos := r.tail
	r.write(pos, kind, counter, readings, payload)
	r.recs = append(r.recs, rec{pos: pos, size: uint32(size)})
	r.tail += uint64(size)
	return pos, nil
}

// fill takes what is left of the circle, which is too short for the next record.
func (r *Ring) fill(left int) {
	if left >= recordBytes {
		b := r.at(r.tail)
		putHeader(b, r.tail, filler, 0, 0, uint32(left-recordBytes), 0)
		b[21] = released
	}
	if len(r.recs) > 0 {
		r.recs = append(r.recs, rec{pos: r.tail, size: uint32(left), released: true})
	}
	r.tail += uint64(left)
}

// write puts the payload first: until the header is complete there is no record.
func (r *Ring) write(pos uint64, kind Kind, counter uint64, readings int, payload []byte) {
	b := r.at(pos)
	clear(b[:recordBytes])
	copy(b[recordBytes:], payload)
	putHeader(b, pos, kind, counter, uint16(min(readings, math.MaxUint16)), uint32(len(payload)), checksum(payload))
}

func putHeader(b []byte, pos uint64, kind Kind, counter uint64, readings uint16, n, crc uint32) {
	var h [recordBytes]byte
	binary.LittleEndian.PutUint64(h[0:], pos)
	binary.LittleEndian.PutUint64(h[8:], counter)
	binary.LittleEndian.PutUint32(h[16:], n)
	h[20] = byte(kind)
	binary.LittleEndian.PutUint16(h[22:], readings)
	binary.LittleEndian.PutUint32(h[24:], crc)
	binary.LittleEndian.PutUint32(h[28:], headerCRC(h[:]))
	copy(b, h[:])
}

func headerCRC(h []byte) uint32 {
	c := crc32.Update(0, castagnoli, h[:21])
	return crc32.Update(c, castagnoli, h[22:28])
}

func (r *Ring) at(pos uint64) []byte { return r.data[pos%uint64(len(r.data)):] }

// Payload returns the payload of an unreleased record, checked. It shares the ring's memory.
func (r *Ring) Payload(pos uint64) ([]byte, error) {
	b := r.at(pos)
	e, ok := parseHeader(b, pos)
	if !ok {
		return nil, fmt.Errorf("ring record %d: header: %w", pos, errDamaged)
	}
	if e.Payload == nil {
		return nil, fmt.Errorf("ring record %d: payload: %w", pos, errDamaged)
	}
	return e.Payload, nil
}

// Release gives a record up. Its space is free once all before it is released.
func (r *Ring) Release(pos uint64) {
	i := sort.Search(len(r.recs), func(i int) bool { return r.recs[i].pos >= pos })
	if i == len(r.recs) || r.recs[i].pos != pos {
		return // twice is once
	}
	r.recs[i].released = true
	r.at(pos)[21] = released
	n := 0
	for n < len(r.recs) && r.recs[n].released {
		n++
	}
	r.recs = slices.Delete(r.recs, 0, n)
}

// Reset forgets everything.
func (r *Ring) Reset() {
	clear(r.data)
	r.recs, r.tail, r.told = nil, 0, 0
	r.SetHeader(Header{})
}

// Close lets the memory go. The file stays.
func (r *Ring) Close() error {
	if r.unmap == nil {
		return nil
	}
	unmap := r.unmap
	r.unmap, r.mem, r.data = nil, nil, nil
	return unmap()
}
