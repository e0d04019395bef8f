package frontdoor

import (
	"encoding/binary"
	"net"
	"runtime"
	"testing"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"
	"golang.org/x/sys/unix"

	"github.com/headwater-iot/headwater/shared/topic"
)

// say publishes something that is taken, so that the connection counts as useful.
func say(t testing.TB, c paho.Client, id string) {
	t.Helper()
	if err := done(t, c.Publish(topic.Up(id, topic.Hello), 1, false, "hello")); err != nil {
		t.Fatal(err)
	}
}

// TestIdleConnectionsMakeRoom fills the door with connections that do nothing, of every kind. Who comes to work gets in
// at the cost of the one that deserves its place least.
func TestIdleConnectionsMakeRoom(t *testing.T) {
	d := start(t, handler{}, func(c *Config) { c.Connections = 4 })
	works := dial(t, d, "works")
	say(t, works, "works")
	watch, gone := lost()
	dial(t, d, "idle", watch)
	strangers := []net.Conn{rawDial(t, d), rawDial(t, d)} // in this order
	opened(d, 4)

	say(t, dial(t, d, "a"), "a") // for the older stranger
	closed(t, strangers[0])
	say(t, dial(t, d, "b"), "b") // for the other
	closed(t, strangers[1])
	say(t, dial(t, d, "c"), "c") // for who said CONNECT and nothing else
	await(t, "the end of the idle session", gone)

	closed(t, rawDial(t, d)) // all others are of use
	d.gate.mu.Lock()
	d.gate.ranks[useful].Front().Value.(*conn).heard = time.Now().Add(-silentAfter - time.Second) // it came first
	d.gate.mu.Unlock()
	say(t, dial(t, d, "d"), "d")
	if refused(d, "evicted") != 4 || refused(d, "connections") != 1 {
		t.Errorf("%v evicted, %v refused", refused(d, "evicted"), refused(d, "connections"))
	}
	ended(d, "works")
	if n := d.gate.connections(); n != 4 {
		t.Errorf("%v connections are counted, want 4", n)
	}
}

// opened waits until so many connections are in.
func opened(d *Door, n int) {
	for d.gate.connections() < float64(n) {
		runtime.Gosched()
	}
}

// TestEvictionStaysWithTheAddress holds that a site that has used up its connections makes room among its own.
func TestEvictionStaysWithTheAddress(t *testing.T) {
	d := start(t, handler{}, func(c *Config) { c.PerAddress = 1 })
	other := rawDial(t, d)
	opened(d, 1)
	d.gate.mu.Lock()
	here := func(c *conn) bool { return c.address == "192.0.2.1" }
	if d.gate.evict(here) {
		t.Error("a connection of another address was ended")
	}
	for c := range d.gate.open {
		d.gate.from[c.address]--
		c.address = "192.0.2.1"
		d.gate.from[c.address]++
	}
	if !d.gate.evict(here) {
		t.Error("a connection of the address was not ended")
	}
	d.gate.mu.Unlock()
	closed(t, other)
}

// begun sends the beginning of a publish of n bytes and no more.
func begun(t *testing.T, d *Door, id string, n int) net.Conn {
	t.Helper()
	raw := &deadConn{}
	dial(t, d, id, func(o *paho.ClientOptions) { o.SetCustomOpenConnectionFn(raw.open) })
	head := append([]byte{0x32}, binary.AppendUvarint(nil, uint64(n))...)
	if _, err := raw.Conn.Write(append(head, 0, 10)); err != nil {
		t.Fatal(err)
	}
	return raw.Conn
}

// TestSlowLargePacketsMakeRoom lets all the room for large packets be taken by some that never end: the next one waits
// until they are old, and then gets in.
func TestSlowLargePacketsMakeRoom(t *testing.T) {
	d := start(t, handler{}, func(c *Config) { c.large, c.slowAfter = 2, 100*time.Millisecond })
	begun(t, d, "slow1", 200<<10)
	begun(t, d, "slow2", 200<<10)
	for len(d.gate.large) < 2 {
		runtime.Gosched()
	}
	small := dial(t, d, "small")
	if err := done(t, small.Publish(topic.Up("small", topic.Batch), 1, false, make([]byte, 10<<10))); err != nil {
		t.Errorf("a small packet: %v", err)
	}
	good := dial(t, d, "good")
	for range 5 {
		if err := done(t, good.Publish(topic.Up("good", topic.Batch), 1, false, make([]byte, 200<<10))); err != nil {
			t.Fatalf("a large packet: %v", err)
		}
	}
	if n := refused(d, "slow_packet"); n != 1 {
		t.Errorf("%v slow ones were ended, want 1", n)
	}
	d.gate.mu.Lock()
	defer d.gate.mu.Unlock()
	if n := d.gate.coming.Len(); n != 1 {
		t.Errorf("%d packets are said to be coming, want that of the other slow one", n)
	}
}

// TestLargePacketsWait holds that the packets that are being handled keep their room: the next one waits for them.
func TestLargePacketsWait(t *testing.T) {
	held, release := make(chan string, 2), make(chan struct{})
	d := start(t, handler{batch: func(client string, _ []byte) error {
		held <- client
		if client == "first" {
			<-release
		}
		return nil
	}}, func(c *Config) { c.large, c.slowAfter = 1, time.Nanosecond })
	first, second := dial(t, d, "first"), dial(t, d, "second")
	one := first.Publish(topic.Up("first", topic.Batch), 1, false, make([]byte, 200<<10))
	await(t, "the first batch", held)
	two := second.Publish(topic.Up("second", topic.Batch), 1, false, make([]byte, 200<<10))
	third := dial(t, d, "third")
	for range 50 { // the door has had time for the second, if it wanted to
		say(t, third, "third")
	}
	if len(held) > 0 {
		t.Error("two large packets are in memory, and there is room for one")
	}
	close(release)
	if err := done(t, one); err != nil {
		t.Error(err)
	}
	if err := done(t, first.Publish(topic.Up("first", topic.Hello), 1, false, "more")); err != nil {
		t.Error(err)
	}
	if err := done(t, two); err != nil {
		t.Error(err)
	}
}

// TestConnectionsLeaveFileDescriptors lowers the limit of the process: a log that finds no descriptor for its next
// segment would end the gateway, so strangers must not be able to take them all.
func TestConnectionsLeaveFileDescriptors(t *testing.T) {
	var was unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &was); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &was); err != nil {
			t.Error(err)
		}
	}()
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: filesKept + 44, Max: was.Max}); err != nil {
		t.Fatal(err)
	}
	d := start(t, handler{})
	if n := d.cfg.Connections; n != 44 {
		t.Errorf("%d connections are let in with %d descriptors", n, filesKept+44)
	}
	if n := allowed(10); n != 10 {
		t.Errorf("10 connections become %d", n)
	}
}
