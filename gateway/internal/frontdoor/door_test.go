package frontdoor

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"
	"go.uber.org/goleak"

	"github.com/headwater-iot/headwater/gateway/internal/bind"
	"github.com/headwater-iot/headwater/gateway/internal/door"
	"github.com/headwater-iot/headwater/shared/health"
	"github.com/headwater-iot/headwater/shared/meter"
	"github.com/headwater-iot/headwater/shared/topic"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience bounds waits that must not be needed.
const patience = 20 * time.Second

// handler is an intake with function fields.
type handler struct {
	batch, hello func(client string, payload []byte) error
	missed       func(client string)
}

func (h handler) Missed(client string) {
	if h.missed != nil {
		h.missed(client)
	}
}

func (h handler) Batch(_ context.Context, client string, payload []byte) error {
	if h.batch == nil {
		return nil
	}
	return h.batch(client, payload)
}

func (h handler) Hello(_ context.Context, client string, payload []byte) error {
	if h.hello == nil {
		return nil
	}
	return h.hello(client, payload)
}

// start runs a door on a free port of loopback until the test is over.
func start(t testing.TB, h door.Handler, change ...func(*Config)) *Door {
	t.Helper()
	cfg := Config{Listen: "127.0.0.1:0", Logger: slog.New(slog.DiscardHandler), Meter: meter.New()}
	for _, c := range change {
		c(&cfg)
	}
	d, err := Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var run sync.WaitGroup
	run.Go(func() {
		if err := d.Run(ctx, h); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(func() { cancel(); run.Wait() })
	return d
}

// connect is a device as the agent is one: no session, no reconnect.
func connect(t testing.TB, d *Door, id string, change ...func(*paho.ClientOptions)) (paho.Client, error) {
	t.Helper()
	o := paho.NewClientOptions().AddBroker("tcp://" + d.Addr()).SetClientID(id).
		SetAutoReconnect(false).SetCleanSession(true).SetProtocolVersion(4).SetConnectTimeout(patience)
	for _, c := range change {
		c(o)
	}
	c := paho.NewClient(o)
	t.Cleanup(func() { c.Disconnect(0) })
	return c, done(t, c.Connect())
}

func dial(t testing.TB, d *Door, id string, change ...func(*paho.ClientOptions)) paho.Client {
	t.Helper()
	c, err := connect(t, d, id, change...)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func done(t testing.TB, token paho.Token) error {
	t.Helper()
	if !token.WaitTimeout(patience) {
		t.Fatal("no answer of the broker")
	}
	return token.Error()
}

// await returns what comes.
func await[T any](t testing.TB, what string, from <-chan T) T {
	t.Helper()
	select {
	case v := <-from:
		return v
	case <-time.After(patience):
		t.Fatalf("still waiting for %s", what)
		panic("unreachable")
	}
}

// lost is closed when the connection ends.
func lost() (func(*paho.ClientOptions), <-chan struct{}) {
	gone := make(chan struct{})
	return func(o *paho.ClientOptions) {
		o.SetConnectionLostHandler(func(paho.Client, error) { close(gone) })
	}, gone
}

func refused(d *Door, reason string) uint64 { return d.count.refused(reason).Value() }

func TestPubackOnlyAfterTheHandler(t *testing.T) {
	reached, release := make(chan string), make(chan struct{})
	d := start(t, handler{batch: func(client string, payload []byte) error {
		reached <- client + " " + string(payload)
		<-release
		return nil
	}})
	c := dial(t, d, "dev+import-0123456789abcdef")
	token := c.Publish(topic.Up("dev+import-0123456789abcdef", topic.Batch), 1, false, "bytes")
	if got := await(t, "the handler", reached); got != "dev+import-0123456789abcdef bytes" {
		t.Errorf("the handler got %q", got)
	}
	// A ping would be answered behind the PUBACK; another client's whole session passes meanwhile.
	other := dial(t, d, "other")
	if err := done(t, other.Publish(topic.Up("other", topic.Hello), 1, false, "h")); err != nil {
		t.Fatal(err)
	}
	select {
	case <-token.Done():
		t.Error("acknowledged while the handler was at work")
	default:
	}
	close(release)
	if err := done(t, token); err != nil {
		t.Error(err)
	}
}

func TestWithheldPublishIsNotAcknowledged(t *testing.T) {
	d := start(t, handler{batch: func(string, []byte) error { return errors.New("the log is full") }})
	watch, gone := lost()
	c := dial(t, d, "dev", watch)
	token := c.Publish(topic.Up("dev", topic.Batch), 1, true, "bytes")
	await(t, "the end of the connection", gone)
	ended(d, "dev")
	if n := d.server.Topics.Messages(topic.Up("dev", topic.Batch)); len(n) != 0 {
		t.Error("a withheld publish went on into the broker")
	}
	if err := done(t, token); err == nil {
		t.Error("a withheld publish was acknowledged")
	}
	if d.count.withheld.Value() != 1 {
		t.Error("not counted")
	}
	dial(t, d, "dev") // and may come again
}

// TestPublishesStayWithTheHandler holds that the broker keeps and routes nothing of what devices send.
func TestPublishesStayWithTheHandler(t *testing.T) {
	d := start(t, handler{})
	if err := done(t, dial(t, d, "dev").Publish(topic.Up("dev", topic.Batch), 1, true, "bytes")); err != nil {
		t.Fatal(err)
	}
	if n := d.server.Topics.Messages(topic.Up("dev", topic.Batch)); len(n) != 0 {
		t.Error("a batch is retained in the broker")
	}
}

func TestHelloIsAnsweredByARetainedAck(t *testing.T) {
	var d *Door
	d = start(t, handler{hello: func(client string, payload []byte) error {
		return d.Publish(client, topic.Down(client, topic.Ack), append([]byte("ack of "), payload...), true)
	}})
	heard := make(chan paho.Message, 4)
	listen := func(c paho.Client) {
		if err := done(t, c.Subscribe(topic.DownAll("dev"), 1, func(_ paho.Client, m paho.Message) { heard <- m })); err != nil {
			t.Fatal(err)
		}
	}
	c := dial(t, d, "dev")
	listen(c)
	if err := done(t, c.Publish(topic.Up("dev", topic.Hello), 1, false, "hello")); err != nil {
		t.Fatal(err)
	}
	if m := await(t, "the ack", heard); string(m.Payload()) != "ack of hello" || m.Retained() || m.Qos() != 0 {
		t.Errorf("heard %q, retained %v, QoS %d", m.Payload(), m.Retained(), m.Qos())
	}
	c.Disconnect(0)
	again := dial(t, d, "dev")
	listen(again)
	if m := await(t, "the retained ack", heard); string(m.Payload()) != "ack of hello" || !m.Retained() {
		t.Errorf("after a reconnect: %q, retained %v", m.Payload(), m.Retained())
	}
	if err := d.Publish("dev", topic.Down("dev", topic.Ack), nil, true); err != nil {
		t.Fatal(err)
	}
	if n := d.server.Topics.Messages(topic.Down("dev", topic.Ack)); len(n) != 0 {
		t.Errorf("taken back, and %d are still retained", len(n))
	}
}

func TestTopicsOfOthersAreRefused(t *testing.T) {
	called := make(chan string, 8)
	d := start(t, handler{batch: func(client string, _ []byte) error { called <- client; return nil }})
	for _, name := range []string{
		topic.Up("other", topic.Batch), topic.Up("dev", topic.Ack), topic.Down("dev", topic.Ack), "any", "$SYS/x", "hw/1/up/dev/batch/more",
	} {
		for qos := range byte(3) {
			watch, gone := lost()
			c := dial(t, d, "dev", watch)
			c.Publish(name, qos, true, "x")
			await(t, "the end of a connection that published on "+name, gone)
		}
	}
	if len(called) != 0 || refused(d, "topic") != 18 {
		t.Errorf("handled %d, refused %d; want 0, 18", len(called), refused(d, "topic"))
	}
	c := dial(t, d, "dev")
	for _, filter := range []string{"#", "+/#", "hw/1/down/+/ack", topic.DownAll("other"), "$SYS/#", "$share/g/" + topic.DownAll("dev"), topic.Up("dev", topic.Batch)} {
		token := c.Subscribe(filter, 1, nil)
		_ = done(t, token)
		if got := token.(*paho.SubscribeToken).Result()[strings.TrimPrefix(filter, "$share/g/")]; got != 0x80 && token.Error() == nil {
			t.Errorf("subscribed to %s: %#x", filter, got)
		}
	}
	for _, filter := range []string{topic.DownAll("dev"), topic.Down("dev", topic.Ack), topic.Down("dev", topic.Nack)} {
		token := c.Subscribe(filter, 1, nil)
		if err := done(t, token); err != nil || token.(*paho.SubscribeToken).Result()[filter] != 1 {
			t.Errorf("subscribe to %s: %v %v", filter, err, token.(*paho.SubscribeToken).Result())
		}
	}
}

func TestQoS2IsRefused(t *testing.T) {
	d := start(t, handler{})
	watch, gone := lost()
	dial(t, d, "dev", watch).Publish(topic.Up("dev", topic.Batch), 2, false, "x")
	await(t, "the end of the connection", gone)
	if refused(d, "qos") != 1 {
		t.Error("not counted")
	}
}

func TestStrangersAreTurnedAway(t *testing.T) {
	d := start(t, handler{})
	for _, id := range []string{"", "no device", "../x", "dev+import-xyz", strings.Repeat("x", 65), "$SYS"} {
		if _, err := connect(t, d, id); err == nil {
			t.Errorf("client %q was let in", id)
		}
	}
	if _, err := connect(t, d, "dev", func(o *paho.ClientOptions) { o.SetProtocolVersion(3) }); err == nil {
		t.Error("MQTT 3.1 was let in")
	}
	if refused(d, "client_id") != 6 {
		t.Errorf("%d counted, want 6", refused(d, "client_id"))
	}
}

// TestWillIsIgnored would otherwise be a way around the access rules: a will is published without asking them.
func TestWillIsIgnored(t *testing.T) {
	d := start(t, handler{})
	heard := make(chan string, 4)
	victim := dial(t, d, "victim")
	if err := done(t, victim.Subscribe(topic.DownAll("victim"), 1, func(_ paho.Client, m paho.Message) { heard <- string(m.Payload()) })); err != nil {
		t.Fatal(err)
	}
	raw := &deadConn{}
	dial(t, d, "bad", func(o *paho.ClientOptions) {
		o.SetWill(topic.Down("victim", topic.Ack), "forged", 1, true)
		o.SetDialer(&net.Dialer{}).SetCustomOpenConnectionFn(raw.open)
	})
	_ = raw.Conn.Close() // without DISCONNECT
	ended(d, "bad")
	if err := d.Publish("victim", topic.Down("victim", topic.Ack), []byte("true"), false); err != nil {
		t.Fatal(err)
	}
	if got := await(t, "the next message", heard); got != "true" {
		t.Errorf("the victim heard %q", got)
	}
	if refused(d, "will") != 1 {
		t.Error("not counted")
	}
}

// ended waits until the broker has let go of a session.
func ended(d *Door, id string) {
	d.gate.mu.Lock()
	c := d.gate.session[id]
	d.gate.mu.Unlock()
	if c != nil {
		<-c.ended
	}
}

func TestListenAddresses(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	busy := taken.Addr().String()
	_, port, _ := net.SplitHostPort(busy)
	board := health.New()
	for _, c := range []struct {
		name  string
		cfg   Config
		want  string // of the error; "" = it listens
		other bool   // elsewhere
	}{
		{"all addresses", Config{Listen: ":0"}, bind.ErrNotLoopback.Error(), false},
		{"all addresses by number", Config{Listen: "0.0.0.0:0"}, bind.ErrNotLoopback.Error(), false},
		{"all addresses of IPv6", Config{Listen: "[::]:0"}, bind.ErrNotLoopback.Error(), false},
		{"all, insecure", Config{Listen: "0.0.0.0:0", InsecureLAN: true}, "", false},
		{"not an address", Config{Listen: "here"}, "missing port", false},
		{"busy", Config{Listen: busy}, "held by frontdoor.test, process " + strconv.Itoa(os.Getpid()), false},
		{"busy default", Config{Listen: busy, OtherPort: true}, "", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.cfg.Health, c.cfg.Logger = board, slog.New(slog.DiscardHandler)
			d, err := Open(c.cfg)
			if c.want != "" {
				if err == nil || !strings.Contains(err.Error(), c.want) {
					t.Fatalf("%v, want %q", err, c.want)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if _, p, _ := net.SplitHostPort(d.Addr()); c.other && p == port {
				t.Error("it listens on the busy port")
			}
			if err := d.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	if up := board.Snapshot(); len(up) != 1 || up[0].Code != open.Code {
		t.Errorf("conditions %v, want %s", up, open.Code)
	}
}
