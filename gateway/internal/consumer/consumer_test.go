package consumer

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"

	"github.com/headwater-iot/headwater/gateway/internal/door"
	"github.com/headwater-iot/headwater/shared/need"
)

// TestUntakenComesAgain stops a consumer whose handler does not take a message: the broker must still have it for the
// next one, and must not once that has taken it.
func TestUntakenComesAgain(t *testing.T) {
	address := mosquitto(t)
	d := device(t, address, "dev")
	first := start(t, address).subscribed(t, d)
	first.refuse(errors.New("full"))
	calls := first.calls()
	publish1(t, d, "hw/1/up/dev/batch", "one")
	until(t, "the message to be withheld", func() bool { return first.calls() > calls+1 })
	first.stop()
	if c := &first.count; c.abandoned.Value() != 1 || c.received.Value() != c.acknowledged.Value()+1 {
		t.Errorf("%d received, %d acknowledged, %d abandoned", c.received.Value(), c.acknowledged.Value(), c.abandoned.Value())
	}

	second := start(t, address)
	if m := recv(t, "the message again", second.got); m != (heard{"dev", "batch", "one"}) {
		t.Errorf("heard %v", m)
	}
	if n := second.count.redelivered.Value(); n != 1 {
		t.Errorf("%d messages were counted as redelivered", n)
	}
	until(t, "the line to be quiet", func() bool { return second.count.acknowledged.Value() == 1 && second.count.probes("fits").Value() == 1 })
	second.stop() // a connection that is closed with bytes unread takes its last acknowledgements with it

	third := start(t, address)
	publish1(t, d, "hw/1/up/dev/hello", "two")
	if m := recv(t, "a new message", third.got); m != (heard{"dev", "hello", "two"}) {
		t.Errorf("after the old one was taken came %v", m)
	}
}

// TestWithheldWaitForTheLog publishes while nothing is taken. When there is room all come, in the order of each device,
// and none a second time.
func TestWithheldWaitForTheLog(t *testing.T) {
	address := mosquitto(t)
	d := device(t, address, "pub")
	s := start(t, address).subscribed(t, d)
	s.refuse(errors.New("the log is full"))
	const devices, each = 10, 5 // more than Mosquitto sends before an answer
	for i := range each {
		for dev := range devices {
			publish1(t, d, fmt.Sprintf("hw/1/up/dev-%d/batch", dev), fmt.Sprint(i))
		}
	}
	until(t, "the condition", func() bool { return s.shows("broker-withheld") == "the log is full" })
	if len(s.got) != 0 {
		t.Fatalf("%d messages were taken by a full log", len(s.got))
	}
	s.refuse(nil)
	next := map[string]int{}
	for range devices * each {
		m := recv(t, "a message", s.got)
		if m.payload != fmt.Sprint(next[m.client]) {
			t.Errorf("%s: want message %d, got %s", m.client, next[m.client], m.payload)
		}
		next[m.client]++
	}
	until(t, "the condition to clear", func() bool { return s.shows("broker-withheld") == "" })
	until(t, "all to be acknowledged", func() bool {
		c := &s.count
		return c.received.Value() == c.acknowledged.Value()+c.refused.Value()
	})
	if len(s.got) != 0 || s.count.redelivered.Value() != 0 {
		t.Errorf("%d messages came twice, %d redelivered", len(s.got), s.count.redelivered.Value())
	}
}

// TestTooLongIsCropped sends 1 MB: it reaches the handler no longer than door.MaxPacket, is acknowledged, and the
// connection goes on.
func TestTooLongIsCropped(t *testing.T) {
	address := mosquitto(t)
	d := device(t, address, "dev")
	s := start(t, address).subscribed(t, d)
	publish1(t, d, "hw/1/up/dev/batch", strings.Repeat("x", 1<<20))
	publish1(t, d, "hw/1/up/dev/batch", "next")
	if m := recv(t, "the long message", s.got); len(m.payload) > door.MaxPacket || len(m.payload) < door.MaxPacket-100 {
		t.Errorf("the handler got %d bytes", len(m.payload))
	}
	if m := recv(t, "the next message", s.got); m.payload != "next" {
		t.Errorf("then came %.20q", m.payload)
	}
	if n := s.count.connects.Value(); n != 1 || s.count.cropped.Value() != 1 {
		t.Errorf("%d connections, %d messages cropped", n, s.count.cropped.Value())
	}
}

