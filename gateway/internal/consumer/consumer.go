package consumer

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/url"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/headwater-iot/headwater/gateway/internal/door"
	"github.com/headwater-iot/headwater/shared/health"
	"github.com/headwater-iot/headwater/shared/meter"
)

// outboxDepth is how many acks and nacks may wait for the broker: one for each of a large site's devices at once.
const outboxDepth = 4096

// errDown is the answer to who publishes while there is no broker.
var errDown = errors.New("no connection to the broker")

// Config is what a Consumer needs.
type Config struct {
	Broker       string // tcp://HOST:PORT
	ClientID     string // names the session that the broker keeps for us
	Username     string // "" = none
	PasswordFile string // "" = none

	Logger *slog.Logger
	Meter  *meter.Registry
	Health *health.Board
}

// Consumer is the client of an external broker.
type Consumer struct {
	cfg      Config
	broker   *url.URL
	password string
	pace     pace
	count    counters
	conds    conditions
	out      chan outgoing // waits for the broker while there is a connection
	waiting  atomic.Int64  // messages withheld

	mu     sync.Mutex
	up     bool                // there is a connection
	missed map[string]struct{} // clients that did not get what was published to them
}

// outgoing is a message to a client.
type outgoing struct {
	client, topic string
	payload       []byte
	retained      bool
}

// pace is every time that is waited for; tests shorten it.
type pace struct {
	retryMin, retryMax time.Duration // longest wait before the first reconnect, and before any
	again              time.Duration // longest wait before a withheld message is tried again
	healthy            time.Duration // a connection that lived so long was a good one
	tell               time.Duration // between looks for clients that missed something
	probe              time.Duration // until a broker that refuses large packets is asked again
}

func defaultPace() pace {
	return pace{
		retryMin: time.Second, retryMax: 30 * time.Second, again: 5 * time.Second,
		healthy: time.Minute, tell: time.Second, probe: 10 * time.Minute,
	}
}

// Open reads what the configuration points to. It does not connect: a gateway starts whether its broker is there or not.
func Open(cfg Config) (*Consumer, error) {
	broker, err := url.Parse(cfg.Broker)
	if err != nil {
		return nil, fmt.Errorf("broker: %w", err)
	}
	c := &Consumer{
		cfg: cfg, broker: broker, pace: defaultPace(), count: newCounters(cfg.Meter), conds: newConditions(),
		out: make(chan outgoing, outboxDepth), missed: map[string]struct{}{},
	}
	if cfg.PasswordFile != "" {
		text, err := os.ReadFile(cfg.PasswordFile)
		if err != nil {
			return nil, fmt.Errorf("read the broker's password: %w", err)
		}
		c.password = strings.TrimRight(string(text), "\r\n")
	}
	if host := broker.Hostname(); host != "localhost" && !net.ParseIP(host).IsLoopback() {
		cfg.Health.Raise(c.conds.open, broker.String())
	}
	return c, nil
}

// Addr returns where devices connect to.
func (c *Consumer) Addr() string { return c.broker.Host }

// Close does nothing: what Run opened it has closed.
func (c *Consumer) Close() error { return nil }

// Publish sends to a client through the broker, with QoS 0: an ack that gets lost is said again by the next. It does not
// wait. Whom it does not reach the Handler hears of by Missed, once there is a connection.
func (c *Consumer) Publish(client, topic string, payload []byte, retained bool) error {
	c.mu.Lock()
	up := c.up
	c.mu.Unlock()
	err := errDown
	if up {
		select {
		case c.out <- outgoing{client, topic, payload, retained}:
			return nil
		default:
			err = errors.New("the broker is too slow for what waits for it")
		}
	}
	c.unsent(client)
	return fmt.Errorf("publish on %s: %w", topic, err)
}

// unsent notes that a client was not reached.
func (c *Consumer) unsent(client string) {
	c.count.unsent.Inc()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.missed[client] = struct{}{}
}

// tellMissed hands the clients that were not reached to the Handler.
func (c *Consumer) tellMissed(h door.Handler) {
	c.mu.Lock()
	missed := c.missed
	c.missed = map[string]struct{}{}
	c.mu.Unlock()
	for client := range missed {
		h.Missed(client)
	}
}

// Run connects, and connects again, until ctx ends. It returns nil: no state of the broker is an error of the gateway.
func (c *Consumer) Run(ctx context.Context, h door.Handler) error {
	wait := c.pace.retryMin
	for {
		if c.connect(ctx, h) {
			wait = c.pace.retryMin
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(rand.N(wait)): // all of it is jitter: two that took each other's session part ways
		}
		wait = min(2*wait, c.pace.retryMax)
	}
}

// connect runs one connection to its end and reports whether it was a good one.
func (c *Consumer) connect(ctx context.Context, h door.Handler) (healthy bool) {
	l, err := c.dial(ctx)
	if err != nil {
		if ctx.Err() == nil {
			c.count.failures.Inc()
			c.unreachable(err)
		}
		return false
	}
	c.count.connects.Inc()
	c.cfg.Logger.Info("connected to broker", "broker", c.broker, "client_id", c.cfg.ClientID, "session_kept", l.kept)

	c.setUp(true)
	start := time.Now()
	err = c.serve(ctx, h, l)
	c.setUp(false)
	l.close()
	c.discard()

	lasted := time.Since(start)
	c.ended(err, lasted)
	return lasted >= c.pace.healthy
}

func (c *Consumer) setUp(up bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.up = up
	c.count.connected.Set(0)
	if up {
		c.count.connected.Set(1)
	}
}

// discard notes what was waiting for a connection that has ended.
func (c *Consumer) discard() {
	for {
		select {
		case m := <-c.out:
			c.unsent(m.client)
		default:
			return
		}
	}
}
