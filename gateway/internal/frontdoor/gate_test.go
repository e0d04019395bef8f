package frontdoor

import (
	"errors"
	"io"
	"net"
	"net/url"
	"runtime"
	"sync"
	"testing"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"

	"github.com/headwater-iot/headwater/shared/topic"
)

// deadConn gives a test the socket of a client.
type deadConn struct{ net.Conn }

func (c *deadConn) open(u *url.URL, _ paho.ClientOptions) (net.Conn, error) {
	raw, err := net.Dial("tcp", u.Host)
	c.Conn = raw
	return raw, err
}

func rawDial(t *testing.T, d *Door) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", d.Addr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	return c
}

// closed waits until the other side has closed.
func closed(t *testing.T, c net.Conn) {
	t.Helper()
	_, err := io.Copy(io.Discard, c)
	var timeout net.Error
	if errors.As(err, &timeout) && timeout.Timeout() {
		t.Fatal("the connection was left open")
	}
}

func TestOversizePacketClosesAtOnce(t *testing.T) {
	d := start(t, handler{})
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range 8 {
		c := rawDial(t, d)
		if _, err := c.Write([]byte{0x10, 0xff, 0xff, 0xff, 0x7f}); err != nil { // CONNECT of 256 MB
			t.Fatal(err)
		}
		closed(t, c)
	}
	runtime.ReadMemStats(&after)
	if grown := after.TotalAlloc - before.TotalAlloc; grown > 8<<20 {
		t.Errorf("8 sockets and 40 bytes took %d bytes of memory", grown)
	}
}

// TestFirstPacketIsShort holds that a stranger gets no room for a packet that a device may send.
func TestFirstPacketIsShort(t *testing.T) {
	d := start(t, handler{})
	c := rawDial(t, d)
	if _, err := c.Write([]byte{0x10, 0x81, 0x80, 0x01}); err != nil { // CONNECT of 16 KiB and a byte
		t.Fatal(err)
	}
	closed(t, c)
	if err := done(t, dial(t, d, "dev").Publish(topic.Up("dev", topic.Batch), 1, false, make([]byte, 240<<10))); err != nil {
		t.Errorf("a large batch of a device: %v", err)
	}
}

func TestSilentConnectionIsDropped(t *testing.T) {
	d := start(t, handler{}, func(c *Config) { c.ConnectWithin = time.Millisecond })
	closed(t, rawDial(t, d))
	half := rawDial(t, d)
	_, _ = half.Write([]byte{0x10, 20, 0, 4}) // the rest never comes; it may be closed already
	closed(t, half)
	for refused(d, "no_connect") < 2 {
		runtime.Gosched()
	}
}

func TestConnectionLimits(t *testing.T) {
	d := start(t, handler{}, func(c *Config) { c.Connections = 2 })
	first, second := dial(t, d, "dev1"), dial(t, d, "dev2")
	say(t, first, "dev1")
	say(t, second, "dev2")
	closed(t, rawDial(t, d))
	if refused(d, "connections") != 1 {
		t.Error("not counted")
	}
	first.Disconnect(0)
	ended(d, "dev1")
	dial(t, d, "dev3")
	if !second.IsConnectionOpen() {
		t.Error("the limit ended another connection")
	}
}

// fromLAN makes loopback connections look as if they came from elsewhere.
type fromLAN struct{ net.Listener }

type lanConn struct{ net.Conn }

func (lanConn) RemoteAddr() net.Addr { return &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 1} }

func (l fromLAN) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return lanConn{c}, nil
}

func TestConnectionsPerAddress(t *testing.T) {
	d := start(t, handler{}, func(c *Config) { c.PerAddress = 1 })
	dial(t, d, "dev1")
	dial(t, d, "dev2") // loopback has no such limit
	g := newGate(fromLAN{d.gate.listener}, &d.cfg, &d.count)
	near, far := net.Pipe() // only the address of near is looked at
	defer near.Close()
	defer far.Close()
	c, _ := g.admit(lanConn{near})
	if c == nil {
		t.Fatal("the first of an address was refused")
	}
	g.served(c)
	if again, reason := g.admit(lanConn{near}); again != nil || reason != "per_address" {
		t.Errorf("the second of an address: %v, %q", again, reason)
	}
	g.leave(c)
	if len(g.from) != 0 || len(g.open) != 0 {
		t.Error("the gate remembers who has left")
	}
}

