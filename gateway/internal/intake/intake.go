package intake

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/headwater-iot/headwater/gateway/internal/table"
	"github.com/headwater-iot/headwater/shared/health"
	"github.com/headwater-iot/headwater/shared/meter"
	"github.com/headwater-iot/headwater/shared/service"
	"github.com/headwater-iot/headwater/shared/wire"
)

// The kinds of log record that intake writes (FORMAT.md, section 5).
const (
	KindBatch uint8 = 1
	KindHello uint8 = 3
)

const (
	// ackEvery is how long what there is to say to a client is gathered: a window of batches gets one answer.
	ackEvery = 20 * time.Millisecond
	// missedEvery is how soon a client that was too slow for an ack gets another: not so soon that it costs much.
	missedEvery = time.Second / 2
	// idleAfter is when a client is forgotten: it says hello every minute while it is there.
	idleAfter  = 10 * time.Minute
	sweepEvery = time.Minute
	// epochsEvery is for how long a new epoch counts: one that nobody can end must not count for ever.
	epochsEvery = 24 * time.Hour
)

// ErrWithhold means that a message is neither in the log nor refused: it must not be acknowledged to the broker, and
// its sender has to come again.
var ErrWithhold = errors.New("message withheld: the log does not take it now")

// ErrShare is what a Log returns for a device that has as much in it as it may before some of it lands.
var ErrShare = errors.New("the share of the device in the log is full")

// Log is where messages go. It is called from the goroutines that call Batch and Hello.
type Log interface {
	// Append returns nil once the record is fsynced. It returns ErrShare if only this device has to wait; any other
	// error means that the log is full or failing.
	Append(ctx context.Context, kind uint8, partition int, client string, payload []byte) error
	// Backlog returns the bytes that have not landed, for the credit; at the reserve of a disk, more than there can be.
	Backlog() int64
}

// Publisher sends to a client. It is called for one client from one goroutine at a time and must not block: what a
// slow client has no room for is dropped, told by Missed, and said again by the next ack. The payload is the publisher's to keep.
type Publisher interface {
	Publish(client, topic string, payload []byte, retained bool) error
}

// Config is what an Intake needs.
type Config struct {
	Log        Log
	Lake       wire.ID
	LogID      wire.ID
	Start      uint64 // start counter of the log
	Partitions int
	Publisher  Publisher
	Now        func() int64 // us wall; nil = the clock

	CreditRate    int64 // bytes/s for all backlog lanes together; 0 = DefaultCreditRate
	CreditBacklog int64 // unlanded bytes at which credit is down to the floor; 0 = DefaultCreditBacklog

	Logger *slog.Logger
	Meter  *meter.Registry
	Health *health.Board
	Pulse  *service.Pulse // of Run
}

// Intake takes what devices send. All methods may be called from any goroutine.
type Intake struct {
	cfg   Config
	count counters
	wake  chan struct{} // capacity 1: there is a client in due

	mu      sync.Mutex
	loaded  bool // the cursors are known
	open    bool // the log has been replayed
	number  uint64
	epochs  map[table.Key]*epoch
	born    map[string]int // how many epochs a batch has begun lately that have not ended, by device
	clients map[string]*client
	due     map[*client]struct{} // clients that get an ack at the next turn
	missed  map[*client]struct{} // clients that were too slow for their last one
}

// New returns an intake that withholds everything until it has heard Loaded and Open.
func New(cfg Config) *Intake {
	if cfg.Now == nil {
		cfg.Now = func() int64 { return time.Now().UnixMicro() }
	}
	if cfg.CreditRate == 0 {
		cfg.CreditRate = DefaultCreditRate
	}
	if cfg.CreditBacklog == 0 {
		cfg.CreditBacklog = DefaultCreditBacklog
	}
	in := &Intake{
		cfg: cfg, count: newCounters(cfg.Meter), wake: make(chan struct{}, 1),
		epochs: map[table.Key]*epoch{}, born: map[string]int{}, clients: map[string]*client{}, due: map[*client]struct{}{}, missed: map[*client]struct{}{},
	}
	cfg.Meter.GaugeFunc("headwater_intake_clients", "Clients heard of lately.", func() float64 {
		in.mu.Lock()
		defer in.mu.Unlock()
		return float64(len(in.clients))
	})
	cfg.Meter.GaugeFunc("headwater_intake_epochs", "Epochs in memory.", func() float64 {
		in.mu.Lock()
		defer in.mu.Unlock()
		return float64(len(in.epochs))
	})
	return in
}

// Open says that every record that was in the log before this start has been given to Replay. Messages are taken
// once the cursors are loaded too.
func (in *Intake) Open() {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.open = true
}

// ready reports whether acks would be right; in.mu is held.
func (in *Intake) ready() bool { return in.loaded && in.open }

// Run sends acks until ctx ends.
func (in *Intake) Run(ctx context.Context) error {
	sweep := time.NewTicker(sweepEvery)
	defer sweep.Stop()
	forgive := time.NewTicker(epochsEvery)
	defer forgive.Stop()
	again := time.NewTicker(missedEvery)
	defer again.Stop()
	turn := time.NewTimer(ackEvery)
	turn.Stop()
	defer turn.Stop()
	pending := false // the turn is not put off by what comes meanwhile
	defer in.cfg.Pulse.Rest()
	for {
		in.cfg.Pulse.Due(missedEvery) // each turn takes the lock, so it shows that intake goes on
		select {
		case <-in.wake:
			if !pending {
				pending = true
				turn.Reset(ackEvery)
			}
		case <-turn.C:
			pending = false
			in.answerAll()
		case <-again.C:
			in.oweMissed()
		case <-sweep.C:
			in.forgetIdle()
		case <-forgive.C:
			in.forgetBirths()
		case <-ctx.Done():
			return nil
		}
	}
}

// owe notes that a client is to get an ack; in.mu is held.
func (in *Intake) owe(c *client) {
	if len(in.due) == 0 {
		select {
		case in.wake <- struct{}{}:
		default: // the turn that comes will see it
		}
	}
	in.due[c] = struct{}{}
}
