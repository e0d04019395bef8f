package run

import (
	"context"
	"errors"
	"log/slog"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// diary is what happened, in order.
type diary struct {
	mu    sync.Mutex
	lines []string
}

func (d *diary) write(line string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.lines = append(d.lines, line)
}

// good is a stage that is ready after a while and needs as long again to stop.
func (d *diary) good(name string, takes time.Duration) Stage {
	ready := make(chan struct{})
	return Stage{Name: name, Ready: ready, Run: func(ctx context.Context) error {
		d.write(name + " starts")
		<-time.After(takes)
		close(ready)
		<-ctx.Done()
		<-time.After(takes)
		d.write(name + " ends")
		return ctx.Err()
	}}
}

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

// runFor runs stages and ends the context after a while.
func runFor(t *testing.T, d time.Duration, stages ...Stage) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	defer cancel()
	return Run(ctx, quiet(), stages...)
}

func TestStartsInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var d diary
		begin := time.Now()
		// The first takes longest to become ready: the second waits for it.
		err := runFor(t, time.Minute, d.good("log", 5*time.Second), d.good("land", time.Second), Stage{
			Name: "intake",
			Run: func(ctx context.Context) error {
				d.write("intake after " + time.Since(begin).String())
				<-ctx.Done()
				return nil
			},
		})
		if err != nil {
			t.Errorf("Run: %v", err)
		}
		want := []string{"log starts", "land starts", "intake after 6s", "land ends", "log ends"}
		if !slices.Equal(d.lines, want) {
			t.Errorf("the diary says %q, want %q", d.lines, want)
		}
	})
}

func TestStopsInReverse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var d diary
		// The first stops at once if it is told to: that it ends last shows that it was told last.
		err := runFor(t, time.Minute, d.good("a", 0), d.good("b", 4*time.Second), d.good("c", 2*time.Second))
		if err != nil {
			t.Errorf("Run: %v", err)
		}
		want := []string{"c ends", "b ends", "a ends"}
		if got := d.lines[3:]; !slices.Equal(got, want) {
			t.Errorf("stopped as %q, want %q", got, want)
		}
	})
}

func TestErrorsAreJoined(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		disk, stop := errors.New("disk is full"), errors.New("cannot say goodbye")
		var d diary
		err := runFor(t, time.Hour,
			Stage{Name: "uplink", Run: func(ctx context.Context) error {
				<-ctx.Done()
				return stop
			}},
			d.good("sampler", 0),
			Stage{Name: "outbox", Run: func(context.Context) error {
				<-time.After(time.Minute)
				return disk
			}})
		if !errors.Is(err, disk) || !errors.Is(err, stop) {
			t.Fatalf("Run: %v, want both errors", err)
		}
		if got, want := err.Error(), "uplink: cannot say goodbye\noutbox: disk is full"; got != want {
			t.Errorf("Run: %q, want %q", got, want)
		}
		if !slices.Contains(d.lines, "sampler ends") {
			t.Errorf("the healthy stage was not stopped: %q", d.lines)
		}
	})
}

func TestEarlyEndIsAnError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ends := Stage{Name: "sampler", Run: func(context.Context) error { return nil }}
		var d diary
		if err := runFor(t, time.Hour, d.good("log", 0), ends); !errors.Is(err, ErrEndedEarly) {
			t.Errorf("Run: %v, want ErrEndedEarly", err)
		}
		// After the context is done nobody is early.
		late := Stage{Name: "late", Run: func(context.Context) error {
			<-time.After(2 * time.Hour)
			return nil
		}, StopWithin: 3 * time.Hour}
		if err := runFor(t, time.Hour, late); err != nil {
			t.Errorf("Run: %v, want nil", err)
		}
	})
}

func TestFailureWhileStarting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var d diary
		broken := errors.New("no bus")
		err := runFor(t, time.Hour, d.good("outbox", 0),
			Stage{Name: "sensor", Ready: make(chan struct{}), Run: func(context.Context) error { return broken }},
			d.good("uplink", 0))
		if !errors.Is(err, broken) {
			t.Errorf("Run: %v, want %v", err, broken)
		}
		if want := []string{"outbox starts", "outbox ends"}; !reflect.DeepEqual(d.lines, want) {
			t.Errorf("the diary says %q, want %q: uplink must not start", d.lines, want)
		}
	})
}

func TestContextEndsWhileStarting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var d diary
		if err := runFor(t, time.Second, d.good("slow", 5*time.Second), d.good("next", 0)); err != nil {
			t.Errorf("Run: %v", err)
		}
		if want := []string{"slow starts", "slow ends"}; !slices.Equal(d.lines, want) {
			t.Errorf("the diary says %q, want %q", d.lines, want)
		}
		done, cancel := context.WithCancel(t.Context())
		cancel()
		if err := Run(done, quiet(), d.good("never", 0)); err != nil || len(d.lines) != 2 {
			t.Errorf("Run on a done context: %v, and the diary says %q", err, d.lines)
		}
	})
}

func TestStopDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var d diary
		release := make(chan struct{})
		stuck := Stage{Name: "intake", StopWithin: 3 * time.Second, Run: func(context.Context) error {
			<-release
			return nil
		}}
		begin := time.Now()
		err := runFor(t, time.Minute, d.good("log", 0), stuck)
		if !errors.Is(err, ErrOverstayed) || !strings.Contains(err.Error(), "intake: ") {
			t.Errorf("Run: %v, want ErrOverstayed for intake", err)
		}
		if took := time.Since(begin); took != time.Minute+3*time.Second {
			t.Errorf("Run took %s, want 1m3s", took)
		}
		if !slices.Contains(d.lines, "log ends") {
			t.Errorf("the stage before the stuck one was not stopped: %q", d.lines)
		}
		close(release) // nobody waits for it any more, but the test must not leak it
	})
}
