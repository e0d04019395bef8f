// Package simrtu is a simulated Modbus RTU device for tests and demonstrations: it
// answers on any line, such as the far end of a pty, and can misbehave in every way
// that real ones do. It knows nothing of package modbus, whose other side it is;
// that a foreign client understands it is shown there (TestForeignClientReadsTheSlave).
package simrtu

import (
	"encoding/binary"
	"io"
	"sync"
	"time"
)

// Slave is a device with holding and input registers, coils and discrete inputs. Its methods may be called while it serves.
type Slave struct {
	mu        sync.Mutex
	unit      byte
	registers map[int]uint16 // guarded by mu; of both tables, and bit 0 of them are the coils
	fault     Fault          // guarded by mu
	requests  []Request      // guarded by mu
}

// Request is what a slave was asked.
type Request struct {
	Unit, Function byte
	First, Count   int
}

// Fault is how a slave misbehaves. The zero value is a good one.
type Fault struct {
	Silent    bool          // it does not answer
	BadCRC    int           // so many answers have a wrong CRC
	Cut       int           // so many bytes of an answer are missing
	Wrong     bool          // it answers under another unit id
	Late      time.Duration // it answers so late
	Noise     []byte        // in front of each answer
	Refuse    byte          // it refuses with this exception, from RefuseAt on
	RefuseAt  int
	ShortData bool // it gives fewer registers than it was asked for, in a good frame
}

// New returns a slave with registers by address.
func New(unit byte, registers map[int]uint16) *Slave { return &Slave{unit: unit, registers: registers} }

// Misbehave sets the fault.
func (s *Slave) Misbehave(f Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fault = f
}

// Requests returns what the slave was asked since the last call.
func (s *Slave) Requests() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := s.requests
	s.requests = nil
	return out
}

// Serve lets slaves answer on one line until it fails.
func Serve(line io.ReadWriter, slaves ...*Slave) error {
	frame := make([]byte, 8)
	for {
		if _, err := io.ReadFull(line, frame); err != nil {
			return err
		}
		for _, s := range slaves {
			answer, late := s.answer(frame)
			if answer == nil {
				continue
			}
			time.Sleep(late)
			if _, err := line.Write(answer); err != nil {
				return err
			}
		}
	}
}

// answer returns the answer to a frame, and how late it is to be; nil when there is none.
func (s *Slave) answer(frame []byte) ([]byte, time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	q := Request{frame[0], frame[1], int(binary.BigEndian.Uint16(frame[2:])), int(binary.BigEndian.Uint16(frame[4:]))}
	if q.Unit != s.unit || checksum(frame[:6]) != binary.LittleEndian.Uint16(frame[6:]) {
		return nil, 0
	}
	s.requests = append(s.requests, q)
	if s.fault.Silent {
		return nil, 0
	}
	out := []byte{q.Unit, q.Function}
	if s.fault.Wrong {
		out[0]++
	}
	if s.fault.Refuse != 0 && q.First+q.Count > s.fault.RefuseAt {
		out[1] |= 0x80
		out = append(out, s.fault.Refuse)
	} else {
		data := s.data(q)
		out = append(append(out, byte(len(data))), data...)
	}
	sum := checksum(out)
	if s.fault.BadCRC > 0 {
		s.fault.BadCRC--
		sum++
	}
	out = binary.LittleEndian.AppendUint16(out, sum)
	out = out[:max(len(out)-s.fault.Cut, 0)]
	return append(append([]byte(nil), s.fault.Noise...), out...), s.fault.Late
}

func (s *Slave) data(q Request) []byte {
	if s.fault.ShortData {
		q.Count--
	}
	if q.Function <= 2 {
		bits := make([]byte, (q.Count+7)/8)
		for i := range q.Count {
			bits[i/8] |= byte(s.registers[q.First+i]&1) << (i % 8)
		}
		return bits
	}
	var words []byte
	for i := range q.Count {
		words = binary.BigEndian.AppendUint16(words, s.registers[q.First+i])
	}
	return words
}

// checksum is CRC-16/MODBUS, bit by bit as the standard's own text has it.
func checksum(b []byte) uint16 {
	sum := uint16(0xFFFF)
	for _, x := range b {
		sum ^= uint16(x)
		for range 8 {
			carry := sum & 1
			sum >>= 1
			if carry != 0 {
				sum ^= 0xA001
			}
		}
	}
	return sum
}
