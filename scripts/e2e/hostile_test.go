package e2e

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"
	"github.com/klauspost/compress/zstd"

	"github.com/headwater-iot/headwater/shared/record"
	"github.com/headwater-iot/headwater/shared/topic"
	"github.com/headwater-iot/headwater/shared/wire"
)

// memory returns the resident memory of a process and its peak, in MiB.
func (p *process) memory(t *testing.T) (now, peak int) {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if kb, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			_, _ = fmt.Sscan(kb, &now)
		}
		if kb, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			_, _ = fmt.Sscan(kb, &peak)
		}
	}
	return now >> 10, peak >> 10
}

// heavy reports whether tests may take minutes.
func heavy() bool { return os.Getenv("HEADWATER_E2E") == "heavy" }

// raw opens a connection and sends bytes, and nothing more.
func raw(t *testing.T, addr string, b []byte) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	_, _ = c.Write(b) // it may be closed already
	return c
}

// packet is an MQTT packet.
func packet(first byte, body []byte) []byte {
	return append(append([]byte{first}, binary.AppendUvarint(nil, uint64(len(body)))...), body...)
}

func text(s string) []byte { return append(binary.BigEndian.AppendUint16(nil, uint16(len(s))), s...) }

// connect is a CONNECT of a client with a keepalive of an hour; flags are those of MQTT 3.1.1.
func connect(id string, flags byte, more ...string) []byte {
	body := append(text("MQTT"), 4, flags, 0x0e, 0x10)
	for _, s := range append([]string{id}, more...) {
		body = append(body, text(s)...)
	}
	return packet(0x10, body)
}

func publish(topicName string, payload []byte) []byte {
	return packet(0x32, append(append(text(topicName), 0, 1), payload...))
}

// ends waits until the other side has closed the connection.
func ends(t *testing.T, what string, c net.Conn) {
	t.Helper()
	_ = c.SetReadDeadline(time.Now().Add(patience))
	if _, err := io.Copy(io.Discard, c); err != nil && strings.Contains(err.Error(), "timeout") {
		t.Errorf("%s: the connection was left open", what)
	}
}

// TestHostileConnections speaks to the gateway as no device does. Each is refused with a reason that is counted, and a
// device beside them lands all it has.
func TestHostileConnections(t *testing.T) {
	g := newGateway(t).start()
	a := newAgent(t, "honest", g.mqtt, counting, "outbox: {flush_interval: 1s}").start()
	waitFor(t, "the first readings to land", func() bool { return g.ledger("honest").Landed >= 50 })
	me := connect("mallory", 2)
	for _, c := range []struct {
		name   string
		bytes  []byte
		reason string // under which it is counted
	}{
		{"random bytes", noise(100_000), "protocol"},
		{"a first packet of 256 MB", []byte{0x10, 0xff, 0xff, 0xff, 0x7f}, "protocol"},
		{"a packet of 256 MB", append(bytes.Clone(me), 0x32, 0xff, 0xff, 0xff, 0x7f), "protocol"},
		{"a length without end", append(bytes.Clone(me), 0x32, 0xff, 0xff, 0xff, 0xff, 0xff), "protocol"},
		{"no name", connect("", 2), "client_id"},
		{"no name of a device", connect("../../etc", 2), "client_id"},
		{"a name that is not UTF-8", connect("\xff\xfe", 2), "protocol"},
		{"a name of 60 kB", connect(strings.Repeat("x", 60_000), 2), "protocol"},
		{"another version", packet(0x10, append(text("MQIsdp"), 3, 2, 0, 60, 0, 1, 'x')), "protocol"},
		{"the topic of another", append(bytes.Clone(me), publish(topic.Up("honest", topic.Batch), []byte("x"))...), "topic"},
		{"the acks of another", append(bytes.Clone(me), publish(topic.Down("honest", topic.Ack), []byte("x"))...), "topic"},
		{"$SYS", append(bytes.Clone(me), publish("$SYS/x", []byte("x"))...), "topic"},
		{"a topic of 60 kB", append(bytes.Clone(me), publish(strings.Repeat("/", 60_000), nil)...), "topic"},
		{"a topic that is not UTF-8", append(bytes.Clone(me), publish("hw/1/up/\xff\xfe/batch", nil)...), "protocol"},
		{"quality of service 2", append(bytes.Clone(me), packet(0x34, append(text(topic.Up("mallory", topic.Batch)), 0, 1))...), "qos"},
		{"two CONNECTs", append(bytes.Clone(me), me...), "protocol"},
	} {
		sample := `headwater_frontdoor_refused_total{reason="` + c.reason + `"}`
		before := labelled(g.http, sample)
		ends(t, c.name, raw(t, g.mqtt, c.bytes))
		waitFor(t, c.name+" to be counted", func() bool { return labelled(g.http, sample) == before+1 })
	}
	subscriptions := packet(0x82, append(append([]byte{0, 1}, text("#")...), 1))
	_ = raw(t, g.mqtt, append(bytes.Clone(me), subscriptions...))
	_ = raw(t, g.mqtt, connect("willing", 0x26, topic.Up("honest", topic.Batch), "a will with retain"))
	for _, reason := range []string{"subscription", "will"} {
		waitFor(t, "the refusal of a "+reason, func() bool {
			return labelled(g.http, `headwater_frontdoor_refused_total{reason="`+reason+`"}`) > 0
		})
	}
	fate(t, g, a, "honest")
	if g.ended() {
		t.Error("the gateway has ended")
	}
}

