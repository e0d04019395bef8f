package log

import "context"

// Watch looks after an open log until ctx ends. It returns before that only when the log has failed: with ErrFailed and
// the cause. The process has to end then, because only the next start reads back what is stored.
func (l *Log) Watch(ctx context.Context) error {
	select {
	case <-l.failed:
		l.mu.Lock()
		defer l.mu.Unlock()
		return l.err
	case <-ctx.Done():
		return nil
	}
}
