package sampler

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/headwater-iot/headwater/shared/record"
)

// talker is a source that gives a row a second, but for a while in between.
type talker struct{ report func(error) }

func (s *talker) Watch(report func(error)) { s.report = report }

func (s *talker) Run(ctx context.Context, emit func(record.Row) error) error {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for i := 0; ; i++ {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
		if i >= 10 && i < 20 {
			s.report(errors.New("it says nothing"))
			continue
		}
		s.report(nil)
		_ = emit(record.Row{Sensor: "talker", Cells: one(1)})
	}
}

func TestSourceTellsHowItFares(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, 7*time.Second, Sensor{Name: "talker", Source: &talker{}, Announce: announceX})
		time.Sleep(18500 * time.Millisecond)
		if s := r.Status()[0]; s.State != "failing" || s.Error != "it says nothing" || !slices.Contains(r.codes(), "sensor-failing-talker") {
			t.Errorf("%+v, %q", s, r.codes())
		}
		time.Sleep(3 * time.Second)
		if s := r.Status()[0]; s.State != "ok" || s.Error != "" || len(r.codes()) != 0 {
			t.Errorf("%+v, %q", s, r.codes())
		}
		r.stop()
		got := times(r.of("talker"))
		if len(got) != 11 || got[0] != 8000 || got[10] != 28000 || r.of("talker")[0].Unit != record.Milli {
			t.Errorf("rows are stamped %v", got)
		}
	})
}

// stubborn is a source that hears of no end: its program sits in the kernel.
type stubborn struct {
	emit chan func(record.Row) error
	done chan struct{}
}

func (s stubborn) Run(_ context.Context, emit func(record.Row) error) error {
	s.emit <- emit
	<-s.done
	return nil
}

func TestStopDoesNotWaitForAHungSource(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := stubborn{make(chan func(record.Row) error, 1), make(chan struct{})}
		defer close(s.done)
		r := start(t, 0, Sensor{Name: "stubborn", Source: s, Announce: announceX})
		emit := <-s.emit
		began := time.Now()
		r.stop()
		if took := time.Since(began); took != sourceGrace || !strings.Contains(r.log.String(), "sensor=stubborn") {
			t.Errorf("stopped after %v: %s", took, r.log)
		}
		if err := emit(record.Row{Sensor: "stubborn", Cells: one(1)}); !errors.Is(err, errLeft) || len(r.of("stubborn")) != 0 {
			t.Errorf("a row after the stop: %v", err)
		}
	})
}

func TestPartialReadSaysWhy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gone := errors.New("y: it was unplugged")
		broken := time.Now().Add(5 * time.Second)
		announce := append(announceX[:1:1], record.FailedCell("y", "V", record.Float))
		opened := 0
		r := start(t, 0, Sensor{Name: "s", Interval: time.Second, Announce: announce, Open: func(context.Context) (Driver, error) {
			opened++
			return reader(func(context.Context) ([]record.Cell, error) {
				switch now := time.Now(); {
				case now.Before(broken):
					return append(one(1), record.FloatCell("y", "V", 2)), nil
				case now.Before(broken.Add(30 * time.Second)):
					return one(1), gone
				}
				return append(one(1), record.FloatCell("y", "V", 2)), nil
			}), nil
		}})
		time.Sleep(20500 * time.Millisecond)
		if s := r.Status()[0]; s.State != "ok" || s.Error != gone.Error() || !slices.Equal(r.codes(), []string{"sensor-partial-s"}) {
			t.Errorf("%+v, %q", s, r.codes())
		}
		if got := strings.Count(r.log.String(), "unplugged"); got != 1 {
			t.Errorf("said %d times: %s", got, r.log)
		}
		time.Sleep(30 * time.Second)
		if s := r.Status()[0]; s.State != "ok" || s.Error != "" || len(r.codes()) != 0 || opened != 1 {
			t.Errorf("%+v, %q, opened %d times", s, r.codes(), opened)
		}
		r.stop()
		if n := r.errors("s", "partial"); n != 30 {
			t.Errorf("%d partial", n)
		}
	})
}