func noise(n int) []byte {
	rng := rand.New(rand.NewPCG(1, uint64(n)))
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(rng.Uint32())
	}
	return b
}

// TestHostileBatches sends what only a device may send, made to hurt who opens it: each is nacked or kept in quarantine
// with its reason, none is lost without a count, and the device itself goes on.
func TestHostileBatches(t *testing.T) {
	g := newGateway(t).start()
	const epoch record.Epoch = 0xbad
	d := dial(t, g.mqtt, "mallory")
	d.hello(1, wire.HelloEpoch{Epoch: epoch, Boot: d.boot, State: wire.EpochCurrent})

	squeeze, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	next := uint64(0)
	sealed := func(codec wire.Codec, count uint64, body []byte) []byte {
		b, err := wire.AppendSealed(nil, wire.Header{
			Kind: wire.KindReadings, Codec: codec, Device: "mallory", Epoch: epoch, Boot: d.boot, First: next, Count: count,
		}, body)
		if err != nil {
			t.Fatal(err)
		}
		next += count
		return b
	}
	deep := bytes.Repeat([]byte{0x81}, 200_000)                                           // an array in an array in ...
	wide := append([]byte{0x9b, 0, 0, 0, 1, 0, 0, 0, 0}, noise(1000)...)                  // an array of four thousand million
	long := append([]byte{0x5b, 0x7f, 0, 0, 0, 0, 0, 0, 0}, noise(1000)...)               // a string of more than there is memory
	keys := append([]byte{0xba, 0, 0, 0xff, 0xff}, bytes.Repeat([]byte{1, 1}, 0xffff)...) // a map of one key
	hurting := [][]byte{
		sealed(wire.Zstd, 10, squeeze.EncodeAll(make([]byte, 512<<20), nil)), // 16 kB that are half a GB
		sealed(wire.Zstd, 10, squeeze.EncodeAll(deep, nil)),
		sealed(wire.Zstd, 10, noise(1000)),
		sealed(wire.Stored, 10, deep),
		sealed(wire.Stored, 10, wide),
		sealed(wire.Stored, 10, long),
		sealed(wire.Stored, 10, keys),
		sealed(wire.Stored, 1<<20, noise(1000)), // claims all the seqs that it may
	}
	for _, b := range hurting {
		d.send(b)
	}
	want := int64(next)
	d.send(d.batch(epoch+1, 0, 10))
	d.ack("a good batch behind them to land", landed(epoch+1, 10))
	if acc := g.ledger("mallory"); acc.Quarantined != want || acc.Landed != 10 || !acc.Balanced {
		t.Errorf("the ledger says %+v; want %d in quarantine and 10 landed", acc, want)
	}
	for i, b := range [][]byte{nil, noise(10), noise(200_000), []byte("HW\x01\x01"), deep} {
		d.await(d.client.Publish(topic.Up("mallory", topic.Batch), 1, true, b)) // retained, too
		d.await(d.client.Publish(topic.Up("mallory", topic.Hello), 1, true, b))
		if n := metric(g.http, "headwater_intake_refused_total"); n != float64(2*(i+1)) {
			t.Errorf("%d messages of garbage, %v are counted as refused", 2*(i+1), n)
		}
	}
	if _, peak := g.memory(t); peak > 400 {
		t.Errorf("%d MiB of memory at the peak", peak)
	}
	if n := labelled(g.http, `headwater_land_quarantined_total{reason="unreadable"}`); n != float64(want) {
		t.Errorf("%v readings are counted as unreadable, want %d", n, want)
	}
}

