package uplink

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/url"
	"time"

	"github.com/headwater-iot/headwater/shared/health"
	"github.com/headwater-iot/headwater/shared/meter"
	"github.com/headwater-iot/headwater/shared/record"
	"github.com/headwater-iot/headwater/shared/service"
	"github.com/headwater-iot/headwater/shared/topic"
	"github.com/headwater-iot/headwater/shared/wire"
)

// Lane says how urgent a batch is.
type Lane uint8

// The lanes. Live goes first and needs no credit.
const (
	Live Lane = iota
	Backlog
)

// String returns the word of the metrics.
func (l Lane) String() string {
	if l == Live {
		return "live"
	}
	return "backlog"
}

// Batch is a sealed batch that the gateway has not stored yet.
type Batch struct {
	Ref
	Anchor wire.Anchor // the best known of its boot
	Sealed []byte      // valid until the next call of the Queue
}

// Report is what a hello says of the outbox.
type Report struct {
	Epochs  []wire.HelloEpoch
	Anchors []wire.BootAnchor // of every boot something is held of, and of this one
	Bytes   uint64            // held, not landed
	Batches uint64
}

// Queue is the outbox. Run calls it from one goroutine.
type Queue interface {
	// Next returns the oldest batch of a lane that is not stored and not skipped.
	Next(lane Lane, skip func(Ref) bool) (Batch, bool)
	// Apply takes an ack of the gateway that we trust: what it has may be forgotten. After an
	// error nothing was forgotten and the next ack, which says no less, tries again.
	Apply(a *wire.Ack) error
	// Verify reads a batch that arrived damaged at the gateway. It reports whether our copy is
	// good; a bad one has become a gap `damaged` when Verify returns.
	Verify(r Ref) (good bool)
}

// Teller says what the next hello says of the outbox.
type Teller interface {
	Report() Report
}

// Clock is the time base of the device: what an anchor is learned with.
type Clock interface {
	// Monotonic returns us since boot.
	Monotonic() int64
	// Learn takes the gateway's wall clock (us) as of some instant between two monotonic times.
	Learn(gatewayWall, sent, received int64)
}

// Config is what an uplink needs to know. All of it is fixed for the life of the uplink.
type Config struct {
	Broker   string // tcp://host:port
	Device   string
	Client   string // MQTT client id; "" = Device
	Version  string // of the agent, for the hello
	Boot     record.Boot
	Site     string
	Owner    string
	Tags     map[string]string
	Schedule map[string]uint64 // series -> interval in ms
	RetryMax time.Duration     // longest wait between two tries to connect; 0 = two minutes, which a fleet needs

	Queue  Queue
	Teller Teller
	Clock  Clock
	Wake   <-chan struct{} // a batch was sealed; nil = look once a second only

	Log    *slog.Logger
	Meter  *meter.Registry
	Health *health.Board
	Pulse  *service.Pulse // of Run
}

const keepAlive = 30 * time.Second

// pace is every time the uplink waits for; tests shorten it.
type pace struct {
	hello      time.Duration // between hellos (protocol.md)
	helloRetry time.Duration // until an unanswered hello is sent again, doubling up to hello
	silence    time.Duration // without an ack while one is due: the connection is dead
	look       time.Duration // between looks at the queue when nothing wakes us
	resendMin  time.Duration // until a batch that is not stored goes again, doubling
	resendMax  time.Duration
	retryMin   time.Duration // longest wait before the first reconnect or the first try after a nack
	retryMax   time.Duration
	refused    time.Duration // a batch refused for what it is waits this long
	healthy    time.Duration // a connection that lived so long resets the backoff
	drain      time.Duration // for what is left when Run is to end
}

func defaultPace() pace {
	return pace{
		hello: 60 * time.Second, helloRetry: 10 * time.Second, silence: 3 * keepAlive, look: time.Second,
		resendMin: 30 * time.Second, resendMax: 5 * time.Minute,
		retryMin: time.Second, retryMax: 2 * time.Minute, refused: 5 * time.Minute,
		healthy: time.Minute, drain: 2 * time.Second,
	}
}

// Uplink is the device's side of the protocol. Make one with New.
type Uplink struct {
	cfg    Config
	broker string // without its password
	pace   pace
	dial   dialer
	rand   func() float64
	nonce  func() uint64
	log    *slog.Logger
	meters *meters
	conds  *conditions

	unsure map[Ref]bool // sent on an earlier connection, fate unknown; at most a window
}

