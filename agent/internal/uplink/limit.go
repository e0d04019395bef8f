package uplink

import (
	"fmt"
	"net"
)

// maxPacket is the largest MQTT packet we read. Ours are small; paho allocates what the
// length field says before it has read a byte of it.
const maxPacket = 256 << 10

// cappedConn is a connection whose reader follows the MQTT framing and fails, before the
// length is believed by anyone, on a packet larger than maxPacket. Read is paho's alone.
type cappedConn struct {
	net.Conn

	body   int  // bytes of the current packet still to come
	length int  // remaining length so far
	shift  uint // 7 bits of length per byte
	inLen  bool // the next byte belongs to the length
}

// Read implements net.Conn.
func (c *cappedConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if e := c.follow(p[:n]); e != nil {
		return 0, e
	}
	return n, err
}

// follow walks over bytes that arrived.
func (c *cappedConn) follow(p []byte) error {
	for len(p) > 0 {
		switch {
		case c.body > 0:
			skip := min(c.body, len(p))
			c.body -= skip
			p = p[skip:]
		case !c.inLen: // the type byte
			c.inLen, c.length, c.shift = true, 0, 0
			p = p[1:]
		default:
			c.length |= int(p[0]&0x7f) << c.shift
			c.shift += 7
			if c.length > maxPacket || c.shift > 28 {
				return fmt.Errorf("%w: packet of at least %d bytes, at most %d are read", errHostile, c.length, maxPacket)
			}
			if p[0]&0x80 == 0 {
				c.inLen, c.body = false, c.length
			}
			p = p[1:]
		}
	}
	return nil
}
