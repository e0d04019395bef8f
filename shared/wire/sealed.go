package wire

import (
	"encoding/binary"
	"fmt"

	"github.com/headwater-iot/headwater/shared/record"
)

// Limits of a sealed part.
const (
	MaxSealed   = 240 << 10 // bytes, so that envelope and topic fit a 256 KiB MQTT packet
	MaxBody     = 4 << 20   // bytes after inflating
	MaxReadings = 1 << 20   // cells of one batch
)

const (
	version = 1

	flagAbsolute = 1 << 0
	flagPromise  = 1 << 1
)

// Kind says what a sealed part is.
type Kind uint8

// The kinds of sealed part.
const (
	KindReadings Kind = 1 + iota
	KindGap
	KindEnd
)

// String returns the word of FORMAT.md.
func (k Kind) String() string {
	switch k {
	case KindReadings:
		return "readings"
	case KindGap:
		return "gap"
	case KindEnd:
		return "end"
	}
	return fmt.Sprintf("kind(%d)", uint8(k))
}

// Codec says how a body is compressed.
type Codec uint8

// The codecs.
const (
	Stored Codec = iota
	Zstd
)

// Header is everything of a sealed part but its body.
type Header struct {
	Kind       Kind
	Absolute   bool // device times are wall times, not monotonic ms of Boot
	HasPromise bool
	Codec      Codec
	Dict       uint8
	Device     string
	Epoch      record.Epoch
	Boot       record.Boot
	First      uint64 // first seq
	Count      uint64 // seqs occupied
	Base       int64  // ms
	Promise    int64  // ms, valid with HasPromise
}

// End returns the seq behind the last one of h.
func (h *Header) End() uint64 { return h.First + h.Count }

// Sealed is a parsed sealed part. Raw and Body share the memory that was parsed.
type Sealed struct {
	Header
	Body []byte // compressed
	Raw  []byte // the whole sealed part, CRC included
	CRC  uint32
}

// check holds h and the length of its body to FORMAT.md, section 2.
func (h *Header) check(body int) error {
	if err := record.CheckDevice(h.Device); err != nil {
		return fmt.Errorf("%w: %w", ErrFormat, err)
	}
	switch {
	case h.Epoch == 0 || h.Boot == 0:
		return fmt.Errorf("%w: epoch and boot are never 0", ErrFormat)
	case h.Codec > Zstd || h.Dict != 0 || h.Kind < KindReadings || h.Kind > KindEnd:
		return fmt.Errorf("%w: kind %d, codec %d, dictionary %d", ErrVersion, h.Kind, h.Codec, h.Dict)
	case h.First > record.MaxSeq || h.Count > record.MaxSeq-h.First:
		return fmt.Errorf("%w: seqs %d+%d pass 2^63-1", ErrFormat, h.First, h.Count)
	case h.Kind == KindReadings && (h.Count == 0 || h.Count > MaxReadings),
		h.Kind == KindGap && h.Count == 0,
		h.Kind == KindEnd && h.Count != 0:
		return fmt.Errorf("%w: %s with count %d", ErrFormat, h.Kind, h.Count)
	case (h.Kind == KindEnd) != (body == 0), h.Kind != KindReadings && h.Codec != Stored:
		return fmt.Errorf("%w: %s with a body of %d bytes, codec %d", ErrFormat, h.Kind, body, h.Codec)
	}
	return nil
}

// AppendSealed appends the sealed part of h and an already compressed body to dst.
func AppendSealed(dst []byte, h Header, body []byte) ([]byte, error) {
	if err := h.check(len(body)); err != nil {
		return dst, fmt.Errorf("seal: %w", err)
	}
	from := len(dst)
	var flags byte
	if h.Absolute {
		flags |= flagAbsolute
	}
	if h.HasPromise {
		flags |= flagPromise
	}
	dst = append(dst, 'H', 'W', version, byte(h.Kind), flags, byte(h.Codec), h.Dict, byte(len(h.Device)))
	dst = append(dst, h.Device...)
	dst = binary.LittleEndian.AppendUint64(dst, uint64(h.Epoch))
	dst = binary.LittleEndian.AppendUint64(dst, uint64(h.Boot))
	dst = binary.AppendUvarint(dst, h.First)
	dst = binary.AppendUvarint(dst, h.Count)
	dst = appendZZ(dst, h.Base)
	if h.HasPromise {
		dst = appendZZ(dst, h.Promise)
	}
	dst = binary.AppendUvarint(dst, uint64(len(body)))
	dst = append(dst, body...)
	dst = appendCRC(dst, from)
	if n := len(dst) - from; n > MaxSealed {
		return dst[:from], fmt.Errorf("seal %d readings: %w: %d bytes, at most %d", h.Count, ErrTooLarge, n, MaxSealed)
	}
	return dst, nil
}

// ParseSealed checks and reads one sealed part, which must be all of b.
//
// The error wraps ErrTooLarge, ErrVersion, ErrCRC or ErrFormat. The CRC is
// checked before any field is believed, so that damage is never taken for a version or a device.
func ParseSealed(b []byte) (Sealed, error) {
	s, err := parseSealed(b)
	if err != nil {
		return Sealed{}, fmt.Errorf("read sealed part of %d bytes: %w", len(b), err)
	}
	return s, nil
}

func parseSealed(b []byte) (Sealed, error) {
	if len(b) > MaxSealed {
		return Sealed{}, ErrTooLarge
	}
	if len(b) < 8+4 {
		return Sealed{}, fmt.Errorf("%w: too short for a sealed part", ErrFormat)
	}
	crc := binary.LittleEndian.Uint32(b[len(b)-4:])
	if Checksum(b[:len(b)-4]) != crc {
		return Sealed{}, ErrCRC
	}
	if b[0] != 'H' || b[1] != 'W' {
		return Sealed{}, fmt.Errorf("%w: not a sealed part", ErrFormat)
	}
	if b[2] != version {
		return Sealed{}, fmt.Errorf("%w %d", ErrVersion, b[2])
	}
	r := reader{b: b[:len(b)-4], off: 3}
	s := Sealed{Raw: b, CRC: crc}
	s.Kind = Kind(r.u8("kind"))
	flags := r.u8("flags")
	if flags&^(flagAbsolute|flagPromise) != 0 {
		return Sealed{}, fmt.Errorf("%w: flags %#x", ErrVersion, flags)
	}
	s.Absolute, s.HasPromise = flags&flagAbsolute != 0, flags&flagPromise != 0
	s.Codec, s.Dict = Codec(r.u8("codec")), r.u8("dictionary")
	s.Device = string(r.take(int(r.u8("device length")), "device"))
	s.Epoch, s.Boot = record.Epoch(r.u64("epoch")), record.Boot(r.u64("boot"))
	s.First, s.Count = r.uv("first seq"), r.uv("count")
	s.Base = r.zz("base time")
	if s.HasPromise {
		s.Promise = r.zz("promise")
	}
	s.Body = r.take(int(min(r.uv("body length"), MaxSealed)), "body")
	if r.err == nil && r.off != len(r.b) {
		r.fail("bytes behind the body")
	}
	if r.err != nil {
		return Sealed{}, r.err
	}
	if err := s.check(len(s.Body)); err != nil {
		return Sealed{}, err
	}
	return s, nil
}
