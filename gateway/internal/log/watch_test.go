package log

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/headwater-iot/headwater/shared/health"
)

// TestWatchTellsOfAWrongClock starts with a clock that was never set, sets it too far ahead, and then right.
func TestWatchTellsOfAWrongClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		right := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
		var clock atomic.Pointer[time.Time]
		set := func(now time.Time) { clock.Store(&now) }
		set(time.Unix(5, 0))
		board := health.New()
		l, err := tryOpen(t.TempDir(), func(c *Config) {
			c.Health, c.Now = board, func() time.Time { return *clock.Load() }
		})
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		ctx, cancel := context.WithCancel(t.Context())
		var watch sync.WaitGroup
		watch.Go(func() {
			if err := l.Watch(ctx); err != nil {
				t.Error(err)
			}
		})
		defer watch.Wait()
		defer cancel()
		expect := func(when string, want ...string) {
			t.Helper()
			synctest.Wait()
			var up []string
			for _, s := range board.Snapshot() {
				up = append(up, s.Code)
			}
			if !slices.Equal(up, want) {
				t.Errorf("%s: conditions %v, want %v", when, up, want)
			}
		}
		after := func() { <-time.After(clockEvery) }

		expect("at the start, 1970", "clock-unset")
		set(right.Add(time.Hour))
		after()
		expect("set, an hour ahead")
		ahead := add(t, l, 0, "from the future")
		set(right)
		after()
		expect("an hour behind the log", "clock-behind")
		if e := add(t, l, 0, "stands still"); e.Received != ahead.Received+1 {
			t.Errorf("received at %d after %d", e.Received, ahead.Received)
		}
		set(right.Add(time.Hour - maxBehind/2))
		after()
		expect("as good as there")
	})
}