// TestRetainedCopyIsDropped leaves a hello in the broker as retained, which none of ours is: it is handled when it is
// published, and not again at each connection, when it would call a device seen that may be long gone.
func TestRetainedCopyIsDropped(t *testing.T) {
	address := mosquitto(t)
	d := device(t, address, "dev")
	first := start(t, address).subscribed(t, d)
	if token := d.Publish("hw/1/up/dev/hello", 1, true, "old"); !token.WaitTimeout(patience) || token.Error() != nil {
		t.Fatal(token.Error())
	}
	if m := recv(t, "the hello", first.got); m != (heard{"dev", "hello", "old"}) {
		t.Errorf("heard %v", m)
	}
	until(t, "the line to be quiet", func() bool {
		return first.count.acknowledged.Value() == first.count.received.Value() && first.count.probes("fits").Value() == 1
	})
	first.stop()
	second := start(t, address)
	until(t, "the copy", func() bool { return second.count.retained.Value() == 1 })
	publish1(t, d, "hw/1/up/dev/hello", "new")
	if m := recv(t, "a new hello", second.got); m.payload != "new" {
		t.Errorf("heard %v", m)
	}
}

// TestNobodysMessageIsDropped publishes where no device does, more often than Mosquitto goes on without an answer.
func TestNobodysMessageIsDropped(t *testing.T) {
	address := mosquitto(t)
	d := device(t, address, "dev")
	s := start(t, address).subscribed(t, d)
	for range 10 {
		for _, where := range []string{"hw/1/up/dev/other", "hw/1/up/ümlaut/batch", "hw/1/up//hello"} {
			publish1(t, d, where, "x")
		}
	}
	publish1(t, d, "hw/1/up/dev/batch", "y")
	if m := recv(t, "a message", s.got); m.payload != "y" || s.count.refused.Value() != 30 {
		t.Errorf("heard %v, refused %d", m, s.count.refused.Value())
	}
}

// TestPublishAndMissed publishes to a device, with the broker there and away.
func TestPublishAndMissed(t *testing.T) {
	s := start(t, "127.0.0.1:1") // nobody listens there
	if err := s.Publish("dev", "hw/1/down/dev/ack", []byte("a"), true); !errors.Is(err, errDown) {
		t.Errorf("without a broker: %v", err)
	}
	s.stop()

	address := mosquitto(t)
	d := device(t, address, "dev")
	s = start(t, address, func(c *Consumer) { c.missed["dev"] = struct{}{} }).subscribed(t, d)
	if missed := recv(t, "who missed something", s.handler.missed); missed != "dev" {
		t.Errorf("%s missed an ack", missed)
	}
	if err := s.Publish("dev", "hw/1/down/dev/ack", []byte("b"), true); err != nil {
		t.Fatal(err)
	}
	until(t, "the ack to be out", func() bool { return s.count.published.Value() == 1 })
	acks := make(chan paho.Message, 1)
	until(t, "the retained ack", func() bool { // it is passed on without our knowing when
		token := d.Subscribe("hw/1/down/dev/+", 0, func(_ paho.Client, m paho.Message) { acks <- m })
		return token.WaitTimeout(patience) && len(acks) > 0
	})
	if m := <-acks; string(m.Payload()) != "b" || !m.Retained() {
		t.Errorf("heard %q, retained %v", m.Payload(), m.Retained())
	}
}

