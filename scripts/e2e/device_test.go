package e2e

import (
	"io"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"

	"github.com/headwater-iot/headwater/shared/record"
	"github.com/headwater-iot/headwater/shared/topic"
	"github.com/headwater-iot/headwater/shared/wire"
)

// device is a scripted device: it says on the wire exactly what a test wants said.
type device struct {
	t      *testing.T
	name   string
	boot   record.Boot
	client mqtt.Client
	acks   chan *wire.Ack
	nacks  chan *wire.Nack
	enc    *wire.Encoder

	schedule map[string]uint64 // announced by hello; nil = none
}

func dial(t *testing.T, broker, name string) *device {
	t.Helper()
	enc, err := wire.NewEncoder()
	if err != nil {
		t.Fatal(err)
	}
	d := &device{t: t, name: name, boot: 7, enc: enc, acks: make(chan *wire.Ack, 64), nacks: make(chan *wire.Nack, 64)}
	d.client = mqtt.NewClient(mqtt.NewClientOptions().AddBroker("tcp://" + broker).SetClientID(name).SetAutoReconnect(false).SetCleanSession(true))
	d.await(d.client.Connect())
	t.Cleanup(func() { d.client.Disconnect(0) })
	d.await(d.client.Subscribe(topic.DownAll(name), 1, func(_ mqtt.Client, m mqtt.Message) {
		if a, err := wire.ParseAck(m.Payload()); err == nil {
			d.acks <- a
		} else if n, err := wire.ParseNack(m.Payload()); err == nil {
			d.nacks <- n
		}
	}))
	return d
}

func (d *device) await(token mqtt.Token) {
	d.t.Helper()
	if !token.WaitTimeout(patience) || token.Error() != nil {
		d.t.Fatalf("device %s: %v", d.name, token.Error())
	}
}

// hello says hello and waits for its answer.
func (d *device) hello(nonce uint64, epochs ...wire.HelloEpoch) *wire.Ack {
	d.t.Helper()
	msg, err := wire.AppendHello(nil, &wire.Hello{
		Device: d.name, Client: d.name, Nonce: nonce, Sent: 1, Boot: d.boot, Version: "test", Epochs: epochs, Wire: []uint64{1}, Schedule: d.schedule,
	})
	if err != nil {
		d.t.Fatal(err)
	}
	d.await(d.client.Publish(topic.Up(d.name, topic.Hello), 1, false, msg))
	return d.ack("the answer to hello", func(a *wire.Ack) bool { return a.Nonce == nonce })
}

// ack waits for an ack that is good enough.
func (d *device) ack(what string, ok func(*wire.Ack) bool) *wire.Ack {
	d.t.Helper()
	deadline := time.After(patience)
	for {
		select {
		case a := <-d.acks:
			if ok(a) {
				return a
			}
		case <-deadline:
			d.t.Fatalf("device %s waits for %s", d.name, what)
		}
	}
}

// batch seals n readings of series "v" from the given seq on.
func (d *device) batch(epoch record.Epoch, first, n uint64) []byte {
	d.t.Helper()
	g := record.Group{Unit: record.Milli}
	col := record.Column{Series: "v", Kind: record.Float}
	for i := range n {
		g.Times = append(g.Times, int64(1000+100*(first+i)))
		col.Floats = append(col.Floats, float64(first+i))
	}
	g.Columns = []record.Column{col}
	h := wire.Header{Device: d.name, Epoch: epoch, Boot: d.boot, First: first, Base: g.Times[0]}
	sealed, err := d.enc.AppendReadings(nil, h, &record.Body{Groups: []record.Group{g}})
	if err != nil {
		d.t.Fatal(err)
	}
	return sealed
}

// send publishes a sealed part under an anchor and waits for the broker's answer.
func (d *device) send(sealed []byte) {
	d.t.Helper()
	d.await(d.publish(sealed))
}

// publish does not wait.
func (d *device) publish(sealed []byte) mqtt.Token {
	anchor := wire.Anchor{State: wire.Synced, Generation: 1, Wall: time.Now().UnixMicro(), Monotonic: 60_000_000, Uncertainty: 1000}
	return d.client.Publish(topic.Up(d.name, topic.Batch), 1, false, wire.AppendEnvelope(nil, anchor, sealed))
}

func landed(epoch record.Epoch, upTo uint64) func(*wire.Ack) bool {
	return func(a *wire.Ack) bool {
		for i := range a.Epochs {
			if e := &a.Epochs[i]; e.Epoch == epoch && e.LandedMark >= upTo {
				return true
			}
		}
		return false
	}
}

