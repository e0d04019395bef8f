package log

import (
	"bytes"
	"testing"

	"github.com/headwater-iot/headwater/shared/wire"
)

// FuzzRecord holds that bytes and meaning of a record are one to one: what is read is written again as it was.
func FuzzRecord(f *testing.F) {
	for _, e := range []Entry{
		{Kind: Batch, Partition: 2, Offset: 7, Received: 1 << 50, Client: "dev", Payload: []byte("envelope"), Leads: true},
		{Kind: Hello, Client: "dev+import-0123456789abcdef", Payload: []byte("message")},
		{Kind: Batch},
		{Kind: 77, Payload: []byte{200, 1}},
		startRecord(9),
	} {
		f.Add(appendRecord(nil, &e), true)
	}
	f.Fuzz(func(t *testing.T, b []byte, sum bool) {
		if len(b) >= recordFixed && sum { // random bytes would never get past the CRC
			b[4], b[5], b[6], b[7] = 0, 0, 0, 0
			n := 8 + int(uint32(b[0])|uint32(b[1])<<8|uint32(b[2])<<16|uint32(b[3])<<24)
			if n >= recordFixed && n <= len(b) {
				s := recordSum(b[:n])
				b[4], b[5], b[6], b[7] = byte(s), byte(s>>8), byte(s>>16), byte(s>>24)
			}
		}
		e, size, err := parseRecord(b)
		if err != nil {
			return
		}
		if again := appendRecord(nil, &e); !bytes.Equal(again, b[:size]) {
			t.Errorf("%+v was read from %x and written as %x", e, b[:size], again)
		}
	})
}

// FuzzSegmentHeader holds the same for the start of a segment.
func FuzzSegmentHeader(f *testing.F) {
	for _, h := range []header{
		{Log: wire.ID{1, 2}, Segment: 3, Next: []uint64{4, 5, 6}},
		{Next: make([]uint64, 1)},
	} {
		f.Add(h.bytes(), true)
	}
	f.Fuzz(func(t *testing.T, b []byte, sum bool) {
		if n := len(b) - 4; n >= headerFixed && sum {
			s := wire.Checksum(b[:n])
			b[n], b[n+1], b[n+2], b[n+3] = byte(s), byte(s>>8), byte(s>>16), byte(s>>24)
		}
		h, err := parseHeader(b)
		if err != nil {
			return
		}
		if again := h.bytes(); !bytes.Equal(again, b[:len(again)]) {
			t.Errorf("%+v was read from %x and written as %x", h, b, again)
		}
	})
}
