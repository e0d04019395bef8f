package frontdoor

import (
	"container/list"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"slices"
	"time"

	mqtt "github.com/mochi-mqtt/server/v2"
	"golang.org/x/sys/unix"
)

const (
	// largePacket is what a connection may have in memory without asking: it bounds what idle ones cost.
	largePacket = maxConnect
	// maxLarge is how many larger packets are in memory at a time, 256 KiB each, and as much again while one is decoded:
	// more than are ever on their way into one group of the log.
	maxLarge = 128
	// slowAfter is when a large packet that is still coming goes for the sake of one that waits.
	slowAfter = 5 * time.Second
	// silentAfter is three hellos: a device that is at work is never silent for so long.
	silentAfter = 3 * time.Minute
	// filesKept is how many file descriptors connections leave to log, lake and console: a few dozen are in use at most.
	filesKept = 256

	longestHead = 5 // bytes of an MQTT header; the broker refuses a longer one
)

var (
	errConnect = errors.New("the first packet is too long for a CONNECT")
	errGone    = errors.New("the connection was closed while its packet waited for room")
)

// rank is how much we know of a connection. When there is no room, one of the lowest rank goes, so that idle
// connections do not lock out those who work.
type rank uint8

const (
	stranger rank = iota // has not said CONNECT
	named                // has, and nothing since
	useful               // has sent something that was taken; evicted only when silent for long
	ranks
)

// rankAs moves a connection to the back of a rank; g.mu is held.
func (g *gate) rankAs(c *conn, r rank) {
	if c.place != nil {
		g.ranks[c.rank].Remove(c.place)
	}
	c.rank, c.heard = r, time.Now()
	c.place = g.ranks[r].PushBack(c)
}

// served notes that a connection has sent something that was taken.
func (g *gate) served(c *conn) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !c.left {
		g.rankAs(c, useful)
	}
}

// evict makes room by ending the connection that deserves it least, of those that match: the oldest of the lowest rank.
// It reports whether there was one; g.mu is held.
func (g *gate) evict(match func(*conn) bool) bool {
	for r := range g.ranks {
		for e := g.ranks[r].Front(); e != nil; e = e.Next() {
			c := e.Value.(*conn)
			if rank(r) == useful && time.Since(c.heard) < silentAfter {
				return false // those behind it were heard later
			}
			if match(c) {
				g.count.refused("evicted").Inc()
				g.forget(c)
				_ = c.Close() // its reader sees it, and leaves
				return true
			}
		}
	}
	return false
}

// forget takes a connection out of the accounts, once; g.mu is held.
func (g *gate) forget(c *conn) {
	if c.left {
		return
	}
	c.left = true
	delete(g.open, c)
	if g.from[c.address]--; g.from[c.address] == 0 {
		delete(g.from, c.address)
	}
	g.ranks[c.rank].Remove(c.place)
}

// framing follows the borders of the packets that come in.
type framing struct {
	head   []byte // of a packet, until its length is known
	left   int    // bytes of the packet that are still to come
	any    bool   // there was a packet
	broken bool   // what comes is not MQTT; the broker says so
	coming *list.Element
	slot   bool // a large packet of this connection is in memory
}

// Read gives the broker what comes, after it has looked at the lengths: the broker makes room for a whole packet as soon
// as it has read its length. A first packet that is too long for a CONNECT is refused, and a large one waits until there
// is room for it. The room is given back by the Read that follows the packet: by then it has been handled.
func (c *conn) Read(b []byte) (int, error) {
	if c.in.slot && c.in.left == 0 {
		c.gate.release(c)
	}
	n, err := c.Conn.Read(b)
	for rest := b[:n]; len(rest) > 0 && !c.in.broken; {
		if c.in.left > 0 {
			k := min(c.in.left, len(rest))
			rest, c.in.left = rest[k:], c.in.left-k
			if c.in.left == 0 && c.in.slot {
				c.gate.arrived(c)
			}
			continue
		}
		c.in.head, rest = append(c.in.head, rest[0]), rest[1:]
		length, size := binary.Uvarint(c.in.head[1:]) // MQTT counts in the same way
		if size <= 0 {
			c.in.broken = len(c.in.head) == longestHead
			continue
		}
		c.in.head, c.in.left = c.in.head[:0], int(length)
		if length > maxConnect && !c.in.any {
			return 0, errConnect
		}
		c.in.any = true
		if length > largePacket {
			if err := c.gate.room(c); err != nil {
				return 0, err
			}
		}
	}
	return n, err
}

// room waits until there is room for a large packet. Whoever is slow to send one goes when others wait.
func (g *gate) room(c *conn) error {
	tick := time.NewTimer(0)
	defer tick.Stop()
	for got := c.in.slot; !got; { // one packet of a connection is handled at a time, so that the next may have its room
		select {
		case g.large <- struct{}{}:
			got = true
		case <-tick.C:
			if len(g.large) == cap(g.large) {
				g.dropSlow()
			}
			tick.Reset(time.Second)
		case <-c.gone:
			return errGone
		case <-g.closing:
			return net.ErrClosed
		}
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	c.in.slot, c.in.coming = true, g.coming.PushBack(&arrival{c, time.Now()})
	return nil
}

// arrival is a large packet that is coming in.
type arrival struct {
	conn  *conn
	since time.Time
}

// dropSlow ends the connection whose large packet has been coming for the longest time, if that is long.
func (g *gate) dropSlow() {
	g.mu.Lock()
	defer g.mu.Unlock()
	e := g.coming.Front()
	if e == nil {
		return
	}
	if a := e.Value.(*arrival); time.Since(a.since) > g.cfg.slowAfter {
		g.count.refused("slow_packet").Inc()
		g.coming.Remove(e)
		_ = a.conn.Close() // its reader sees it, and leaves
	}
}

// arrived notes that all of a large packet is here.
func (g *gate) arrived(c *conn) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.coming.Remove(c.in.coming) // nothing, if it has been taken out
}

// release gives back the room of a large packet; only the reader of c calls it, or who comes after it.
func (g *gate) release(c *conn) {
	if !c.in.slot {
		return
	}
	g.arrived(c)
	c.in.slot = false
	<-g.large
}

// blame counts a connection that was ended for what it sent, or did not send. What the hook refused is counted there.
func (g *gate) blame(c *conn, err error) {
	if timeout := net.Error(nil); errors.As(err, &timeout) {
		g.mu.Lock()
		defer g.mu.Unlock()
		switch {
		case !timeout.Timeout() || g.closed: // it went away, or we do
		case c.rank == stranger:
			g.count.refused("no_connect").Inc()
		default:
			g.count.refused("keepalive").Inc()
		}
		return
	}
	over := []error{io.EOF, io.ErrUnexpectedEOF, net.ErrClosed, mqtt.ErrConnectionClosed, errGone}
	if !c.blamed && !slices.ContainsFunc(over, func(e error) bool { return errors.Is(err, e) }) {
		g.count.refused("protocol").Inc()
	}
}

// allowed is how many connections the process has file descriptors for.
func allowed(want int) int {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil || limit.Cur > uint64(want)+filesKept {
		return want
	}
	return max(1, int(limit.Cur)-filesKept)
}
