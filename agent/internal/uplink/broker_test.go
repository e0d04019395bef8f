package uplink

import (
	"bytes"
	"context"
	"log/slog"
	"net"
	"sync"
	"testing"
	"time"

	mqtt "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/hooks/auth"
	"github.com/mochi-mqtt/server/v2/listeners"
	"github.com/mochi-mqtt/server/v2/packets"
	"go.uber.org/goleak"

	"github.com/headwater-iot/headwater/shared/record"
	"github.com/headwater-iot/headwater/shared/seqset"
	"github.com/headwater-iot/headwater/shared/topic"
	"github.com/headwater-iot/headwater/shared/wire"
)

func TestMain(m *testing.M) {
	// The one goroutine that may stay for a while: see publish and subscribe.
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("github.com/eclipse/paho%2emqtt%2egolang.(*client).Publish"),
		goleak.IgnoreAnyFunction("github.com/eclipse/paho%2emqtt%2egolang.(*client).Subscribe"))
}

// up is one message of the device as it arrived at the broker.
type up struct {
	what    topic.What
	payload []byte
}

// gateway is a scripted gateway inside a real broker: the test takes what the device says and
// decides what is answered.
type gateway struct {
	mqtt.HookBase
	t      *testing.T
	server *mqtt.Server
	addr   string
	heard  chan up // deep enough for all that a test's device says
	once   sync.Once

	// Used by the test's goroutine only.
	hello *wire.Hello
	seen  seqset.Set
	n     uint64
}

func (g *gateway) ID() string { return "scripted-gateway" }

func (g *gateway) Provides(b byte) bool { return b == mqtt.OnPublish }

func (g *gateway) OnPublish(_ *mqtt.Client, p packets.Packet) (packets.Packet, error) {
	if _, what, err := topic.ParseUp(p.TopicName); err == nil {
		g.heard <- up{what, bytes.Clone(p.Payload)}
		return p, packets.CodeSuccessIgnore
	}
	return p, nil
}

