package outbox

import (
	"log/slog"
	"time"

	"github.com/headwater-iot/headwater/shared/health"
	"github.com/headwater-iot/headwater/shared/meter"
	"github.com/headwater-iot/headwater/shared/record"
	"github.com/headwater-iot/headwater/shared/wire"
)

// Policy says what gives way when the flash share is full.
type Policy string

// DropOldest replaces the oldest readings by a sealed gap.
const DropOldest Policy = "drop_oldest"

// Clock is the time base of the device. Outbox calls it from many goroutines.
type Clock interface {
	// Monotonic returns us since boot.
	Monotonic() int64
	// Anchor returns the best anchor of this boot at this moment.
	Anchor() wire.Anchor
}

// Config is what an outbox needs to know; zero values mean the defaults.
type Config struct {
	Device  string
	Boot    record.Boot
	Dir     string // data directory, on flash
	RingDir string // on tmpfs; "" = heap ring

	FlushInterval time.Duration // a reading is on flash or stored by its end; default 10 s
	RingBytes     int           // default 2 MiB
	MaxRows       int           // rows of one seal; default 1000
	Quota         int64         // bytes on flash; default 64 MiB
	Reserve       int64         // free bytes left to others; default 16 MiB
	Policy        Policy        // default DropOldest
	Rate          float64       // readings per second by the schedule: bounds what a power cut can take
	OriginalTimes bool          // a source with its own times runs: no promises are made

	Clock  Clock
	Log    *slog.Logger
	Meter  *meter.Registry
	Health *health.Board
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
