package modbus

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// Errors of an exchange.
var (
	// ErrSilent means that the device did not answer in time.
	ErrSilent = errors.New("no answer (is the device powered, and are unit_id, baud and parity right?)")
	// ErrGarbled means that what came was not an answer to what was asked.
	ErrGarbled = errors.New("the answer is garbled")
)

// Exception is a device's refusal of one request.
type Exception byte

// Error says what the standard says of the code.
func (e Exception) Error() string {
	what := map[Exception]string{
		1: "illegal function", 2: "illegal data address", 3: "illegal data value", 4: "device failure",
		5: "acknowledged, not done", 6: "device busy", 8: "memory parity error",
		10: "gateway has no path", 11: "device behind the gateway does not answer",
	}[e]
	if what == "" {
		what = "unknown"
	}
	return fmt.Sprintf("the device refused with exception %d: %s", byte(e), what)
}

// request asks for registers or bits.
type request struct {
	unit, function byte
	first, count   int
}

// bytes returns the length of the data that answers the request.
func (q request) bytes() int {
	if q.function <= 2 {
		return (q.count + 7) / 8
	}
	return 2 * q.count
}

// pdu returns the request without its frame.
func (q request) pdu() []byte {
	b := []byte{q.function}
	b = binary.BigEndian.AppendUint16(b, uint16(q.first))
	return binary.BigEndian.AppendUint16(b, uint16(q.count))
}

// answer takes what a device said, without its frame, for the answer to q.
func (q request) answer(unit byte, pdu []byte) ([]byte, error) {
	switch {
	case unit != q.unit && (unit != 255 || len(pdu) == 0 || pdu[0]&0x80 == 0): // gateways refuse as unit 255
		return nil, fmt.Errorf("%w: unit %d answers for %d", ErrGarbled, unit, q.unit)
	case len(pdu) == 2 && pdu[0] == q.function|0x80:
		return nil, Exception(pdu[1])
	case len(pdu) != 2+q.bytes() || pdu[0] != q.function || int(pdu[1]) != q.bytes():
		return nil, fmt.Errorf("%w: % x for %d bytes of function %d", ErrGarbled, pdu[:min(len(pdu), 2)], q.bytes(), q.function)
	}
	return pdu[2:], nil
}

// rtu asks on a serial line: unit, PDU, CRC. The length of an answer follows from its beginning alone.
func rtu(line io.ReadWriter, q request) ([]byte, error) {
	frame := append([]byte{q.unit}, q.pdu()...)
	frame = binary.LittleEndian.AppendUint16(frame, crc(frame))
	if _, err := line.Write(frame); err != nil {
		return nil, err
	}
	head := make([]byte, 3, 5+q.bytes())
	if err := receive(line, head, 0); err != nil {
		return nil, err
	}
	rest := 2
	switch {
	case head[1] == q.function && int(head[2]) == q.bytes():
		rest += q.bytes()
	case head[1] != q.function|0x80:
		return nil, fmt.Errorf("%w: it begins with % x", ErrGarbled, head)
	}
	frame = head[:3+rest]
	if err := receive(line, frame[3:], 3); err != nil {
		return nil, err
	}
	end := len(frame) - 2
	if got, want := binary.LittleEndian.Uint16(frame[end:]), crc(frame[:end]); got != want {
		return nil, fmt.Errorf("%w: CRC %04x instead of %04x", ErrGarbled, got, want)
	}
	return q.answer(frame[0], frame[1:end])
}

// tcp asks over TCP: transaction, protocol 0, length, unit, PDU. Answers to earlier requests are passed over.
func tcp(conn io.ReadWriter, transaction uint16, q request) ([]byte, error) {
	pdu := q.pdu()
	frame := binary.BigEndian.AppendUint16(nil, transaction)
	frame = append(frame, 0, 0, 0, byte(1+len(pdu)), q.unit)
	if _, err := conn.Write(append(frame, pdu...)); err != nil {
		return nil, err
	}
	for {
		head := make([]byte, 7)
		if err := receive(conn, head, 0); err != nil {
			return nil, err
		}
		n := int(binary.BigEndian.Uint16(head[4:]))
		if binary.BigEndian.Uint16(head[2:]) != 0 || n < 2 || n > 254 {
			return nil, fmt.Errorf("%w: header % x", ErrGarbled, head)
		}
		body := make([]byte, n-1)
		if err := receive(conn, body, len(head)); err != nil {
			return nil, err
		}
		if binary.BigEndian.Uint16(head) == transaction {
			return q.answer(head[6], body)
		}
	}
}

// receive fills b, behind the first before bytes of a frame. A frame that breaks off is garbled, none at all is silence.
func receive(r io.Reader, b []byte, before int) error {
	n, err := io.ReadFull(r, b)
	if err == nil || before+n == 0 {
		return err
	}
	return fmt.Errorf("%w: it breaks off after %d bytes: %w", ErrGarbled, before+n, err)
}

// crc is CRC-16/MODBUS.
func crc(b []byte) uint16 {
	c := uint16(0xFFFF)
	for _, x := range b {
		c ^= uint16(x)
		for range 8 {
			if c&1 == 1 {
				c = c>>1 ^ 0xA001
			} else {
				c >>= 1
			}
		}
	}
	return c
}
