package app

import (
	"log/slog"
	"net"
	"testing"
	"time"

	mqtt "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/hooks/auth"
	"github.com/mochi-mqtt/server/v2/listeners"
	"github.com/mochi-mqtt/server/v2/packets"

	"github.com/headwater-iot/headwater/shared/record"
	"github.com/headwater-iot/headwater/shared/seqset"
	"github.com/headwater-iot/headwater/shared/topic"
	"github.com/headwater-iot/headwater/shared/wire"
)

// gateway is a broker whose hook stores and lands every batch at once, and says so.
type gateway struct {
	mqtt.HookBase
	t      *testing.T
	server *mqtt.Server
	addr   string
	heard  chan packets.Packet // deep enough for all that a test's agent says

	// Used by the goroutine of run only, and by the test once that has ended.
	hello    *wire.Hello
	seen     map[record.Epoch]*seqset.Set
	ended    map[record.Epoch]bool
	twice    int // batches that came again
	unstable int // readings under an anchor that is none
	n        uint64
}

func (g *gateway) ID() string           { return "gateway" }
func (g *gateway) Provides(b byte) bool { return b == mqtt.OnPublish }

func (g *gateway) OnPublish(_ *mqtt.Client, p packets.Packet) (packets.Packet, error) {
	if _, _, err := topic.ParseUp(p.TopicName); err != nil {
		return p, nil
	}
	g.heard <- p.Copy(true)
	return p, packets.CodeSuccessIgnore
}

func startGateway(t *testing.T) *gateway {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	g := &gateway{
		t: t, addr: l.Addr().String(), heard: make(chan packets.Packet, 10_000),
		seen: map[record.Epoch]*seqset.Set{}, ended: map[record.Epoch]bool{},
	}
	g.server = mqtt.New(&mqtt.Options{InlineClient: true, Logger: slog.New(slog.DiscardHandler)})
	for _, err := range []error{
		g.server.AddHook(new(auth.AllowHook), nil), g.server.AddHook(g, nil),
		g.server.AddListener(listeners.NewNet("tcp", l)), g.server.Serve(),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() { _ = g.server.Close() })
	return g
}

// run answers the agent until it has ended, or enough is true of what has come.
func (g *gateway) run(ended <-chan struct{}, enough func() bool) {
	g.t.Helper()
	for !enough() {
		var p packets.Packet
		select {
		case p = <-g.heard:
		case <-ended:
			return
		}
		if _, what, _ := topic.ParseUp(p.TopicName); what == topic.Hello {
			h, err := wire.ParseHello(p.Payload)
			if err != nil {
				g.t.Fatal(err)
			}
			g.hello = h
		} else {
			anchor, s, err := wire.ParseEnvelope(p.Payload)
			if err != nil {
				g.t.Fatal(err)
			}
			g.store(anchor, &s)
		}
		g.ack()
	}
}

func (g *gateway) store(anchor wire.Anchor, s *wire.Sealed) {
	if g.seen[s.Epoch] == nil {
		g.seen[s.Epoch] = new(seqset.Set)
	}
	if s.Kind == wire.KindEnd {
		g.ended[s.Epoch] = true
		return
	}
	if g.seen[s.Epoch].HasAll(s.First, s.End()) {
		g.twice++
	}
	if anchor.State < wire.Gateway {
		g.unstable++ // the hello was answered, so that an anchor exists
	}
	g.seen[s.Epoch].Add(s.First, s.End())
}

// count returns how many readings of an epoch have come.
func (g *gateway) count(epoch record.Epoch) uint64 {
	if g.seen[epoch] == nil {
		return 0
	}
	return g.seen[epoch].Count()
}

func (g *gateway) ack() {
	g.n++
	a := &wire.Ack{
		Lake: wire.ID{1}, Log: wire.ID{2}, Start: 1, N: g.n, Client: g.hello.Client, Nonce: g.hello.Nonce, Sent: g.hello.Sent,
		Wire: []uint64{1}, Dicts: []uint64{0}, Time: time.Now().UnixMicro(), Credit: 1 << 30,
	}
	for epoch, set := range g.seen {
		a.Epochs = append(a.Epochs, wire.NewAckEpoch(epoch, set, set, g.ended[epoch]))
	}
	msg, err := wire.AppendAck(nil, a)
	if err != nil {
		g.t.Fatal(err)
	}
	if err := g.server.Publish(topic.Down(g.hello.Client, topic.Ack), msg, true, 1); err != nil {
		g.t.Fatal(err)
	}
}

// TestReadingsReachTheGateway runs the whole agent against a real broker: everything accepted
// arrives once, under an anchor; what waited for the gateway arrives after a restart.
func TestReadingsReachTheGateway(t *testing.T) {
	s := simulated(t)
	s.Outbox.FlushInterval = time.Second // seals twice a second

	// One life without a gateway: what it leaves is backlog.
	a, j, ended, stop := start(t, s)
	j.await(t, "agent started", ended)
	counted(t, a, "headwater_sampler_rows_total", 20)
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	first, left := a.outbox.Epoch(), a.meter.Counter("headwater_sampler_readings_total", "").Value()

	// And one with: both lanes are sent.
	g := startGateway(t)
	s.Uplink.Broker = "tcp://" + g.addr
	a, j, ended, stop = start(t, s)
	j.await(t, "agent started", ended)
	second := a.outbox.Epoch()
	g.run(nil, func() bool {
		return g.ended[first] && g.count(first) >= left && g.count(second) >= 90
	})
	if g.unstable > 0 || g.twice > 0 {
		t.Errorf("%d batches without a good anchor, %d twice", g.unstable, g.twice)
	}
	done := make(chan struct{})
	var err error
	go func() { defer close(done); err = stop() }()
	g.run(done, func() bool { return false }) // it drains
	if err != nil {
		t.Fatal(err)
	}
	accepted := a.meter.Counter("headwater_sampler_readings_total", "").Value()

	// A third life brings the end of the second, and what it could not drain in time.
	_, j, ended, stop = start(t, s)
	j.await(t, "agent started", ended)
	g.run(nil, func() bool { return g.ended[second] && g.count(second) >= accepted })
	for epoch, want := range map[record.Epoch]uint64{first: left, second: accepted} {
		if got := g.seen[epoch]; got.Count() != want || got.Mark() != want {
			t.Errorf("epoch %s accepted %d readings, %v arrived", epoch, want, got.Ranges())
		}
	}
	if err := stop(); err != nil {
		t.Fatal(err)
	}
}
