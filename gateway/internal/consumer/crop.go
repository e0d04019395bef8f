package consumer

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"net"
	"sync"

	"github.com/headwater-iot/headwater/gateway/internal/door"
)

const (
	publish    = 3       // packet type
	maxLength  = 1 << 28 // no MQTT packet is longer
	readBuffer = 64 << 10
)

// croppedConn cuts publishes that are longer than door.MaxPacket down to it. Paho makes room for whatever length it reads,
// and a broker passes on what any client sends, 256 MB and more. To end the connection instead would not help: the broker
// keeps the message and sends it again. Cropped, it is refused by intake, told to its sender and acknowledged.
type croppedConn struct {
	net.Conn
	in      *bufio.Reader // Read is paho's alone
	cropped func()
	head    []byte // of the packet, not yet read
	body    int    // bytes of the packet, not yet read
	rest    int    // bytes behind them, to be dropped

	once sync.Once
	gone chan struct{} // closed when the connection is of no more use
	err  error         // why; valid once gone is closed
}

func crop(conn net.Conn, cropped func()) *croppedConn {
	return &croppedConn{Conn: conn, in: bufio.NewReaderSize(conn, readBuffer), cropped: cropped, gone: make(chan struct{})}
}

// Read implements net.Conn.
func (c *croppedConn) Read(p []byte) (int, error) {
	if len(c.head)+c.body == 0 {
		if err := c.next(); err != nil {
			return 0, c.end(err)
		}
	}
	if len(c.head) > 0 {
		n := copy(p, c.head)
		c.head = c.head[n:]
		return n, nil
	}
	n, err := c.in.Read(p[:min(len(p), c.body)])
	c.body -= n
	if err != nil {
		return n, c.end(err)
	}
	return n, nil
}

// next reads the head of a packet.
func (c *croppedConn) next() error {
	if _, err := c.in.Discard(c.rest); err != nil {
		return err
	}
	kind, err := c.in.ReadByte()
	if err != nil {
		return err
	}
	length, err := binary.ReadUvarint(c.in) // MQTT counts in the same way
	if err != nil {
		return err
	}
	c.body, c.rest = int(min(length, door.MaxPacket)), 0
	switch {
	case length >= maxLength, length > door.MaxPacket && kind>>4 != publish:
		return fmt.Errorf("the broker breaks MQTT: packet of type %d with %d bytes", kind>>4, length)
	case length > door.MaxPacket:
		c.rest = int(length) - c.body
		c.cropped()
	}
	c.head = binary.AppendUvarint(append(c.head[:0], kind), uint64(c.body))
	return nil
}

// Close implements net.Conn.
func (c *croppedConn) Close() error {
	_ = c.end(net.ErrClosed)
	return c.Conn.Close()
}

func (c *croppedConn) end(err error) error {
	c.once.Do(func() {
		c.err = err
		close(c.gone)
	})
	return err
}
