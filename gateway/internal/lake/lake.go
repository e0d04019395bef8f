package lake

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/headwater-iot/headwater/gateway/internal/table"
	"github.com/headwater-iot/headwater/shared/record"
	"github.com/headwater-iot/headwater/shared/wire"
)

// Config says where a lake is and whom it tells.
type Config struct {
	Dir        string // the lake directory; made when absent
	Logger     *slog.Logger
	Partitions int // of the log; fixed at birth

	// Now is the clock of maintenance and of nothing else; nil = time.Now.
	Now func() time.Time
	// Step is called between every two steps of a transaction, with the step's name (see Steps). An error ends the
	// attempt there, as a crash would. Tests only; nil = nothing.
	Step func(name string) error
}

// Lake is the writer of the tables. One per directory; methods that write are for one goroutine, readers for any.
type Lake struct{}

// Pin names the snapshots that cursors were loaded from.
type Pin struct{ snapshots map[string]int64 }

// Open locks the lake of cfg.Dir and opens it; a directory without a lake gets one, with all tables at once.
// It returns ErrLocked, ErrPartitions.
func Open(ctx context.Context, cfg Config) (*Lake, error) { return nil, errors.ErrUnsupported }

// ID returns the lake_id: random, drawn at birth.
func (l *Lake) ID() wire.ID { return wire.ID{} }

// Marks returns who owns the lake and how far that log has landed; false before the first takeover.
func (l *Lake) Marks(ctx context.Context) (table.Marks, bool, error) {
	return table.Marks{}, false, errors.ErrUnsupported
}

// LoadCursors returns the latest cursor of every (device, epoch) that may still change by itself: open ones, and
// ended ones with holes or presumed seqs. Others are found by Cursor.
func (l *Lake) LoadCursors(ctx context.Context) ([]table.Cursor, Pin, error) {
	return nil, Pin{}, errors.ErrUnsupported
}

// Cursor returns the latest cursor of one (device, epoch).
func (l *Lake) Cursor(ctx context.Context, device string, epoch record.Epoch) (table.Cursor, bool, error) {
	return table.Cursor{}, false, errors.ErrUnsupported
}

// LoadDevices returns the devices table.
func (l *Lake) LoadDevices(ctx context.Context) ([]table.Device, error) {
	return nil, errors.ErrUnsupported
}

// TakeOver makes marks.Log the owner, provided that no table moved since pin. It returns ErrConflict when one did.
func (l *Lake) TakeOver(ctx context.Context, pin Pin, marks table.Marks) error {
	return errors.ErrUnsupported
}

// Commit lands c whole or not at all. It returns ErrForeign, ErrStale, ErrConflict, ErrTooManyDays, or ErrUnknown;
// with any other error nothing has changed.
func (l *Lake) Commit(ctx context.Context, c *table.Commit) error { return errors.ErrUnsupported }

// ReplaceDevices makes devices the content of the devices table.
func (l *Lake) ReplaceDevices(ctx context.Context, devices []table.Device) error {
	return errors.ErrUnsupported
}

// Maintain merges manifests, lets old snapshots go, and deletes files that nothing has named for an hour.
func (l *Lake) Maintain(ctx context.Context) error { return errors.ErrUnsupported }

// Close unlocks the lake. It may be called twice.
func (l *Lake) Close() error { return nil }
