package ring

import (
	"encoding/binary"
	"errors"
	"hash/crc32"

	"github.com/headwater-iot/headwater/shared/record"
	"github.com/headwater-iot/headwater/shared/wire"
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli) // read only

func checksum(b []byte) uint32 { return crc32.Checksum(b, castagnoli) }

var errDamaged = errors.New("damaged")

// Header says whose rows the ring holds.
type Header struct {
	Device      string
	Epoch       record.Epoch
	Predecessor record.Epoch
	Boot        record.Boot
	Next        uint64 // seqs given out in Epoch, as of the last SetHeader
	Floor       uint64 // seqs below it are not in the ring any more
	Anchor      wire.Anchor
}

// Header returns what SetHeader or Recover put there.
func (r *Ring) Header() Header { return r.head }

// SetHeader replaces the header.
func (r *Ring) SetHeader(h Header) {
	r.head = h
	r.writeHeader()
}

// writeHeader writes the slot that is not valid now, so that a kill in the middle leaves the other.
func (r *Ring) writeHeader() {
	r.gen++
	r.told = r.headPos()
	b := make([]byte, 0, slotBytes)
	b = append(b, "HWR1\x00\x00\x00\x00"...)
	b = binary.LittleEndian.AppendUint64(b, r.gen)
	b = binary.LittleEndian.AppendUint64(b, uint64(len(r.data)))
	b = binary.LittleEndian.AppendUint64(b, r.told)
	h := &r.head
	for _, v := range []uint64{
		uint64(h.Epoch), uint64(h.Predecessor), uint64(h.Boot), h.Next, h.Floor,
		uint64(h.Anchor.State), h.Anchor.Generation, uint64(h.Anchor.Wall), uint64(h.Anchor.Monotonic), h.Anchor.Uncertainty,
	} {
		b = binary.LittleEndian.AppendUint64(b, v)
	}
	b = append(b, h.Device...)
	binary.LittleEndian.PutUint32(b[4:], uint32(len(b)))
	b = binary.LittleEndian.AppendUint32(b, checksum(b))
	copy(r.mem[r.gen%2*slotBytes:][:slotBytes], b)
}

// fixedBytes of a slot before the device.
const fixedBytes = 8 + 3*8 + 10*8

// slot is a header as it was read.
type slot struct {
	Header
	gen, capacity, head uint64
}

func parseSlot(b []byte) (slot, bool) {
	if string(b[:4]) != "HWR1" {
		return slot{}, false
	}
	n := binary.LittleEndian.Uint32(b[4:])
	if n < fixedBytes || n > slotBytes-4 || checksum(b[:n]) != binary.LittleEndian.Uint32(b[n:]) {
		return slot{}, false
	}
	u := func(i int) uint64 { return binary.LittleEndian.Uint64(b[8+8*i:]) }
	s := slot{gen: u(0), capacity: u(1), head: u(2)}
	s.Header = Header{
		Device: string(b[fixedBytes:n]), Epoch: record.Epoch(u(3)), Predecessor: record.Epoch(u(4)),
		Boot: record.Boot(u(5)), Next: u(6), Floor: u(7),
		Anchor: wire.Anchor{
			State: wire.AnchorState(u(8)), Generation: u(9), Wall: int64(u(10)),
			Monotonic: int64(u(11)), Uncertainty: u(12),
		},
	}
	return s, true
}

// newest returns the valid slot of the higher generation.
func newest(mem []byte) (slot, bool) {
	a, okA := parseSlot(mem[:slotBytes])
	b, okB := parseSlot(mem[slotBytes : 2*slotBytes])
	if okB && (!okA || b.gen > a.gen) {
		return b, true
	}
	return a, okA
}