// TestPacketLimitIsNamed runs brokers that do not carry the largest batch, each in its way, and one that does.
func TestPacketLimitIsNamed(t *testing.T) {
	for _, limit := range []string{"max_packet_size 2000", "message_size_limit 2000"} {
		s := start(t, mosquitto(t, limit))
		until(t, "the condition under "+limit, func() bool { return strings.Contains(s.shows("broker-packet-limit"), "262144 bytes") })
		s.stop()
	}
	s := start(t, mosquitto(t))
	until(t, "the probe", func() bool { return s.count.probes("fits").Value() == 1 })
	if s.shows("broker-packet-limit") != "" {
		t.Error("a broker without a limit was named")
	}
}

// TestAccessList shows the list that doc.go gives: with it the topic says who the device is.
func TestAccessList(t *testing.T) {
	dir := t.TempDir()
	passwords, list := filepath.Join(dir, "passwords"), filepath.Join(dir, "access")
	passwd := need.Tool(t, "mosquitto_passwd", "apt-get install mosquitto")
	for _, user := range []string{"gateway", "importer", "dev-1"} {
		args := []string{"-b", passwords, user, "secret-" + user}
		if user == "gateway" {
			args = append([]string{"-c"}, args...)
		}
		if out, err := exec.Command(passwd, args...).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	text := `user gateway
topic read hw/1/up/+/+
topic write hw/1/down/+/+
topic readwrite hw/1/probe/+

user importer
topic write hw/1/up/+/+
topic read hw/1/down/+/+

pattern write hw/1/up/%u/+
pattern read hw/1/down/%u/+
`
	if err := os.WriteFile(list, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	address := mosquitto(t, "password_file "+passwords, "acl_file "+list)

	wrong := start(t, address, func(c *Consumer) { c.conds.unreachable.Hold = 0 })
	until(t, "the condition", func() bool { return strings.Contains(wrong.shows("broker-unreachable"), "mqtt.password_file") })
	wrong.stop()

	as := func(user string) func(*paho.ClientOptions) {
		return func(o *paho.ClientOptions) { o.SetUsername(user).SetPassword("secret-" + user) }
	}
	d := device(t, address, "dev-1", as("dev-1"))
	s := start(t, address, func(c *Consumer) { c.cfg.Username, c.password = "gateway", "secret-gateway" })
	until(t, "the probe", func() bool { return s.count.probes("fits").Value() == 1 })
	publish1(t, d, "hw/1/up/dev-2/batch", "forged")
	publish1(t, d, "hw/1/up/dev-1/batch", "own")
	if m := recv(t, "a message", s.got); m != (heard{"dev-1", "batch", "own"}) {
		t.Errorf("heard %v", m)
	}
	imports := device(t, address, "dev-1+import-00112233aabbccdd", as("importer"))
	publish1(t, imports, "hw/1/up/dev-1~import-00112233aabbccdd/batch", "a file")
	if m := recv(t, "an import", s.got); m != (heard{"dev-1+import-00112233aabbccdd", "batch", "a file"}) {
		t.Errorf("heard %v", m)
	}
}

// TestStopWithoutBroker stops while the connection is being made, by a broker that never answers.
func TestStopWithoutBroker(t *testing.T) {
	l := silent(t)
	s := start(t, l.Addr().String())
	conn, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	done := make(chan struct{})
	go func() { s.stop(); close(done) }() // recv waits for it
	recv(t, "the end", done)
}

// TestSessionTakenIsNamed starts two with one client id.
func TestSessionTakenIsNamed(t *testing.T) {
	address := mosquitto(t)
	one, two := start(t, address), start(t, address)
	until(t, "the condition", func() bool {
		return strings.Contains(one.shows("broker-session-taken")+two.shows("broker-session-taken"), `connected as "gateway"`)
	})
	two.stop()
	one.stop()

	s := start(t, address, func(c *Consumer) {
		c.pace.healthy = 50 * time.Millisecond
		c.cfg.Health.Raise(c.conds.taken, "x")
	})
	until(t, "the condition to clear", func() bool { return s.shows("broker-session-taken") == "" })
}
