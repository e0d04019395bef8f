package sampler

import (
	"context"
	"errors"
	"slices"
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