// startBroker listens on addr ("" = a free port) until stop.
func startBroker(t *testing.T, addr string) *gateway {
	t.Helper()
	if addr == "" {
		addr = "127.0.0.1:0"
	}
	l, err := net.Listen("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	g := &gateway{t: t, addr: l.Addr().String(), heard: make(chan up, 10_000)}
	g.server = mqtt.New(&mqtt.Options{InlineClient: true, Logger: slog.New(slog.DiscardHandler)})
	for _, add := range []error{
		g.server.AddHook(new(auth.AllowHook), nil), g.server.AddHook(g, nil), g.server.AddListener(listeners.NewNet("tcp", l)),
	} {
		if add != nil {
			t.Fatal(add)
		}
	}
	if err := g.server.Serve(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(g.stop)
	return g
}

func (g *gateway) stop() { g.once.Do(func() { _ = g.server.Close() }) }

// take returns the next message of the device.
func (g *gateway) take() up {
	g.t.Helper()
	select {
	case m := <-g.heard:
		if m.what == topic.Hello {
			h, err := wire.ParseHello(m.payload)
			if err != nil {
				g.t.Fatal(err)
			}
			g.hello = h
		}
		return m
	case <-g.t.Context().Done():
		g.t.Fatal("test ended while waiting for the device")
	}
	return up{}
}

// batch returns the next batch, answering the hellos before it.
func (g *gateway) batch() (wire.Anchor, wire.Sealed) {
	g.t.Helper()
	for {
		m := g.take()
		if m.what == topic.Hello {
			g.ack()
			continue
		}
		a, s, err := wire.ParseEnvelope(m.payload)
		if err != nil {
			g.t.Fatal(err)
		}
		return a, s
	}
}

// ack publishes what is stored, retained, as protocol.md has it.
func (g *gateway) ack(change ...func(*wire.Ack)) {
	g.t.Helper()
	g.n++
	a := &wire.Ack{
		Lake: wire.ID{1}, Log: wire.ID{2}, Start: 1, N: g.n, Client: device, Nonce: g.hello.Nonce, Sent: g.hello.Sent,
		Epochs: []wire.AckEpoch{wire.NewAckEpoch(epoch, &g.seen, &seqset.Set{}, false)}, Wire: []uint64{1}, Time: 1_800_000_000_000_000,
	}
	for _, c := range change {
		c(a)
	}
	msg, err := wire.AppendAck(nil, a)
	if err != nil {
		g.t.Fatal(err)
	}
	if err := g.server.Publish(topic.Down(device, topic.Ack), msg, true, 1); err != nil {
		g.t.Fatal(err)
	}
}

// quick makes the waits of a connection short enough for a test with a real network. Nothing is
// asserted about them: those tests run in virtual time.
func quick(u *Uplink) {
	u.pace.helloRetry, u.pace.hello = 5*time.Millisecond, 5*time.Millisecond
	u.pace.retryMin, u.pace.retryMax = time.Millisecond, 20*time.Millisecond
	u.pace.drain = time.Millisecond
}

// start runs an uplink against a gateway until the test ends.
func start(t *testing.T, s *shelf, g *gateway) *Uplink {
	t.Helper()
	u := uplinkOf(t, s, "tcp://"+g.addr)
	quick(u)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error)
	go func() { ended <- u.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	return u
}

func TestNoBatchBeforeHelloIsAnswered(t *testing.T) {
	g, s := startBroker(t, ""), newShelf()
	ref := s.put(t, Live, 0)
	s.put(t, Backlog, 10)
	start(t, s, g)
	for range 50 { // each hello was sent after a look at a queue that has batches
		if m := g.take(); m.what != topic.Hello {
			t.Fatalf("a %s left before the hello was answered", m.what)
		}
	}
	g.ack(func(a *wire.Ack) { a.Nonce++ }) // an answer, but to somebody else
	for range 10 {
		if m := g.take(); m.what != topic.Hello {
			t.Fatalf("a %s left on an ack of another connection", m.what)
		}
	}
	g.ack()
	anchor, sealed := g.batch() // negative control: now it does leave
	if sealed.First != ref.First || anchor.State != wire.Gateway {
		t.Errorf("first batch %d, anchor %s", sealed.First, anchor.State)
	}
}

func TestRetainedAckOfAnEarlierConnectionOpensNothing(t *testing.T) {
	g, s := startBroker(t, ""), newShelf()
	g.hello = &wire.Hello{Nonce: 42}
	g.seen.Add(0, 10)
	g.ack() // retained: the device hears it right after it has subscribed
	ref := s.put(t, Live, 0)
	u := start(t, s, g)
	for range 20 {
		if m := g.take(); m.what != topic.Hello {
			t.Fatalf("a %s left on a retained ack", m.what)
		}
	}
	if s.acks() != 0 || u.meters.hints.Value() == 0 {
		t.Fatalf("%d acks applied, %d hints heard", s.acks(), u.meters.hints.Value())
	}
	g.seen = seqset.Set{}
	if _, sealed := g.batch(); sealed.First != ref.First {
		t.Errorf("batch %d came", sealed.First)
	}
}

func TestResendAfterReconnect(t *testing.T) {
	g, s := startBroker(t, ""), newShelf()
	s.put(t, Live, 0)
	u := start(t, s, g)
	_, first := g.batch() // taken, PUBACKed, and never stored
	nonce := g.hello.Nonce
	g.stop()

	g2 := startBroker(t, g.addr) // broker and gateway are back, on the same port
	_, again := g2.batch()
	if !bytes.Equal(first.Raw, again.Raw) {
		t.Errorf("other bytes were sent the second time")
	}
	if g2.hello.Nonce == nonce {
		t.Errorf("the new connection has the nonce of the old one")
	}
	if n := u.meters.resent.Value(); n != 1 {
		t.Errorf("%d resends counted", n)
	}
}

func TestEverythingArrivesThroughBrokerLosses(t *testing.T) {
	g, s := startBroker(t, ""), newShelf()
	want := map[Ref]bool{}
	for i := range uint64(300) {
		lane := Live
		if i%2 == 0 {
			lane = Backlog
		}
		want[s.put(t, lane, 10*i)] = true
	}
	start(t, s, g)
	var seen seqset.Set
	for round := 0; seen.Count() < 3000; round++ {
		g.seen = seen
		for range 40 { // then the broker dies with whatever is on its way
			if seen.Count() == 3000 {
				break
			}
			_, sealed := g.batch()
			r := Ref{sealed.Epoch, sealed.First, sealed.Count}
			if !want[r] {
				t.Fatalf("a batch nobody made: %v", r)
			}
			seen.Add(r.First, r.First+r.Count)
			g.seen = seen
			g.ack(func(a *wire.Ack) { a.Credit = 1 << 30 })
		}
		if seen.Count() < 3000 {
			g.stop()
			g = startBroker(t, g.addr)
			g.n = uint64(1000 * (round + 1))
		}
	}
}

func TestImportClientSpeaksOnItsOwnTopics(t *testing.T) {
	g, s := startBroker(t, ""), newShelf()
	client := record.ImportClient(device, epoch)
	u, err := New(Config{
		Broker: "tcp://" + g.addr, Device: device, Client: client, Boot: boot,
		Queue: s, Teller: s, Clock: &ticker{}, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- u.Run(ctx) }()
	g.take()
	cancel()
	if err := <-ended; err != nil || g.hello.Client != client {
		t.Errorf("hello of %q, %v", g.hello.Client, err)
	}
}

func TestHostileBrokerIsLeft(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := newShelf()
	g := &gateway{t: t, addr: l.Addr().String()}
	u := start(t, s, g)
	for range 3 { // it comes back, and is not hurt
		c, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Write([]byte{0x20, 0x02, 0, 0, 0x30, 0xff, 0xff, 0xff, 0x7f}); err != nil {
			t.Fatal(err)
		}
		_, _ = c.Read(make([]byte, 1)) // CONNECT
		buf := make([]byte, 1024)
		for err == nil {
			_, err = c.Read(buf)
		}
		_ = c.Close()
	}
	_ = l.Close()
	if n := u.meters.connects.Value() + u.meters.failures.Value(); n < 2 {
		t.Errorf("%d tries", n)
	}
}
