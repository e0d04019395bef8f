package wire

import (
	"encoding/binary"
	"fmt"
)

// AnchorState says how far the wall clock of an anchor is to be trusted.
type AnchorState uint8

// The states of an anchor, worst first.
const (
	NoAnchor AnchorState = iota
	Unsynced             // the device's clock, which nobody has set
	Gateway              // the gateway's clock, by hello and ack
	Synced               // the device's clock, disciplined (NTP, GNSS, PTP)
)

// String returns the word of FORMAT.md.
func (s AnchorState) String() string {
	switch s {
	case NoAnchor:
		return "none"
	case Unsynced:
		return "unsynced"
	case Gateway:
		return "gateway"
	case Synced:
		return "synced"
	}
	return fmt.Sprintf("state(%d)", uint8(s))
}

// Anchor ties the monotonic clock of a boot to wall time.
type Anchor struct {
	State       AnchorState
	Generation  uint64
	Wall        int64  // us since 1970
	Monotonic   int64  // us since boot
	Uncertainty uint64 // us
}

// driftPPM bounds how far the monotonic clock of a device runs from true time. Crystals of small boards are within
// 50 ppm over their temperature range; twice that is allowed.
const driftPPM = 100

// Drift returns by how much the monotonic clock of a device may have strayed after a time, in the unit of that time.
func Drift(age int64) int64 { return max(age, 0) / (1_000_000 / driftPPM) }

// AppendEnvelope appends the envelope of a and the sealed part behind it to dst. Without a state the
// rest of a means nothing and is written as zeros.
func AppendEnvelope(dst []byte, a Anchor, sealed []byte) []byte {
	if a.State == NoAnchor {
		a = Anchor{}
	}
	from := len(dst)
	dst = append(dst, 'H', 'E', version, byte(a.State))
	dst = binary.AppendUvarint(dst, a.Generation)
	dst = appendZZ(dst, a.Wall)
	dst = appendZZ(dst, a.Monotonic)
	dst = binary.AppendUvarint(dst, a.Uncertainty)
	dst = appendCRC(dst, from)
	return append(dst, sealed...)
}

// ParseEnvelope reads an envelope and the sealed part behind it. Errors are those of ParseSealed.
func ParseEnvelope(b []byte) (Anchor, Sealed, error) {
	a, n, err := parseEnvelope(b)
	if err != nil {
		return Anchor{}, Sealed{}, fmt.Errorf("read envelope: %w", err)
	}
	s, err := ParseSealed(b[n:])
	return a, s, err
}

func parseEnvelope(b []byte) (Anchor, int, error) {
	if len(b) < 4 || b[0] != 'H' || b[1] != 'E' {
		return Anchor{}, 0, fmt.Errorf("%w: not an envelope", ErrFormat)
	}
	if b[2] != version {
		return Anchor{}, 0, fmt.Errorf("%w %d", ErrVersion, b[2])
	}
	r := reader{b: b, off: 3}
	a := Anchor{State: AnchorState(r.u8("anchor state"))}
	a.Generation = r.uv("generation")
	a.Wall, a.Monotonic = r.zz("wall"), r.zz("monotonic")
	a.Uncertainty = r.uv("uncertainty")
	end := r.off
	crc := r.take(4, "CRC")
	switch {
	case r.err != nil:
		// Where the CRC stands follows from the fields, so damage to a length shows up here first.
		return Anchor{}, 0, fmt.Errorf("%w: %w", ErrCRC, r.err)
	case binary.LittleEndian.Uint32(crc) != Checksum(b[:end]):
		return Anchor{}, 0, ErrCRC
	case a.State > Synced:
		return Anchor{}, 0, fmt.Errorf("%w: anchor state %d", ErrVersion, a.State)
	case a.State == NoAnchor && a != Anchor{}:
		return Anchor{}, 0, fmt.Errorf("%w: an anchor without state", ErrFormat)
	}
	return a, r.off, nil
}
