package outbox

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"time"

	"github.com/headwater-iot/headwater/agent/internal/ring"
	"github.com/headwater-iot/headwater/shared/health"
	"github.com/headwater-iot/headwater/shared/meter"
	"github.com/headwater-iot/headwater/shared/record"
	"github.com/headwater-iot/headwater/shared/service"
	"github.com/headwater-iot/headwater/shared/wire"
)

// Policy says what gives way when the flash share is full.
type Policy string

// DropOldest replaces the oldest readings by a sealed gap.
const DropOldest Policy = "drop_oldest"

var (
	// ErrClosed is returned after Close.
	ErrClosed = errors.New("outbox is closed")
	// ErrFull means that neither the ring nor flash takes another row. The row was not accepted.
	ErrFull = errors.New("outbox is full")
	// ErrConfig means a configuration that no outbox can work with.
	ErrConfig = errors.New("outbox configuration")
)

// Clock is the time base of the device. An outbox calls it from many goroutines.
type Clock interface {
	// Monotonic returns us since boot.
	Monotonic() int64
	// Anchor returns the best anchor of this boot at this moment.
	Anchor() wire.Anchor
	// Resume tells the last anchor that an earlier process of this boot gave, and the last Floor that any gave,
	// before Anchor is called.
	Resume(last wire.Anchor, floor int64)
}

// Config is what an outbox needs to know; zero values mean the defaults.
type Config struct {
	Device  string
	Boot    record.Boot
	Dir     string // data directory, on flash
	RingDir string // on tmpfs; "" = heap ring

	FlushInterval time.Duration // a reading is on flash or stored by its end
	RingBytes     int
	MaxRows       int          // of one seal
	Quota         int64        // bytes on flash
	Reserve       int64        // free bytes left to others
	Promise       func() int64 // ms since boot: no row of a driver below it comes any more
	Policy        Policy
	Rate          float64 // readings per second by the schedule: bounds what a power cut can take
	OriginalTimes bool    // a source with its own times runs: no promises are made

	Floor  func() int64 // us wall: a time that has passed, 0 = not known; nil = none is kept
	Clock  Clock
	Log    *slog.Logger
	Meter  *meter.Registry
	Health *health.Board
	Pulse  *service.Pulse // of Run

	noSync bool // the negative control of the power cut test
}

// The defaults.
const (
	DefaultFlushInterval = 10 * time.Second // what a power cut may take
	DefaultRingBytes     = 2 << 20          // hours of a slow device, and a small part of the smallest Pi
	DefaultMaxRows       = 1000             // beyond, batches do not get smaller per reading
	DefaultQuota         = 64 << 20         // weeks of a slow device
	DefaultReserve       = 16 << 20         // for the logs of others
)

// minInodes are left to others.
const minInodes = 64

func (c Config) withDefaults() (Config, error) {
	c.FlushInterval = cmp.Or(c.FlushInterval, DefaultFlushInterval)
	c.RingBytes = max(cmp.Or(c.RingBytes, DefaultRingBytes), ring.MinBytes)
	c.MaxRows = cmp.Or(c.MaxRows, DefaultMaxRows)
	c.Quota = cmp.Or(c.Quota, DefaultQuota)
	c.Reserve = cmp.Or(c.Reserve, DefaultReserve)
	c.Policy = cmp.Or(c.Policy, DropOldest)
	if c.Promise == nil && c.Clock != nil { // a slow chip on a bus that is shared takes less
		c.Promise = func() int64 { return c.Clock.Monotonic()/1000 - 2000 }
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	switch {
	case record.CheckDevice(c.Device) != nil:
		return c, fmt.Errorf("%w: device %q: %w", ErrConfig, c.Device, record.ErrDevice)
	case c.Boot == 0 || c.Clock == nil || c.Dir == "":
		return c, fmt.Errorf("%w: boot, clock and directory are needed", ErrConfig)
	case c.Policy != DropOldest:
		return c, fmt.Errorf("%w: policy %q is not built yet; use %q", ErrConfig, c.Policy, DropOldest)
	case c.FlushInterval < 0 || c.Rate < 0 || c.Quota < 0 || c.MaxRows < 0:
		return c, fmt.Errorf("%w: a negative number", ErrConfig)
	}
	return c, nil
}

// countMax bounds what a power cut can take: what the schedule yields in a flush interval and in the
// second that a slow card may need for the write.
func (c *Config) countMax() uint64 {
	return uint64(math.Ceil(c.Rate * (c.FlushInterval + time.Second).Seconds()))
}

// Lane says how urgent a batch is.
type Lane uint8

// The lanes. Live holds the fresh batches of the current epoch, Backlog all others, oldest first.
const (
	Live Lane = iota
	Backlog
)

// Ref names a batch.
type Ref struct {
	Epoch        record.Epoch
	First, Count uint64
}

// Batch is a sealed batch that the gateway has not stored yet.
type Batch struct {
	Ref
	Kind   wire.Kind
	Boot   record.Boot
	Anchor wire.Anchor // of Boot, the best known
	Sealed []byte      // valid until the next call of Next, Apply or Verify
}

// Report is what a hello says of the outbox.
type Report struct {
	Epochs  []wire.HelloEpoch
	Anchors []wire.BootAnchor // of every boot something is held of, the running one included
	Bytes   uint64
	Batches uint64
}
