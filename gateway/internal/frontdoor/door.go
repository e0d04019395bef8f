package frontdoor

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	mqtt "github.com/mochi-mqtt/server/v2"

	"github.com/headwater-iot/headwater/gateway/internal/door"
	"github.com/headwater-iot/headwater/shared/health"
	"github.com/headwater-iot/headwater/shared/meter"
	"github.com/headwater-iot/headwater/shared/topic"
)

// Limits of the broker.
const (
	// DefaultConnections bounds memory: some 36 KB each while idle.
	DefaultConnections = 10_000
	// DefaultPerAddress leaves room for a site behind one address. Loopback has no such limit.
	DefaultPerAddress = 1_000
	// DefaultConnectWithin is enough for the worst mobile link.
	DefaultConnectWithin = 10 * time.Second

	writesPending = 64              // packets that wait for one client
	inflight      = 64              // publishes of one client that are not answered yet
	maxKeepalive  = 10 * 60         // s; a client that asks for more, or for none, gets this
	longLived     = 365 * 24 * 3600 // s between $SYS messages, which nobody may hear
	staleAfter    = 60              // s until a session that failed while it began is swept
)

// Config is what a Door needs. Zero limits are the defaults.
type Config struct {
	Listen      string // HOST:PORT
	OtherPort   bool   // nobody asked for this port: if it is busy, take a free one
	InsecureLAN bool   // listen on other addresses than loopback, without TLS

	Connections, PerAddress int
	ConnectWithin           time.Duration

	large     int           // large packets in memory; 0 = maxLarge
	slowAfter time.Duration // 0 = slowAfter

	Logger *slog.Logger
	Meter  *meter.Registry
	Health *health.Board
}

// Door is a bound front door.
type Door struct {
	cfg    Config
	count  counters
	gate   *gate
	server *mqtt.Server
}

// Open binds the address. Connections wait in the kernel until Run.
func Open(cfg Config) (*Door, error) {
	if cfg.Connections == 0 {
		cfg.Connections = DefaultConnections
	}
	if cfg.PerAddress == 0 {
		cfg.PerAddress = DefaultPerAddress
	}
	if cfg.ConnectWithin == 0 {
		cfg.ConnectWithin = DefaultConnectWithin
	}
	if cfg.large == 0 {
		cfg.large = maxLarge
	}
	if cfg.slowAfter == 0 {
		cfg.slowAfter = slowAfter
	}
	if n := allowed(cfg.Connections); n < cfg.Connections {
		cfg.Logger.Warn("the limit of open files allows fewer connections than configured; raise it (LimitNOFILE in systemd)",
			"connections", n, "wanted", cfg.Connections)
		cfg.Connections = n
	}
	l, err := listen(&cfg)
	if err != nil {
		return nil, err
	}
	d := &Door{cfg: cfg, count: newCounters(cfg.Meter)}
	d.gate = newGate(l, &d.cfg, &d.count)
	d.server = mqtt.New(&mqtt.Options{
		Capabilities:           capabilities(cfg.Connections),
		InlineClient:           true,
		SysTopicResendInterval: longLived,
		Logger:                 slog.New(slog.DiscardHandler), // it logs payloads; what matters is counted in the hook
	})
	cfg.Meter.GaugeFunc("headwater_frontdoor_connections", "Open connections.", d.gate.connections)
	cfg.Meter.GaugeFunc("headwater_frontdoor_sessions", "Connections that have said who they are.", d.gate.sessions)
	return d, nil
}

func capabilities(connections int) *mqtt.Capabilities {
	c := mqtt.NewDefaultServerCapabilities()
	c.MaximumPacketSize = door.MaxPacket
	c.MinimumProtocolVersion = version311
	c.MaximumQos = 1
	c.MaximumClients = 2 * int64(connections) // the gate keeps the limit; those that it has just ended are still known here
	c.MaximumClientWritesPending = writesPending
	c.MaximumInflight = inflight
	c.MaximumMessageExpiryInterval = 0 // else retained acks are dropped after a day
	c.MaximumSessionExpiryInterval = staleAfter
	c.SharedSubAvailable = 0
	c.TopicAliasMaximum = 0
	return c
}

// Addr returns the address that is listened on.
func (d *Door) Addr() string { return d.gate.listener.Addr().String() }

// Run lets clients in until ctx ends. Publishes that are being handled are finished and answered.
func (d *Door) Run(ctx context.Context, handler door.Handler) error {
	h := &hook{
		door: d, missed: handler.Missed,
		// A message that is half way into the log is worth its answer.
		take: func(client string, what topic.What, payload []byte) error {
			return door.Deliver(context.WithoutCancel(ctx), handler, client, what, payload)
		},
	}
	if err := d.server.AddHook(h, nil); err != nil {
		return fmt.Errorf("front door: %w", err)
	}
	if err := d.server.AddListener(d.gate); err != nil {
		return fmt.Errorf("front door: %w", err)
	}
	if err := d.server.Serve(); err != nil {
		return fmt.Errorf("front door: %w", err)
	}
	<-ctx.Done()
	if err := d.server.Close(); err != nil {
		return fmt.Errorf("close front door: %w", err)
	}
	return nil
}

// Close gives the address back if Run was never called. After Run it does nothing.
func (d *Door) Close() error {
	d.gate.Close(nil)
	return nil
}

// Publish sends to a client, and retains the message if asked to; an empty retained message takes the last one back.
// It does not wait for the client. QoS 0, because sessions are clean: a confirmation would bring nothing back, and the
// broker drops, without a word, what comes after 64 that were not confirmed.
func (d *Door) Publish(_, topic string, payload []byte, retained bool) error {
	if err := d.server.Publish(topic, payload, retained, 0); err != nil {
		return fmt.Errorf("publish on %s: %w", topic, err)
	}
	return nil
}
