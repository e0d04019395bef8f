package consumer

import (
	"context"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"

	"github.com/headwater-iot/headwater/gateway/internal/door"
)

// echoWithin is how long a broker may take to pass a message back.
const echoWithin = 5 * time.Second

// probeTopic is heard by nobody else: devices and gateways have a topic level more.
func probeTopic(id string) string { return "hw/1/probe/" + id }

// probe finds out whether the broker carries the largest batch. One that does not either ends the connection of the
// device (Mosquitto's max_packet_size) or drops the batch and acknowledges it (its message_size_limit), and neither the
// device nor we would ever be told: its readings would stay where they are.
func (c *Consumer) probe(ctx context.Context) {
	for {
		switch {
		case c.echoes(ctx, door.MaxPacket-2-len(probeTopic(c.cfg.ClientID))-2): // lengths of topic and id, less than it may be
			c.cfg.Health.Clear(c.conds.small)
			c.count.probes("fits").Inc()
			return
		case !c.echoes(ctx, 1) || ctx.Err() != nil:
			c.count.probes("unknown").Inc()
			c.cfg.Logger.Debug("the broker was not asked for its packet limit: it passes nothing back", "topic", probeTopic(c.cfg.ClientID))
			return
		}
		c.count.probes("refused").Inc()
		c.cfg.Health.Raise(c.conds.small, c.broker.Host+
			": a device whose batch is larger keeps it, and all behind it; let it take 262144 bytes (Mosquitto: max_packet_size and message_size_limit)")
		select {
		case <-time.After(c.pace.probe):
		case <-ctx.Done():
			return
		}
	}
}

// echoes reports whether the broker passes a message of some size back to who sent it, on a connection of its own.
func (c *Consumer) echoes(ctx context.Context, size int) bool {
	o, conn := c.options(ctx, c.cfg.ClientID+"-probe")
	heard := make(chan struct{}, 1) // one message is waited for
	o.SetCleanSession(true).SetDefaultPublishHandler(func(_ mqtt.Client, m mqtt.Message) {
		if len(m.Payload()) == size {
			select {
			case heard <- struct{}{}:
			default:
			}
		}
	})
	client, _, err := connect(ctx, o, conn)
	if err != nil {
		return false
	}
	defer func() {
		client.Disconnect(uint(partWithin / time.Millisecond))
		_ = conn.Load().Close()
	}()
	if err := await(ctx, client.Subscribe(probeTopic(c.cfg.ClientID), 1, nil)); err != nil {
		return false
	}
	client.Publish(probeTopic(c.cfg.ClientID), 1, false, make([]byte, size))
	select {
	case <-heard:
		return true
	case <-conn.Load().gone:
	case <-time.After(echoWithin):
	case <-ctx.Done():
	}
	return false
}
