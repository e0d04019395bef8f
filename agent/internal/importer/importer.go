package importer

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/headwater-iot/headwater/agent/internal/seal"
	"github.com/headwater-iot/headwater/agent/internal/uplink"
	"github.com/headwater-iot/headwater/shared/health"
	"github.com/headwater-iot/headwater/shared/meter"
	"github.com/headwater-iot/headwater/shared/record"
)

// ErrStalled means that nothing has moved for too long.
var ErrStalled = errors.New("the gateway has stored and landed nothing new (is it running, and reached? the same command goes on later)")

const retryMax = 5 * time.Second // somebody waits for it, and imports are few

// Config is what sending needs.
type Config struct {
	Broker  string
	Version string
	Stall   time.Duration // without anything new: give up; 0 = never
	Tell    func(Progress)
	Log     *slog.Logger
}

// Progress is how far a file is.
type Progress struct {
	Sent   uint64 // readings sent by this run
	Stored uint64
	Landed uint64
	Before uint64 // readings that the gateway had when it was asked
	Took   time.Duration
}

// Send sends what the gateway has not got of a planned file, and returns when all of it has landed. After an error, and
// after the end of ctx, the same call goes on where this one has stopped.
func Send(ctx context.Context, p *Plan, cfg Config) (Progress, error) {
	if p.Readings == 0 {
		return Progress{}, nil
	}
	sealer, err := seal.New()
	if err != nil {
		return Progress{}, err
	}
	over, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	q := &queue{plan: p, sealer: sealer, sent: map[int]bool{}, fail: stop, done: func() { stop(errDone) }}
	board := health.NewLogged(cfg.Log)
	defer board.Close()
	u, err := uplink.New(uplink.Config{
		Broker: cfg.Broker, Device: p.Device, Client: record.ImportClient(p.Device, p.Epoch), Version: cfg.Version, Boot: p.boot(),
		RetryMax: retryMax, Queue: q, Teller: q, Clock: since{time.Now()}, Log: cfg.Log, Meter: meter.New(), Health: board,
	})
	if err != nil {
		return Progress{}, fmt.Errorf("import %s: %w", p.Path, err)
	}
	var sending sync.WaitGroup
	sending.Go(func() { _ = u.Run(over) }) // it has no error but ctx
	progress := watch(over, q, &cfg, stop)
	sending.Wait()
	if err := context.Cause(over); !errors.Is(err, errDone) {
		return progress, fmt.Errorf("import %s: %w", p.Path, err)
	}
	return progress, nil
}

// errDone ends an import whose readings have all landed.
var errDone = errors.New("landed")

// watch tells how it goes, until ctx ends.
func watch(ctx context.Context, q *queue, cfg *Config, stop func(error)) Progress {
	begun := time.Now()
	tick := time.NewTicker(time.Second / 4)
	defer tick.Stop()
	var p Progress
	for moved := begun; ; {
		was := p
		p.Sent, p.Stored, p.Landed, p.Before = q.figures()
		p.Took = time.Since(begun)
		if p.Stored != was.Stored || p.Landed != was.Landed {
			moved = time.Now()
		}
		cfg.Tell(p)
		if cfg.Stall > 0 && time.Since(moved) >= cfg.Stall {
			stop(fmt.Errorf("in %s %w", cfg.Stall, ErrStalled))
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			p.Sent, p.Stored, p.Landed, p.Before = q.figures()
			p.Took = time.Since(begun)
			return p
		}
	}
}

// since is a clock that begins with the import. Its times are absolute and need no anchor.
type since struct{ begun time.Time }

// Monotonic returns us.
func (s since) Monotonic() int64 { return time.Since(s.begun).Microseconds() }

// Learn has nothing to learn for.
func (since) Learn(int64, int64, int64) {}
