package consumer

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"

	"github.com/headwater-iot/headwater/gateway/internal/door"
	"github.com/headwater-iot/headwater/shared/record"
	"github.com/headwater-iot/headwater/shared/topic"
)

// lanes is how many clients are served at once. Group commit makes one fsync of what they wait for.
const lanes = 64

// serve takes messages until the connection or ctx ends. Of those that were taken, all are answered that were being
// handled; the broker sends the others again.
func (c *Consumer) serve(ctx context.Context, h door.Handler, l *link) error {
	conn, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var all sync.WaitGroup
	lane := c.startLanes(conn, &all, h, l)
	defer func() {
		all.Wait()
		for i := range lane {
			c.count.abandoned.Add(uint64(len(lane[i])))
		}
	}()
	all.Go(func() {
		select {
		case <-l.conn.gone:
			cancel(l.conn.err)
		case <-conn.Done():
		}
	})
	all.Go(func() { c.send(conn, l) })
	all.Go(func() { c.watch(conn, h) })
	if err := l.subscribe(conn); err == nil {
		c.reached()
		all.Go(func() { c.probe(conn) })
	} else if conn.Err() == nil {
		c.unreachable(err)
		cancel(err)
	}
	<-conn.Done()
	if ctx.Err() != nil {
		return nil
	}
	return context.Cause(conn)
}

// message is one of a device.
type message struct {
	client string
	what   topic.What
	mqtt.Message
}

// startLanes starts what handles messages, and what deals them to lanes by client, so that those of one client stay in
// order. What is left in a lane when ctx has ended the broker sends again.
func (c *Consumer) startLanes(ctx context.Context, all *sync.WaitGroup, h door.Handler, l *link) (lane [lanes]chan message) {
	places := make(chan struct{}, window)
	for i := range lane {
		lane[i] = make(chan message, window) // all that have a place find room in any
		all.Go(func() {
			for {
				select {
				case m := <-lane[i]:
					c.take(ctx, h, m)
					<-places
				case <-ctx.Done():
					return
				}
			}
		})
	}
	all.Go(func() {
		for {
			select {
			case places <- struct{}{}:
			case <-ctx.Done():
				return
			}
			m, ok := c.next(ctx, l)
			if !ok {
				return
			}
			lane[record.Partition(m.client, lanes)] <- m
		}
	})
	return lane
}

// next returns the next message of a device, false when ctx has ended.
func (c *Consumer) next(ctx context.Context, l *link) (message, bool) {
	for {
		var m mqtt.Message
		select {
		case m = <-l.in:
		case <-ctx.Done():
			return message{}, false
		}
		c.count.received.Inc()
		if m.Duplicate() {
			c.count.redelivered.Inc()
		}
		client, what, err := topic.ParseUp(m.Topic())
		switch {
		case err != nil:
			c.cfg.Logger.Debug("message of no device dropped", "error", err)
			c.count.refused.Inc()
		case m.Retained():
			c.cfg.Logger.Debug("retained copy dropped", "topic", m.Topic())
			c.count.retained.Inc()
		default:
			return message{client, what, m}, true
		}
		m.Ack() // nobody would hear a refusal
	}
}

// take hands one message over until it is stored or refused, and acknowledges it. While the log takes nothing it waits
// here: the broker sends no more than its own window meanwhile, and keeps or drops the rest.
func (c *Consumer) take(ctx context.Context, h door.Handler, m message) {
	for held := false; ; held = true {
		// A message that is half way into the log is worth its answer.
		err := door.Deliver(context.WithoutCancel(ctx), h, m.client, m.what, m.Payload())
		if err == nil {
			c.count.acknowledged.Inc()
			m.Ack()
		} else {
			c.withhold(err, held)
			select {
			case <-time.After(rand.N(c.pace.again)):
				continue
			case <-ctx.Done():
				c.count.abandoned.Inc()
			}
		}
		if held || err != nil {
			c.release()
		}
		return
	}
}

// send passes on what is published to clients.
func (c *Consumer) send(ctx context.Context, l *link) {
	for {
		select {
		case m := <-c.out:
			token := l.client.Publish(m.topic, 0, m.retained, m.payload)
			if token.Error() != nil || ctx.Err() != nil {
				c.unsent(m.client)
				continue
			}
			c.count.published.Inc()
		case <-ctx.Done():
			return
		}
	}
}

// watch tells of clients that missed something, and when a connection has proved itself.
func (c *Consumer) watch(ctx context.Context, h door.Handler) {
	tell := time.NewTicker(c.pace.tell)
	defer tell.Stop()
	healthy := time.NewTimer(c.pace.healthy)
	defer healthy.Stop()
	c.tellMissed(h)
	for {
		select {
		case <-tell.C:
			c.tellMissed(h)
		case <-healthy.C:
			c.proved()
		case <-ctx.Done():
			return
		}
	}
}
