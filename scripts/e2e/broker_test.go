package e2e

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
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

// newBehind returns a gateway that is a client of the broker; more are lines of its configuration.
func newBehind(t *testing.T, m *mosquitto, more ...string) *gateway {
	t.Helper()
	return behind(t, m.addr, more...)
}

func behind(t *testing.T, broker string, more ...string) *gateway {
	t.Helper()
	g := newGateway(t)
	g.mqtt, g.config = broker, filepath.Join(t.TempDir(), "gateway.yaml")
	text := "mqtt: {broker: tcp://" + broker + "}\n" + strings.Join(more, "\n")
	if err := os.WriteFile(g.config, []byte(text), 0o644); err != nil {
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
		fate(g.t, g, a, fmt.Sprintf("dev-%d", i))
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

// TestMosquittoKilled kills the broker under a fleet; it comes back with what it had kept, and then without, when the
// gateway and an agent are killed with it.
func TestMosquittoKilled(t *testing.T) {
	m := newMosquitto(t).start()
	g := newBehind(t, m).start()
	agents := fleet(t, m.addr, 2)
	for _, keep := range []bool{true, false} {
		more(t, agents, 100)
		m.kill()
		if !keep {
			m.forget()
			g.kill()
			g.start() // it is ready without a broker
			agents[0].kill()
			agents[0].start()
		}
		more(t, agents, 50)
		m.start()
		for _, a := range agents {
			waitFor(t, "the agent to be connected", func() bool { return a.metric("headwater_uplink_connected") == 1 })
		}
	}
	g.allLand(agents)
	g.balance(agents)
}

// TestMosquittoDrops lets a broker with short queues drop what it has acknowledged: agents hold it and send it again.
// That it did drop is what makes this a test.
func TestMosquittoDrops(t *testing.T) {
	m := newMosquitto(t, "max_queued_messages 10", "max_inflight_messages 1").start()
	g := newBehind(t, m).start()
	agents := fleet(t, m.addr, 4)
	more(t, agents, 100)
	g.allLand(agents)
	g.kill()
	waitFor(t, "Mosquitto to drop messages", func() bool { return m.sys("broker/publish/messages/dropped") > 10 })
	dropped := m.sys("broker/publish/messages/dropped")
	acknowledged := 0.0
	for _, a := range agents {
		acknowledged += a.metric("headwater_uplink_batches_sent_total")
	}
	g.start()
	g.allLand(agents) // by the agents that run, which have not been told of anything
	t.Logf("%d messages dropped by Mosquitto, of %v batches sent until then", dropped, acknowledged)
	g.balance(agents)
}

// TestMosquittoPacketLimit runs a broker that ends the connection of whoever sends a batch. The gateway, which never
// sees one, says so; when the limit is gone all lands.
func TestMosquittoPacketLimit(t *testing.T) {
	m := newMosquitto(t, "max_packet_size 330").start()
	g := newBehind(t, m).start()
	waitFor(t, "the gateway to name the limit", func() bool { return strings.Contains(g.condition("broker-packet-limit"), "max_packet_size") })
	noisy := counting + "  - {name: air, interval: 10ms, bme280: {bus: sim}}\n"
	a := newAgent(t, "dev-0", m.addr, noisy, "outbox: {flush_interval: 4s}").start()
	waitFor(t, "Mosquitto to refuse a batch", func() bool { return strings.Contains(m.text(), "Client dev-0 disconnected due to oversize") })
	if !strings.Contains(m.text(), "'hw/1/up/dev-0/hello'") || strings.Contains(m.text(), "'hw/1/up/dev-0/batch'") {
		t.Error("want hellos to pass and batches not to")
	}
	m.stop(t)
	m.configure()
	m.start()
	waitFor(t, "the condition to clear", func() bool {
		return g.condition("broker-packet-limit") == "" && g.condition("broker-unreachable") == ""
	})
	g.balance([]*agent{a})
}

// TestBrokerAndFullLog fills the disk of the gateway's log while a fleet sends through Mosquitto.
func TestBrokerAndFullLog(t *testing.T) {
	need.Root(t)
	m := newMosquitto(t).start()
	g := newBehind(t, m, "log: {share_percent: 0}") // else a device is refused, by a nack, before all are
	if err := os.MkdirAll(g.data, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("tmpfs", g.data, "tmpfs", 0, "size=256m"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { g.kill(); _ = syscall.Unmount(g.data, syscall.MNT_DETACH) })
	g.start()
	agents := fleet(t, m.addr, 3)
	more(t, agents, 100)
	g.allLand(agents)

	filler := filepath.Join(g.data, "filler")
	if err := os.WriteFile(filler, make([]byte, 248<<20), 0o644); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "the gateway to withhold", func() bool { return g.condition("broker-withheld") != "" })
	taken := func() float64 { // acknowledged, and not because it was a copy
		return metric(g.http, `headwater_broker_messages_total{outcome="acknowledged"}`) - metric(g.http, "headwater_intake_duplicates_total")
	}
	before := taken()
	more(t, agents, 200)
	if now := taken(); now != before {
		t.Errorf("%v messages were taken while the log was full", now-before)
	}
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "the condition to clear", func() bool { return g.condition("broker-withheld") == "" })
	g.allLand(agents)
	g.balance(agents)
}

// TestTwoGatewaysOnOneBroker starts a second gateway under the same client id: both say so, and what comes meanwhile is
// spread over two lakes and doubled in neither. A stored reading may be in both.
func TestTwoGatewaysOnOneBroker(t *testing.T) {
	m := newMosquitto(t).start()
	one, two := newBehind(t, m).start(), newBehind(t, m).start()
	agents := fleet(t, m.addr, 1)
	waitFor(t, "both gateways to name the other", func() bool {
		return strings.Contains(one.condition("broker-session-taken"), "another gateway") &&
			strings.Contains(two.condition("broker-session-taken"), "another gateway")
	})
	two.stop(t)
	accepted := agents[0].metric("headwater_outbox_accepted_total")
	agents[0].stop(t)
	agents[0].drain()
	waitFor(t, "all to land in one lake or the other", func() bool {
		acc := one.ledger("dev-0") // what landed in the other lake only is presumed lost here
		return acc.Accepted >= int64(accepted) && acc.Pending == 0
	})
	both := map[string]map[int]bool{}
	for _, g := range []*gateway{one, two} {
		for epoch, values := range g.epochs("dev-0") {
			if both[epoch] == nil {
				both[epoch] = map[int]bool{}
			}
			for i, v := range values {
				both[epoch][v] = true
				if i > 0 && values[i-1] == v {
					t.Errorf("reading %s/%d is twice in one lake", epoch, v)
				}
			}
		}
	}
	landed := 0
	for _, values := range both {
		landed += len(values)
		for v := range len(values) {
			if !values[v] {
				t.Errorf("reading %d is in neither lake", v)
			}
		}
	}
	if float64(landed) < accepted {
		t.Errorf("%v readings were accepted, %d landed", accepted, landed)
	}
}
