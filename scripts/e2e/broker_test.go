package e2e

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	mqtt "github.com/eclipse/paho.mqtt.golang"

	"github.com/headwater-iot/headwater/shared/need"
)

// mosquitto is a real broker that can be killed and started again on the same port, with its persistence or without.
type mosquitto struct {
	t                       *testing.T
	bin, addr, config, data string
	*process
}

// newMosquitto writes a configuration; more are lines of it.
func newMosquitto(t *testing.T, more ...string) *mosquitto {
	t.Helper()
	m := &mosquitto{t: t, bin: need.Tool(t, "mosquitto", "apt-get install mosquitto"), addr: freePort(t), data: t.TempDir()}
	m.config = filepath.Join(t.TempDir(), "mosquitto.conf")
	m.configure(more...)
	return m
}

func (m *mosquitto) configure(more ...string) {
	m.t.Helper()
	_, port, err := net.SplitHostPort(m.addr)
	if err != nil {
		m.t.Fatal(err)
	}
	lines := append([]string{
		"user root", "listener " + port + " 127.0.0.1", "allow_anonymous true", "sys_interval 1", "log_type all",
		"persistence true", "persistence_location " + m.data + "/", "autosave_on_changes true", "autosave_interval 1",
	}, more...)
	if err := os.WriteFile(m.config, []byte(strings.Join(lines, "\n")+"\n"), 0o644); err != nil {
		m.t.Fatal(err)
	}
}

func (m *mosquitto) start() *mosquitto {
	m.t.Helper()
	m.process = start(m.t, nil, m.bin, "-c", m.config)
	waitFor(m.t, "Mosquitto to listen", func() bool {
		c, err := net.Dial("tcp", m.addr)
		if err == nil {
			c.Close()
		}
		return err == nil
	})
	return m
}

// forget removes what the broker has kept.
func (m *mosquitto) forget() {
	m.t.Helper()
	if err := os.RemoveAll(filepath.Join(m.data, "mosquitto.db")); err != nil {
		m.t.Fatal(err)
	}
}

// sys returns a number that the broker publishes of itself.
func (m *mosquitto) sys(topic string) (n int) {
	m.t.Helper()
	c := mqtt.NewClient(mqtt.NewClientOptions().AddBroker("tcp://" + m.addr).SetClientID("sys").SetAutoReconnect(false))
	if tok := c.Connect(); !tok.WaitTimeout(patience) || tok.Error() != nil {
		m.t.Fatal(tok.Error())
	}
	defer c.Disconnect(0)
	heard := make(chan string, 16) // more than it says before we leave
	c.Subscribe("$SYS/"+topic, 0, func(_ mqtt.Client, msg mqtt.Message) {
		select {
		case heard <- string(msg.Payload()):
		default:
		}
	})
	waitFor(m.t, "$SYS/"+topic, func() bool {
		select {
		case text := <-heard:
			_, err := fmt.Sscan(text, &n)
			return err == nil
		default:
			return false
		}
	})
	return n
}

// newBehind returns a gateway that is a client of the broker.
func newBehind(t *testing.T, m *mosquitto) *gateway {
	t.Helper()
	g := newGateway(t)
	g.mqtt, g.config = m.addr, filepath.Join(t.TempDir(), "gateway.yaml")
	if err := os.WriteFile(g.config, []byte("mqtt: {broker: tcp://"+m.addr+"}\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	return g
}

// condition returns the detail of a condition that shows, "" where it does not.
func (g *gateway) condition(code string) string {
	resp, err := http.Get("http://" + g.http + "/healthz")
	if err != nil {
		return ""
	}
	defer resp.Body.Close()
	var doc struct {
		Conditions []struct{ Code, Detail string } `json:"conditions"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&doc); err != nil {
		return ""
	}
	for _, c := range doc.Conditions {
		if c.Code == code {
			return c.Detail
		}
	}
	return ""
}

// fleet starts agents that count.
func fleet(t *testing.T, broker string, n int) []*agent {
	t.Helper()
	agents := make([]*agent, n)
	for i := range agents {
		agents[i] = newAgent(t, fmt.Sprintf("dev-%d", i), broker, counting, "outbox: {flush_interval: 1s}").start()
	}
	return agents
}

// more waits until every agent has accepted n readings more.
func more(t *testing.T, agents []*agent, n float64) {
	t.Helper()
	for _, a := range agents {
		before := max(0, a.metric("headwater_outbox_accepted_total"))
		waitFor(t, "an agent to accept more", func() bool { return a.metric("headwater_outbox_accepted_total") >= before+n })
	}
}

// allLand waits until every reading that the running agents have accepted by now is in the lake.
func (g *gateway) allLand(agents []*agent) {
	g.t.Helper()
	for i, a := range agents {
		accepted := int64(a.metric("headwater_outbox_accepted_total"))
		waitFor(g.t, fmt.Sprintf("%d readings of dev-%d to land", accepted, i), func() bool {
			return g.ledger(fmt.Sprintf("dev-%d", i)).Landed >= accepted
		})
	}
}

// balance stops the agents, lets them send what they hold, and fails unless each reading landed exactly once.
func (g *gateway) balance(agents []*agent) {
	g.t.Helper()
	for i, a := range agents {
		accepted := int64(a.metric("headwater_outbox_accepted_total"))
		if status := a.stop(g.t); status != 0 {
			g.t.Errorf("the agent stopped with status %d", status)
		}
		a.drain()
		device := fmt.Sprintf("dev-%d", i)
		acc := g.settled(device, accepted)
		acc.exact(g.t)
		missing, doubled := holes(g.epochs(device))
		if missing != 0 || doubled != 0 {
			g.t.Errorf("%s: %d readings lost, %d doubled, of %d", device, missing, doubled, acc.Landed)
		}
		g.t.Logf("%s: %d accepted, %d landed, %d lost, %d doubled", device, acc.Accepted, acc.Landed, missing, doubled)
	}
}

// TestWholeRiverBehindBothDoors kills the gateway under a fleet that reaches it by the embedded broker, and by Mosquitto.
func TestWholeRiverBehindBothDoors(t *testing.T) {
	for name, open := range map[string]func(*testing.T) *gateway{
		"frontdoor": newGateway,
		"consumer":  func(t *testing.T) *gateway { return newBehind(t, newMosquitto(t).start()) },
	} {
		t.Run(name, func(t *testing.T) {
			g := open(t).start()
			agents := fleet(t, g.mqtt, 2)
			for range 3 {
				more(t, agents, 100)
				g.kill()
				more(t, agents, 50)
				g.start()
			}
			g.balance(agents)
		})
	}
}
