package frontdoor

import (
	"net"
	"testing"

	paho "github.com/eclipse/paho.mqtt.golang"

	"github.com/headwater-iot/headwater/shared/topic"
)

// TestUnconfirmedClientHearsAll sends more than the broker lets be unconfirmed to a client that confirms nothing.
func TestUnconfirmedClientHearsAll(t *testing.T) {
	d := start(t, handler{missed: func(client string) { t.Errorf("%s missed something", client) }})
	c := dial(t, d, "dev", func(o *paho.ClientOptions) { o.SetAutoAckDisabled(true) })
	heard := make(chan string, 1)
	if err := done(t, c.Subscribe(topic.DownAll("dev"), 1, func(_ paho.Client, m paho.Message) { heard <- string(m.Payload()) })); err != nil {
		t.Fatal(err)
	}
	for range 2 * inflight {
		if err := d.Publish("dev", topic.Down("dev", topic.Ack), []byte("ack"), false); err != nil {
			t.Fatal(err)
		}
		await(t, "an ack", heard)
	}
}

// TestSlowClientIsTold fills all there is between the door and a client that does not read.
func TestSlowClientIsTold(t *testing.T) {
	missed := make(chan string, 1)
	d := start(t, handler{missed: func(client string) {
		select {
		case missed <- client:
		default: // once is enough
		}
	}})
	c := rawDial(t, d)
	exchange := func(what string, packet []byte, answer int) {
		t.Helper()
		if _, err := c.Write(packet); err != nil {
			t.Fatal(err)
		}
		if _, err := c.Read(make([]byte, answer)); err != nil {
			t.Fatalf("%s: %v", what, err)
		}
	}
	exchange("CONNECT", append([]byte{0x10, 15, 0, 4, 'M', 'Q', 'T', 'T', 4, 2, 0, 0, 0, 3}, "dev"...), 4)
	filter := topic.DownAll("dev")
	subscribe := append([]byte{0x82, byte(5 + len(filter)), 0, 1, 0, byte(len(filter))}, filter...)
	exchange("SUBSCRIBE", append(subscribe, 1), 5)
	if err := c.(*net.TCPConn).SetReadBuffer(4 << 10); err != nil {
		t.Fatal(err)
	}
	for range 10_000 { // far more than sockets hold
		if err := d.Publish("dev", topic.Down("dev", topic.Ack), make([]byte, 64<<10), false); err != nil {
			t.Fatal(err)
		}
		if len(missed) > 0 {
			break
		}
	}
	if client := await(t, "the word of the drop", missed); client != "dev" || d.count.dropped.Value() == 0 {
		t.Errorf("%q missed something, %d dropped", client, d.count.dropped.Value())
	}
}
