package intake

import (
	"encoding/binary"
	"strings"

	"github.com/headwater-iot/headwater/shared/record"
	"github.com/headwater-iot/headwater/shared/wire"
)

// maxDetail bounds what of an error goes back to a device.
const maxDetail = 200

// refusal names a batch that could not be read, as far as its bytes allow: the device finds it by these numbers
// among those it has sent, and ignores a nack of one that it has not.
func refusal(payload []byte, reason wire.Reason, detail string) *wire.Nack {
	n := &wire.Nack{Reason: reason, Detail: strings.ToValidUTF8(detail[:min(len(detail), maxDetail)], "")}
	b, ok := skipEnvelope(payload)
	if !ok || len(b) < 8+4 {
		return n
	}
	n.CRC = binary.LittleEndian.Uint32(b[len(b)-4:])
	b = b[8:]
	device := int(payload[len(payload)-len(b)-1])
	if len(b) < device+16 {
		return n
	}
	b = b[device:]
	n.Epoch = record.Epoch(binary.LittleEndian.Uint64(b))
	b = b[16:] // the boot is of no use here
	first, size := binary.Uvarint(b)
	if size <= 0 {
		return n
	}
	if count, more := binary.Uvarint(b[size:]); more > 0 {
		n.First, n.Count = first, count
	}
	return n
}

// skipEnvelope returns what stands behind an envelope whose CRC may be wrong.
func skipEnvelope(b []byte) ([]byte, bool) {
	if len(b) < 4 {
		return nil, false
	}
	b = b[4:]
	for range 4 { // generation, wall, monotonic, uncertainty
		_, n := binary.Uvarint(b)
		if n <= 0 {
			return nil, false
		}
		b = b[n:]
	}
	if len(b) < 4 {
		return nil, false
	}
	return b[4:], true
}
