package e2e

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	mqtt "github.com/eclipse/paho.mqtt.golang"

	"github.com/headwater-iot/headwater/shared/need"
)

// TestNoBatchBeforeHelloIsAnswered connects a real agent to a real Mosquitto behind which no gateway is. Hellos come,
// again and again; a batch must not. The negative control is that the spy does see a batch that somebody publishes.
func TestNoBatchBeforeHelloIsAnswered(t *testing.T) {
	mosquitto := need.Tool(t, "mosquitto", "apt-get install mosquitto")
	addr := freePort(t)
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		t.Fatal(err)
	}
	config := filepath.Join(t.TempDir(), "mosquitto.conf")
	if err := os.WriteFile(config, []byte(fmt.Sprintf("listener %s 127.0.0.1\nallow_anonymous true\npersistence false\n", port)), 0o644); err != nil {
		t.Fatal(err)
	}
	start(t, nil, mosquitto, "-c", config)

	var hellos, batches atomic.Int64
	spy := mqtt.NewClient(mqtt.NewClientOptions().AddBroker("tcp://" + addr).SetClientID("spy"))
	waitFor(t, "Mosquitto", func() bool { tok := spy.Connect(); return tok.WaitTimeout(patience) && tok.Error() == nil })
	defer spy.Disconnect(0)
	tok := spy.Subscribe("hw/1/up/#", 1, func(_ mqtt.Client, m mqtt.Message) {
		if strings.HasSuffix(m.Topic(), "/hello") {
			hellos.Add(1)
		} else {
			batches.Add(1)
		}
	})
	if !tok.WaitTimeout(patience) || tok.Error() != nil {
		t.Fatal(tok.Error())
	}

	a := newAgent(t, "polite", addr, counting, "outbox: {flush_interval: 1s}").start()
	waitFor(t, "a second hello, and batches that wait", func() bool {
		return hellos.Load() >= 2 && a.metric("headwater_outbox_accepted_total") >= 300
	})
	if n := batches.Load(); n != 0 {
		t.Errorf("%d batches were sent to a broker without a gateway", n)
	}
	if tok := spy.Publish("hw/1/up/other/batch", 1, false, "x"); !tok.WaitTimeout(patience) || tok.Error() != nil {
		t.Fatal(tok.Error())
	}
	waitFor(t, "the spy to see a batch", func() bool { return batches.Load() == 1 })
}