// New checks cfg and returns an uplink.
func New(cfg Config) (*Uplink, error) {
	broker, err := parseURL(cfg.Broker)
	if err != nil {
		return nil, fmt.Errorf("uplink: %w", err)
	}
	cfg.Client = cmp.Or(cfg.Client, cfg.Device)
	if device, err := record.DeviceOf(cfg.Client); err != nil || device != cfg.Device {
		return nil, fmt.Errorf("uplink: client %q does not speak for device %q", cfg.Client, cfg.Device)
	}
	u := &Uplink{
		cfg: cfg, broker: broker.Redacted(), pace: defaultPace(), rand: rand.Float64, nonce: func() uint64 { return rand.Uint64() | 1 }, // never that of a client that has said nothing

		log: cfg.Log.With("system", "uplink"), meters: newMeters(cfg.Meter), conds: newConditions(cfg.Health),
	}
	u.pace.retryMax = cmp.Or(cfg.RetryMax, u.pace.retryMax)
	u.dial = pahoDialer(withoutPath(broker), cfg.Client, func() { u.meters.overrun.Inc() })
	return u, nil
}

// withoutPath keeps what a broker needs, so that nothing else of the URL is logged.
func withoutPath(u *url.URL) *url.URL {
	return &url.URL{Scheme: u.Scheme, User: u.User, Host: u.Host}
}

// Run connects, and connects again, until ctx ends; then it has pace.drain to send what is left.
// It returns nil: no state of the network is an error of the agent.
func (u *Uplink) Run(ctx context.Context) error {
	defer u.cfg.Pulse.Rest()
	for try := 0; ; try++ {
		u.cfg.Pulse.Due(0)
		if u.connect(ctx) {
			try = 0
		}
		wait := jitter(backoff(try, u.pace.retryMin, u.pace.retryMax), u.rand())
		u.cfg.Pulse.Due(wait)
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(wait):
		}
	}
}

// connect runs one connection to its end and reports whether it was healthy.
func (u *Uplink) connect(ctx context.Context) (healthy bool) {
	l, err := u.dial(ctx, topic.DownAll(u.cfg.Client))
	if err != nil {
		if ctx.Err() != nil {
			return false
		}
		u.meters.failures.Inc()
		if u.conds.unreachable(err.Error()) {
			u.log.Warn("broker not reached; readings are kept and it is tried again", "broker", u.broker, "error", err)
		}
		return false
	}
	defer l.close()
	u.meters.connects.Inc()
	u.conds.reachable()
	u.log.Info("connected to broker", "broker", u.broker, "client", u.cfg.Client)

	hard, cancel := outlive(ctx, u.pace.drain)
	defer cancel()
	s := newSession(u, l)
	start := time.Now()
	u.meters.connected.Set(1)
	err = s.run(ctx, hard)
	u.meters.connected.Set(0)
	u.unsure = s.unsettled()
	reason := reasonOf(err)
	u.meters.disconnects(reason).Inc()
	if lasted := time.Since(start).Round(time.Second); err != nil {
		u.log.Info("disconnected from broker; it is tried again", "reason", reason, "error", err, "after", lasted)
	} else {
		u.log.Info("disconnected from broker", "reason", reason, "after", lasted)
	}
	return s.greeted && time.Since(start) >= u.pace.healthy
}

// outlive returns a context that ends a while after ctx: the time to send what is left.
func outlive(ctx context.Context, while time.Duration) (context.Context, context.CancelFunc) {
	hard, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() {
		select {
		case <-time.After(while):
		case <-hard.Done():
		}
		cancel()
	})
	return hard, func() { stop(); cancel() }
}

// Why a connection ended, besides errLost.
var (
	errSilent  = errors.New("no ack of the gateway")
	errPublish = errors.New("publish")
	errCRC     = errors.New("a batch was damaged on the way")
)

// reasonOf returns the metric label of the end of a connection.
func reasonOf(err error) string {
	for _, r := range []struct {
		err    error
		reason string
	}{{nil, "stop"}, {errHostile, "hostile"}, {errLost, "lost"}, {errSilent, "silent"}, {errPublish, "publish"}, {errCRC, "crc"}} {
		if errors.Is(err, r.err) {
			return r.reason
		}
	}
	return "other"
}
