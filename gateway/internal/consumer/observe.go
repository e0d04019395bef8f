package consumer

import (
	"fmt"
	"time"

	"github.com/headwater-iot/headwater/shared/health"
	"github.com/headwater-iot/headwater/shared/meter"
)

// takenAfter is how many connections in a row the broker ends young before we say why that may be.
const takenAfter = 3

// counters: received = acknowledged + refused + retained + abandoned + those that wait.
type counters struct {
	connects, failures, disconnects                   *meter.Counter
	received, acknowledged, refused, abandoned        *meter.Counter
	retained                                          *meter.Counter
	redelivered, withheld, cropped, published, unsent *meter.Counter
	connected                                         *meter.Gauge
	probes                                            func(result string) *meter.Counter
}

func newCounters(m *meter.Registry) counters {
	outcome := func(o string) *meter.Counter {
		return m.Counter("headwater_broker_messages_total", "Messages of the external broker by what became of them.", "outcome", o)
	}
	return counters{
		connected:    m.Gauge("headwater_broker_connected", "1 while connected to the external broker."),
		connects:     m.Counter("headwater_broker_connects_total", "Connections to the external broker that were made."),
		failures:     m.Counter("headwater_broker_connect_failures_total", "Connections to the external broker that were not made."),
		disconnects:  m.Counter("headwater_broker_disconnects_total", "Connections to the external broker that were lost."),
		received:     m.Counter("headwater_broker_received_total", "Messages taken from the external broker."),
		acknowledged: outcome("acknowledged"),
		refused:      outcome("topic"),     // of no device
		retained:     outcome("retained"),  // a copy of what was heard when it was published
		abandoned:    outcome("abandoned"), // the connection ended first; the broker sends it again
		redelivered:  m.Counter("headwater_broker_redelivered_total", "Messages that the external broker says it has sent before."),
		withheld:     m.Counter("headwater_broker_withheld_total", "Times that a message was not taken by the log and waits for another try."),
		cropped:      m.Counter("headwater_broker_cropped_total", "Messages longer than any of a device, cut short and refused."),
		published:    m.Counter("headwater_broker_published_total", "Acks and nacks handed to the external broker."),
		probes: func(result string) *meter.Counter {
			return m.Counter("headwater_broker_probes_total", "Times that the external broker was asked whether it carries the largest batch.", "result", result)
		},
		unsent: m.Counter("headwater_broker_unsent_total", "Acks and nacks that were not, because it was away or too slow."),
	}
}

// conditions are what an operator sees, and what it takes to know.
type conditions struct {
	unreachable, taken, withheld, open, small *health.Condition

	down  bool // the last connection was not made
	young int  // connections in a row that the broker ended young
}

func newConditions() conditions {
	return conditions{
		unreachable: &health.Condition{
			Code: "broker-unreachable", Severity: health.Error, Hold: 10 * time.Second, // it may be restarting
			Title: "The MQTT broker does not let the gateway in; devices keep their readings",
		},
		taken: &health.Condition{
			Code: "broker-session-taken", Severity: health.Error,
			Title: "The MQTT broker ends every connection after a short time",
		},
		withheld: &health.Condition{
			Code: "broker-withheld", Severity: health.Error,
			Title: "The log does not take what the MQTT broker brings; devices keep their readings",
		},
		open: &health.Condition{
			Code: "insecure-lan", Severity: health.Warning,
			Title: "The MQTT broker is reached over a network without TLS",
		},
		small: &health.Condition{
			Code: "broker-packet-limit", Severity: health.Error,
			Title: "The MQTT broker refuses packets as large as a batch may be",
		},
	}
}

// unreachable says that a connection was not made.
func (c *Consumer) unreachable(err error) {
	c.cfg.Health.Raise(c.conds.unreachable, fmt.Sprintf(
		"%s: %v; start the broker, or correct mqtt.broker, mqtt.username or mqtt.password_file; it is tried again", c.broker.Host, err))
	if !c.conds.down {
		c.cfg.Logger.Warn("broker not reached; it is tried again", "broker", c.broker, "error", err)
	}
	c.conds.down, c.conds.young = true, 0
}

// reached says that the broker brings us what devices publish.
func (c *Consumer) reached() {
	c.conds.down = false
	c.cfg.Health.Clear(c.conds.unreachable)
}

// ended says how a connection ended. Two gateways with one client id take the session from each other for ever: the
// broker lets each in, and ends it as soon as the other comes back.
func (c *Consumer) ended(err error, lasted time.Duration) {
	if err == nil || c.conds.down {
		return
	}
	c.count.disconnects.Inc()
	c.cfg.Logger.Info("connection to broker lost; it is tried again", "broker", c.broker, "error", err, "after", lasted.Round(time.Millisecond))
	if lasted >= c.pace.healthy {
		c.conds.young = 0
		return
	}
	if c.conds.young++; c.conds.young >= takenAfter {
		c.cfg.Health.Raise(c.conds.taken, fmt.Sprintf(
			"%d times in a row, the last after %s: is another gateway connected as %q? One broker serves one gateway; stop the other",
			c.conds.young, lasted.Round(time.Millisecond), c.cfg.ClientID))
	}
}

// proved says that a connection has lasted.
func (c *Consumer) proved() {
	c.cfg.Health.Clear(c.conds.taken)
}

// withhold says that a message was not taken, again if it was held before.
func (c *Consumer) withhold(err error, held bool) {
	c.count.withheld.Inc()
	if !held {
		c.waiting.Add(1)
	}
	c.cfg.Health.Raise(c.conds.withheld, err.Error())
}

// release says that a withheld message waits no more.
func (c *Consumer) release() {
	if c.waiting.Add(-1) == 0 {
		c.cfg.Health.Clear(c.conds.withheld)
	}
}