// TestPowerCutBecomesPresumedGap plays a device that loses power: seqs 10..20 of the old epoch never
// came, nothing ended it, and its successor says so. The lake must show presumed rows. Then the lost
// batch arrives after all (a copy was on its way): it lands, and the rows are corrected.
func TestPowerCutBecomesPresumedGap(t *testing.T) {
	g := newGateway(t).start()
	const old, fresh record.Epoch = 0xa1, 0xb2
	d := dial(t, g.mqtt, "cut")
	d.hello(1, wire.HelloEpoch{Epoch: old, Boot: d.boot, State: wire.EpochCurrent})
	d.send(d.batch(old, 0, 10))
	d.send(d.batch(old, 20, 5))
	d.ack("the first ten to land", landed(old, 10))

	d.boot = 8
	d.hello(2,
		wire.HelloEpoch{Epoch: fresh, Predecessor: old, Boot: 8, State: wire.EpochCurrent},
		wire.HelloEpoch{Epoch: old, Boot: 7, Floor: 25, Next: 25, State: wire.EpochLost, CountMax: 40})
	presumed := func() (hole, open bool) {
		for _, r := range g.scan("gaps", "--columns", "seq_from,seq_to,count,count_max,presumed,reason", "--where", "device = 'cut'") {
			line := strings.Join(r, ",")
			hole = hole || strings.HasPrefix(line, "10,20,10,") && strings.HasSuffix(line, "true,power_cut")
			open = open || strings.HasPrefix(line, "25,,0,40,true,power_cut")
		}
		return hole, open
	}
	waitFor(t, "the presumed gaps", func() bool { hole, open := presumed(); return hole && open })
	if a := g.ledger("cut"); a.Landed != 15 || a.Presumed != 10 || a.PresumedMax != 40 {
		t.Errorf("after the cut the ledger says %+v; want 15 landed, 10 presumed lost, at most 40 more", a)
	}

	d.boot = 7
	d.send(d.batch(old, 10, 10))
	d.ack("the late batch to land", landed(old, 25))
	waitFor(t, "the gap to be corrected", func() bool { hole, open := presumed(); return !hole && open })
	if a := g.ledger("cut"); a.Landed != 25 || a.Presumed != 0 || !a.Balanced {
		t.Errorf("after the late batch the ledger says %+v; want 25 landed and no gap", a)
	}
}

// corruptor is a TCP proxy that flips one bit in the header of the first sealed parts that pass.
type corruptor struct {
	addr string
	left atomic.Int64
}

func corrupt(t *testing.T, upstream string, batches int64) *corruptor {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	c := &corruptor{addr: l.Addr().String()}
	c.left.Store(batches)
	go func() {
		for {
			down, err := l.Accept()
			if err != nil {
				return
			}
			up, err := net.Dial("tcp", upstream)
			if err != nil {
				down.Close()
				continue
			}
			go func() { _, _ = io.Copy(down, up); down.Close() }()
			go func() { c.copy(up, down); up.Close() }()
		}
	}()
	return c
}

// copy passes bytes on; where a read holds the start of a sealed part, a byte of its epoch is damaged.
func (c *corruptor) copy(dst io.Writer, src io.Reader) {
	buf := make([]byte, 256<<10)
	for {
		n, err := src.Read(buf)
		if i := strings.Index(string(buf[:n]), "HW\x01\x01"); i >= 0 && i+24 < n && c.left.Add(-1) >= 0 {
			name := int(buf[i+7])
			buf[i+8+name] ^= 0x10
		}
		if _, werr := dst.Write(buf[:n]); err != nil || werr != nil {
			return
		}
	}
}

// TestCorruptedHeaderIsNeverAcknowledged damages headers on the way: the gateway must refuse each,
// the agent must send its good copy again, and everything must land once.
func TestCorruptedHeaderIsNeverAcknowledged(t *testing.T) {
	g := newGateway(t).start()
	proxy := corrupt(t, g.mqtt, 3)
	a := newAgent(t, "noisy", proxy.addr, counting, "outbox: {flush_interval: 1s}").start()
	waitFor(t, "three damaged batches to be refused", func() bool {
		return proxy.left.Load() < 0 && metric(g.http, "headwater_intake_nacks_total") >= 3
	})
	accepted := a.metric("headwater_outbox_accepted_total")
	a.stop(t)
	a.drain()
	g.settled("noisy", int64(accepted)).exact(t)
	if missing, doubled := holes(g.epochs("noisy")); missing != 0 || doubled != 0 {
		t.Errorf("%d readings lost, %d doubled", missing, doubled)
	}
}

// TestDamagedBatchMovesNothing sends one batch with each byte of its header damaged in turn.
func TestDamagedBatchMovesNothing(t *testing.T) {
	g := newGateway(t).start()
	const epoch record.Epoch = 0xc3
	d := dial(t, g.mqtt, "damaged")
	d.hello(1, wire.HelloEpoch{Epoch: epoch, Boot: d.boot, State: wire.EpochCurrent})
	good := d.batch(epoch, 0, 4)
	header := 8 + len(d.name) + 16 + 4
	for i := range header {
		bad := append([]byte(nil), good...)
		bad[i] ^= 0x01
		d.send(bad)
		select {
		case n := <-d.nacks:
			if i >= 8 && n.Reason != wire.BadCRC {
				t.Errorf("byte %d damaged: nack says %s", i, n.Reason)
			}
		case <-time.After(patience):
			t.Fatalf("byte %d damaged: no nack", i)
		}
	}
	d.hello(2, wire.HelloEpoch{Epoch: epoch, Boot: d.boot, State: wire.EpochCurrent})
	d.send(good)
	a := d.ack("the good batch to land", landed(epoch, 4))
	for _, e := range a.Epochs {
		if e.Epoch != epoch && (e.StoredMark > 0 || e.LandedMark > 0) {
			t.Errorf("an epoch that exists only in damaged bytes is acknowledged: %+v", e)
		}
	}
	if acc := g.ledger("damaged"); acc.Landed != 4 || acc.Quarantined != 0 {
		t.Errorf("the ledger says %+v; want 4 landed", acc)
	}
}
