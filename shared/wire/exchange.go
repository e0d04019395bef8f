package wire

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/headwater-iot/headwater/shared/record"
	"github.com/headwater-iot/headwater/shared/seqset"
)

func appendMessage(dst []byte, typ byte, v any) ([]byte, error) {
	body, err := dialect.enc.Marshal(v)
	if err != nil {
		return dst, fmt.Errorf("write message %T: %w", v, err)
	}
	if n := 4 + len(body) + 4; n > MaxSealed {
		return dst, fmt.Errorf("write message %T: %w: %d bytes, at most %d", v, ErrTooLarge, n, MaxSealed)
	}
	from := len(dst)
	dst = append(dst, 'H', 'M', version, typ)
	dst = append(dst, body...)
	return appendCRC(dst, from), nil
}

func parseMessage(b []byte, typ byte, v any) error {
	if err := unwrap(b, typ, v); err != nil {
		return fmt.Errorf("read message %T of %d bytes: %w", v, len(b), err)
	}
	return nil
}

func unwrap(b []byte, typ byte, v any) error {
	switch {
	case len(b) > MaxSealed:
		return ErrTooLarge
	case len(b) < 4+1+4:
		return fmt.Errorf("%w: too short for a message", ErrFormat)
	case binary.LittleEndian.Uint32(b[len(b)-4:]) != Checksum(b[:len(b)-4]):
		return ErrCRC
	case b[0] != 'H' || b[1] != 'M':
		return fmt.Errorf("%w: not a message", ErrFormat)
	case b[2] != version || b[3] != typ:
		return fmt.Errorf("%w: version %d, type %d", ErrVersion, b[2], b[3])
	}
	if err := dialect.dec.Unmarshal(b[4:len(b)-4], v); err != nil {
		return fmt.Errorf("%w: %w", ErrFormat, err)
	}
	return nil
}

// AppendHello appends h as a message to dst. Sets that are too large are joined at their closest ranges until
// the message fits: claiming to hold too much delays a presumed gap, a hello that cannot be sent stops everything.
func AppendHello(dst []byte, h *Hello) ([]byte, error) {
	out := *h
	out.Epochs = append([]HelloEpoch(nil), h.Epochs...)
	return shrinking(dst, typeHello, &out, func(limit int) error {
		for i := range out.Epochs {
			held, err := seqset.FromFlat(h.Epochs[i].Held)
			if err != nil {
				return fmt.Errorf("write hello: %w: held of epoch %s: %w", ErrFormat, h.Epochs[i].Epoch, err)
			}
			held = held.Coarsen(limit)
			out.Epochs[i].Held = held.Flat()
		}
		return nil
	})
}

// AppendAck appends a as a message to dst. Sets that are too large lose their last ranges until the message
// fits: claiming too little makes a device wait, claiming too much would make it forget.
func AppendAck(dst []byte, a *Ack) ([]byte, error) {
	out := *a
	out.Epochs = append([]AckEpoch(nil), a.Epochs...)
	return shrinking(dst, typeAck, &out, func(limit int) error {
		for i := range out.Epochs {
			e := &out.Epochs[i]
			e.Stored = e.Stored[:min(len(e.Stored), 2*limit)]
			e.Landed = e.Landed[:min(len(e.Landed), 2*limit)]
		}
		return nil
	})
}

// shrinking appends v, whose sets limit shortens, with the largest limit that fits.
func shrinking(dst []byte, typ byte, v any, limit func(ranges int) error) ([]byte, error) {
	for n := MaxRanges; ; n /= 2 {
		if err := limit(n); err != nil {
			return dst, err
		}
		out, err := appendMessage(dst, typ, v)
		if err == nil || n == 1 {
			return out, err
		}
	}
}

// AppendNack appends n as a message to dst.
func AppendNack(dst []byte, n *Nack) ([]byte, error) { return appendMessage(dst, typeNack, n) }

// ParseHello reads and checks a hello: names, states, lineage and sets are valid when it returns nil.
func ParseHello(b []byte) (*Hello, error) {
	h := new(Hello)
	if err := parseMessage(b, typeHello, h); err != nil {
		return nil, err
	}
	if device, err := record.DeviceOf(h.Client); err != nil || device != h.Device {
		return nil, fmt.Errorf("read hello: %w: client %q does not speak for device %q", ErrFormat, h.Client, h.Device)
	}
	if h.Boot == 0 {
		return nil, fmt.Errorf("read hello of %s: %w: boot is never 0", h.Device, ErrFormat)
	}
	known := make(map[record.Epoch]bool, len(h.Epochs))
	for i := range h.Epochs {
		e := &h.Epochs[i]
		err := e.check()
		if known[e.Epoch] {
			err = errors.New("named twice")
		}
		if err != nil {
			return nil, fmt.Errorf("read hello of %s: %w: entry %d, of epoch %s: %w", h.Device, ErrFormat, i, e.Epoch, err)
		}
		known[e.Epoch] = true
	}
	for _, a := range h.Anchors {
		if a.State > Synced || a.Boot == 0 {
			return nil, fmt.Errorf("read hello of %s: %w: anchor of boot %s", h.Device, ErrFormat, a.Boot)
		}
	}
	return h, nil
}

func (e *HelloEpoch) check() error {
	held, err := checkSet(e.Held)
	switch {
	case err != nil:
		return err
	case e.Epoch == 0 || e.Predecessor == e.Epoch:
		return fmt.Errorf("epoch 0, or its own predecessor")
	case e.State > EpochLost:
		return fmt.Errorf("state %d", e.State)
	case e.Next > record.MaxSeq || e.CountMax > record.MaxSeq-e.Next:
		return fmt.Errorf("next %d and count_max %d pass 2^63-1", e.Next, e.CountMax)
	case e.Floor > e.Next || held.Max() > e.Next:
		return fmt.Errorf("floor %d or held end %d behind next %d", e.Floor, held.Max(), e.Next)
	}
	return nil
}

func checkSet(flat []uint64) (seqset.Set, error) {
	if len(flat) > 2*MaxRanges {
		return seqset.Set{}, fmt.Errorf("%w: %d ranges, at most %d", ErrTooLarge, len(flat)/2, MaxRanges)
	}
	return seqset.FromFlat(flat)
}

// ParseAck reads and checks an ack: its sets are valid when it returns nil.
func ParseAck(b []byte) (*Ack, error) {
	a := new(Ack)
	if err := parseMessage(b, typeAck, a); err != nil {
		return nil, err
	}
	for i := range a.Epochs {
		e := &a.Epochs[i]
		if err := e.check(); err != nil {
			return nil, fmt.Errorf("read ack: %w: entry %d, of epoch %s: %w", ErrFormat, i, e.Epoch, err)
		}
	}
	return a, nil
}

func (e *AckEpoch) check() error {
	if e.Epoch == 0 {
		return errors.New("epoch 0")
	}
	if _, err := checkSet(e.Stored); err != nil {
		return err
	}
	_, err := checkSet(e.Landed)
	return err
}

// ParseNack reads a nack. A reason this binary does not know is kept: whatever it says, the batch was not taken.
func ParseNack(b []byte) (*Nack, error) {
	n := new(Nack)
	if err := parseMessage(b, typeNack, n); err != nil {
		return nil, err
	}
	return n, nil
}
