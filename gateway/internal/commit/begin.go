package commit

import (
	"context"
	"fmt"

	"github.com/headwater-iot/headwater/gateway/internal/cursor"
	"github.com/headwater-iot/headwater/gateway/internal/table"
)

// begin settles who owns the lake, loads the cursors, and returns from where the log goes on.
//
// The lake of another log is taken over, at the start only: the cursors are loaded at a snapshot, and the transaction
// that writes the new log_id is pinned to exactly that one. A pin that fails means that somebody committed between;
// the cursors are loaded again.
//
// A log that has been here before, or served another lake, may no longer hold its first records. It goes on where it
// begins: cursors clip what has landed under whichever log, and what is in neither is presumed by the next hello.
func (l *Loop) begin(ctx context.Context) (table.Marks, error) {
	var last error
	for range maxTakeovers {
		marks, owned, err := l.cfg.Lake.Marks(ctx)
		if err != nil {
			return table.Marks{}, fmt.Errorf("read marks of the lake: %w", err)
		}
		ours := owned && marks.Log == l.cfg.LogID
		if ours && len(marks.Next) != l.cfg.Partitions {
			return table.Marks{}, fmt.Errorf("%w: the lake has marks of %d and the log has %d; "+
				"the number is fixed at birth, so set the log's to that of the lake", ErrPartitions, len(marks.Next), l.cfg.Partitions)
		}
		if !ours && l.reigned {
			err := fmt.Errorf("%w: the owner is log %s", ErrForeign, marks.Log)
			l.alarms.usurped(err)
			return table.Marks{}, err
		}
		cursors, takeOver, err := l.cfg.Lake.Load(ctx)
		if err != nil {
			return table.Marks{}, fmt.Errorf("load cursors: %w", err)
		}
		contracts, err := l.cfg.Lake.Contracts(ctx)
		if err == nil {
			err = l.cfg.Lander.LoadContracts(contracts)
		}
		if err != nil {
			return table.Marks{}, fmt.Errorf("load contracts: %w", err)
		}
		if ours {
			l.load(cursors)
			return marks, nil
		}
		first := l.cfg.Log.First()
		if last = takeOver(ctx, first); last == nil {
			l.cfg.Logger.Info("the lake has a new log", "log_id", first.Log.String(), "old_log_id", marks.Log.String(),
				"cursors", len(cursors))
			l.load(cursors)
			return first, nil
		}
		if o := l.cfg.Outcome(last); o == Failed || o == TooManyDays {
			break
		}
		l.count.takeovers.Inc()
	}
	return table.Marks{}, fmt.Errorf("take over the lake: %w", last)
}

// load makes the cursors of the lake those of landing, and tells them.
func (l *Loop) load(cursors []table.Cursor) {
	l.cfg.Lander.Load(cursors)
	updates := make([]cursor.Update, len(cursors))
	for i := range cursors {
		updates[i] = cursor.UpdateOf(&cursors[i])
	}
	l.cfg.Loaded(updates)
}
