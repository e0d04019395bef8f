package frontdoor

import (
	"container/list"
	"errors"
	"log/slog"
	"net"
	"sync"
	"time"

	"github.com/mochi-mqtt/server/v2/listeners"
)

const (
	acceptPause = 50 * time.Millisecond // after an accept that failed: no file descriptor is free, for one
	drainWithin = 2 * time.Second       // for the last answer to a client that does not read
	maxConnect  = 16 << 10              // bytes of a CONNECT: client id, and what we ignore
)

// gate accepts connections within limits and knows which session each one is. It is the broker's only listener.
type gate struct {
	listener net.Listener
	cfg      *Config
	count    *counters
	closing  chan struct{}
	done     sync.WaitGroup // the connections

	large chan struct{} // one for each large packet in memory

	mu      sync.Mutex
	closed  bool
	open    map[*conn]struct{}
	from    map[string]int   // connections per address
	session map[string]*conn // by client id
	ranks   [ranks]list.List // of open connections, the one to go first in front
	coming  list.List        // connections in the middle of a large packet, oldest first
}

func newGate(l net.Listener, cfg *Config, count *counters) *gate {
	return &gate{
		listener: l, cfg: cfg, count: count, closing: make(chan struct{}),
		large: make(chan struct{}, cfg.large), open: map[*conn]struct{}{}, from: map[string]int{}, session: map[string]*conn{},
	}
}

// conn is an accepted connection.
type conn struct {
	net.Conn
	gate    *gate
	in      framing // belongs to the reader
	blamed  bool    // what it did has been counted; belongs to the reader
	address string
	ended   chan struct{} // closed when the broker has let go of it
	gone    chan struct{} // closed by the first Close
	once    sync.Once     // closes gone

	// These belong to gate.mu.
	id    string // client id once it is known
	rank  rank
	place *list.Element // in its rank
	heard time.Time     // when it came, or was last of use
	left  bool          // it counts no more

	mu       sync.Mutex
	draining bool // deadlines stay as they are
}

// Close closes the connection; who waits in its Read sees it.
func (c *conn) Close() error {
	c.once.Do(func() { close(c.gone) })
	return c.Conn.Close()
}

// SetDeadline is called by the broker before every packet.
func (c *conn) SetDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.draining {
		return nil
	}
	return c.Conn.SetDeadline(t)
}

// drain ends the reading; what is being handled may still be answered.
func (c *conn) drain() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.draining = true
	_ = c.Conn.SetReadDeadline(time.Unix(1, 0)) // fails on a closed connection only
	_ = c.Conn.SetWriteDeadline(time.Now().Add(drainWithin))
}

// Serve accepts until Close.
func (g *gate) Serve(establish listeners.EstablishFn) {
	for {
		raw, err := g.listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			g.cfg.Logger.Warn("a connection could not be accepted; more will be tried", "error", err)
			select {
			case <-time.After(acceptPause):
			case <-g.closing:
			}
			continue
		}
		c, reason := g.admit(raw)
		if c == nil {
			g.count.refused(reason).Inc()
			_ = raw.Close()
			continue
		}
		go func() { // Close waits for it by g.done
			defer g.leave(c)
			if err := establish(g.ID(), c); err != nil {
				g.cfg.Logger.Debug("connection ended", "remote", c.RemoteAddr(), "error", err)
				g.blame(c, err)
			}
		}()
	}
}

// admit takes a connection in, or says why not.
func (g *gate) admit(raw net.Conn) (*conn, string) {
	address, loopback := raw.RemoteAddr().String(), false
	if tcp, ok := raw.RemoteAddr().(*net.TCPAddr); ok {
		address, loopback = tcp.IP.String(), tcp.IP.IsLoopback()
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case g.closed:
		return nil, "closing"
	case !loopback && g.from[address] >= g.cfg.PerAddress && !g.evict(func(c *conn) bool { return c.address == address }):
		return nil, "per_address"
	case len(g.open) >= g.cfg.Connections && !g.evict(func(*conn) bool { return true }):
		return nil, "connections"
	}
	c := &conn{Conn: raw, gate: g, address: address, ended: make(chan struct{}), gone: make(chan struct{})}
	// The broker sets the next deadline when it has read CONNECT.
	_ = c.Conn.SetDeadline(time.Now().Add(g.cfg.ConnectWithin))
	g.open[c] = struct{}{}
	g.from[address]++
	g.rankAs(c, stranger)
	g.done.Add(1)
	return c, ""
}

// enter makes c the session of a client and returns the one that was, if it has not ended.
func (g *gate) enter(id string, c *conn) (old *conn) {
	g.mu.Lock()
	defer g.mu.Unlock()
	old = g.session[id]
	g.session[id] = c
	c.id = id
	if !c.left {
		g.rankAs(c, named)
	}
	return old
}

// leave forgets a connection that the broker has let go of.
func (g *gate) leave(c *conn) {
	_ = c.Close() // usually closed already
	g.release(c)
	g.mu.Lock()
	g.forget(c)
	if g.session[c.id] == c {
		delete(g.session, c.id)
	}
	g.mu.Unlock()
	close(c.ended)
	g.done.Done()
}

// Close stops accepting, lets every connection finish what it is doing, and waits.
func (g *gate) Close(listeners.CloseFn) {
	g.mu.Lock()
	if !g.closed {
		g.closed = true
		close(g.closing)
		_ = g.listener.Close() // its accept returns ErrClosed
		for c := range g.open {
			c.drain()
		}
	}
	g.mu.Unlock()
	g.done.Wait()
}

func (g *gate) connections() float64 {
	g.mu.Lock()
	defer g.mu.Unlock()
	return float64(len(g.open))
}

func (g *gate) sessions() float64 {
	g.mu.Lock()
	defer g.mu.Unlock()
	return float64(len(g.session))
}

// The rest is what the broker wants of a listener.

// Init has nothing to do.
func (*gate) Init(*slog.Logger) error { return nil }

// ID names the listener.
func (*gate) ID() string { return "gate" }

// Address says where it listens.
func (g *gate) Address() string { return g.listener.Addr().String() }

// Protocol says tcp.
func (g *gate) Protocol() string { return g.listener.Addr().Network() }