// TestTakeover ends the old session, in the middle of an append, before the new one begins; the new one then hears.
func TestTakeover(t *testing.T) {
	reached, release := make(chan struct{}), make(chan struct{})
	var once sync.Once
	d := start(t, handler{batch: func(string, []byte) error {
		once.Do(func() { close(reached); <-release })
		return nil
	}})
	watch, gone := lost()
	old := dial(t, d, "dev", watch)
	old.Publish(topic.Up("dev", topic.Batch), 1, false, "old")
	await(t, "the handler", reached)
	connected := make(chan paho.Client)
	go func() {
		c, err := connect(t, d, "dev")
		if err != nil {
			t.Error(err)
		}
		connected <- c
	}()
	await(t, "the end of the old session", gone)
	select {
	case <-connected:
		t.Error("the new session began while the old one was at work")
	default:
	}
	close(release)
	c := await(t, "the new session", connected)
	heard := make(chan string, 1)
	if err := done(t, c.Subscribe(topic.DownAll("dev"), 1, func(_ paho.Client, m paho.Message) { heard <- string(m.Payload()) })); err != nil {
		t.Fatal(err)
	}
	if err := d.Publish("dev", topic.Down("dev", topic.Ack), []byte("ack"), true); err != nil {
		t.Fatal(err)
	}
	if got := await(t, "an ack", heard); got != "ack" || d.count.takeovers.Value() != 1 {
		t.Errorf("heard %q, %d takeovers", got, d.count.takeovers.Value())
	}
}

// TestTakeoversInARow is what a reconnect storm of one client does: the last one stays, and hears.
func TestTakeoversInARow(t *testing.T) {
	d := start(t, handler{})
	for range 50 {
		c := dial(t, d, "dev")
		heard := make(chan struct{}, 1)
		if err := done(t, c.Subscribe(topic.DownAll("dev"), 1, func(paho.Client, paho.Message) { heard <- struct{}{} })); err != nil {
			t.Fatal(err)
		}
		if err := d.Publish("dev", topic.Down("dev", topic.Nack), []byte("x"), false); err != nil {
			t.Fatal(err)
		}
		await(t, "a nack in the newest session", heard)
	}
	if n := d.gate.sessions(); n != 1 {
		t.Errorf("%v sessions, want 1", n)
	}
}

// failing accepts with an error first, as without file descriptors.
type failing struct {
	net.Listener
	once sync.Once
}

func (l *failing) Accept() (net.Conn, error) {
	err := error(nil)
	l.once.Do(func() { err = errors.New("too many open files") })
	if err != nil {
		return nil, err
	}
	return l.Listener.Accept()
}

func TestFailedAcceptIsNotTheEnd(t *testing.T) {
	d := start(t, handler{})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	g := newGate(&failing{Listener: l}, &d.cfg, &d.count)
	established := make(chan struct{})
	var serve sync.WaitGroup
	serve.Go(func() {
		g.Serve(func(string, net.Conn) error { close(established); return nil })
	})
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	await(t, "a connection behind a failed accept", established)
	g.Close(nil)
	serve.Wait()
}

// TestStopAnswersWhatIsBeingHandled stops the door while a batch is on its way into the log.
func TestStopAnswersWhatIsBeingHandled(t *testing.T) {
	reached, release := make(chan struct{}), make(chan struct{})
	d := start(t, handler{batch: func(string, []byte) error { close(reached); <-release; return nil }})
	c := dial(t, d, "dev")
	dial(t, d, "idle")
	token := c.Publish(topic.Up("dev", topic.Batch), 1, false, "x")
	await(t, "the handler", reached)
	stopped := make(chan struct{})
	go func() { defer close(stopped); _ = d.Close() }()
	<-d.gate.closing
	close(release)
	await(t, "the stop", stopped)
	if err := done(t, token); err != nil {
		t.Errorf("what was handled got no answer: %v", err)
	}
}
