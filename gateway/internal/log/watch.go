package log

import (
	"context"
	"fmt"
	"time"

	"github.com/headwater-iot/headwater/shared/health"
)

const (
	// earliest is the beginning of the year in which this was written, us wall: a clock before it was never set.
	earliest = 1767225600e6 // 2026-01-01
	// maxBehind is how far the clock may be behind the last received time: more than a leap second or a step of NTP.
	maxBehind = time.Minute
	// clockEvery is how soon a wrong clock is seen, and a clock that was set.
	clockEvery = 10 * time.Second
)

func unsetCondition() *health.Condition {
	return &health.Condition{Code: "clock-unset", Title: "The gateway's clock is not set: readings get wrong times", Severity: health.Error}
}

func behindCondition() *health.Condition {
	return &health.Condition{Code: "clock-behind", Title: "The gateway's clock is behind its log: received times stand still", Severity: health.Error}
}

// Watch looks after an open log until ctx ends: it holds the clock that stamps the records to what it can be. It
// returns before that only when the log has failed: with ErrFailed and the cause. The process has to end then, because
// only the next start reads back what is stored.
func (l *Log) Watch(ctx context.Context) error {
	tick := time.NewTicker(clockEvery)
	defer tick.Stop()
	for {
		l.checkClock()
		select {
		case <-tick.C:
		case <-l.failed:
			l.mu.Lock()
			defer l.mu.Unlock()
			return l.err
		case <-ctx.Done():
			return nil
		}
	}
}

// checkClock says what is wrong with the clock. It changes nothing: received times never fall, whatever the clock does.
func (l *Log) checkClock() {
	l.mu.Lock()
	last := l.received
	l.mu.Unlock()
	now := l.cfg.Now().UnixMicro()
	l.raiseIf(now < earliest, l.alarm.unset, "it says %s; set it, by NTP or a real-time clock: devices without a clock go by it", now)
	l.raiseIf(now < last-maxBehind.Microseconds(), l.alarm.behind,
		"it says %s and the last record %s; set it if it is wrong, or else it was ahead before, and this ends by itself at the time of that record", now, last)
}

// raiseIf raises or clears a condition. The times are us wall.
func (l *Log) raiseIf(wrong bool, c *health.Condition, detail string, times ...int64) {
	if !wrong {
		l.cfg.Health.Clear(c)
		return
	}
	texts := make([]any, len(times))
	for i, us := range times {
		texts[i] = time.UnixMicro(us).UTC().Format(time.RFC3339)
	}
	l.cfg.Health.Raise(c, fmt.Sprintf(detail, texts...))
}
