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
		if ours {
			l.load(cursors)
			return marks, nil
		}
		zero := table.Marks{Log: l.cfg.LogID, Next: make([]uint64, l.cfg.Partitions)}
		if last = takeOver(ctx, zero); last == nil {
			l.cfg.Logger.Info("the lake has a new log", "log_id", zero.Log.String(), "old_log_id", marks.Log.String(),
				"cursors", len(cursors))
			l.load(cursors)
			return zero, nil
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