// TestCrowd opens idle and half-open connections, unfinished packets and floods of hellos around honest agents: memory
// stays flat, and every reading of the agents lands once.
func TestCrowd(t *testing.T) {
	idle := 300
	if heavy() {
		idle = 1000
	}
	g := newGateway(t).start()
	a := newAgent(t, "honest", g.mqtt, counting, "outbox: {flush_interval: 1s}").start()
	waitFor(t, "the first readings to land", func() bool { return g.ledger("honest").Landed >= 50 })
	before, _ := g.memory(t)

	for i := range idle {
		raw(t, g.mqtt, nil)                                                          // never says CONNECT
		raw(t, g.mqtt, connect("half", 2)[:9])                                       // never finishes it
		raw(t, g.mqtt, connect(fmt.Sprintf("idle-%d", i), 2))                        // says nothing more
		begun := append(connect(fmt.Sprintf("slow-%d", i), 2), 0x32, 0x80, 0x80, 15) // a publish of 240 KiB that never comes
		raw(t, g.mqtt, begun)
	}
	stop := make(chan struct{})
	flooded := make(chan int)
	go func() {
		n := 0
		defer func() { flooded <- n }()
		flood := mqtt.NewClient(mqtt.NewClientOptions().AddBroker("tcp://" + g.mqtt).SetClientID("flood").SetAutoReconnect(true))
		if tok := flood.Connect(); !tok.WaitTimeout(patience) || tok.Error() != nil {
			return
		}
		defer flood.Disconnect(0)
		for {
			select {
			case <-stop:
				return
			default:
			}
			hello := inventedHello(uint64(n))
			if tok := flood.Publish(topic.Up("flood", topic.Hello), 1, false, hello); tok.WaitTimeout(patience) && tok.Error() == nil {
				n++
			}
		}
	}()
	landed := g.ledger("honest").Landed
	waitFor(t, "the agent to land more in the crowd", func() bool { return g.ledger("honest").Landed >= landed+300 })
	late := newAgent(t, "late", g.mqtt, counting, "outbox: {flush_interval: 1s}").start()
	waitFor(t, "an agent that comes late to land", func() bool { return g.ledger("late").Landed >= 100 })
	close(stop)
	hellos := <-flooded
	now, peak := g.memory(t)
	t.Logf("%d connections, %d hellos of 200 invented epochs: %d MiB before, %d now, %d at the peak", 4*idle, hellos, before, now, peak)
	if bound := 200 + 4*idle/10; peak > bound { // of the crowd, some 40 kB each, and what the agents and the lake take
		t.Errorf("%d MiB of memory at the peak, want at most %d", peak, bound)
	}
	if hellos == 0 {
		t.Error("the flood did not flood")
	}
	fate(t, g, a, "honest")
	fate(t, g, late, "late")
}

// inventedHello names epochs that never were.
func inventedHello(n uint64) []byte {
	h := &wire.Hello{Device: "flood", Client: "flood", Nonce: n + 1, Sent: 1, Boot: 7, Version: "x", Wire: []uint64{1}}
	for i := range uint64(200) {
		h.Epochs = append(h.Epochs, wire.HelloEpoch{Epoch: record.Epoch(n*200 + i + 1), Boot: 7, State: wire.EpochLost, Next: 1 << 40})
	}
	b, err := wire.AppendHello(nil, h)
	if err != nil {
		panic("e2e: a hello that cannot be written: " + err.Error())
	}
	return b
}
