package outbox

import (
	"context"
	"errors"

	"github.com/headwater-iot/headwater/shared/record"
	"github.com/headwater-iot/headwater/shared/wire"
)

// Outbox keeps accepted readings until they have landed.
type Outbox struct{}

// Open recovers what is in cfg.Dir and cfg.RingDir and starts a new epoch.
func Open(cfg Config) (*Outbox, error) { return nil, errors.ErrUnsupported }

// Append accepts a row: when it returns nil the row survives the death of the process.
func (o *Outbox) Append(row record.Row) error { return errors.ErrUnsupported }

// Run seals and flushes by the clock until ctx ends.
func (o *Outbox) Run(ctx context.Context) error { return errors.ErrUnsupported }

// Seal seals the rows that wait, without looking at the clock.
func (o *Outbox) Seal() error { return errors.ErrUnsupported }

// Close seals everything and the end of the epoch, writes all that has not landed to flash, and lets go.
func (o *Outbox) Close() error { return errors.ErrUnsupported }

// Epoch returns the current epoch.
func (o *Outbox) Epoch() record.Epoch { return 0 }

// Wake receives when there may be something new to send.
func (o *Outbox) Wake() <-chan struct{} { return nil }

// Next returns the oldest batch of a lane that is not stored and not skipped.
func (o *Outbox) Next(lane Lane, skip func(Ref) bool) (Batch, bool) { return Batch{}, false }

// Apply takes an ack of the gateway that is trusted: what has landed is forgotten. After an error
// nothing was forgotten that has to be kept, and the next ack tries again.
func (o *Outbox) Apply(a *wire.Ack) error { return errors.ErrUnsupported }

// Verify reads a batch that arrived damaged at the gateway and reports whether our copy is good; a
// bad one has become a gap when it returns.
func (o *Outbox) Verify(r Ref) (good bool) { return false }

// Report returns what the next hello says.
func (o *Outbox) Report() Report { return Report{} }
