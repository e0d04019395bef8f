package samplertest

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/headwater-iot/headwater/agent/internal/sampler"
	"github.com/headwater-iot/headwater/shared/meter"
	"github.com/headwater-iot/headwater/shared/record"
)

// moody fails twice, and then reads.
type moody struct{ n int }

func (m *moody) Read(context.Context) ([]record.Cell, error) {
	if m.n++; m.n <= 2 {
		return nil, errors.New("not in the mood")
	}
	return []record.Cell{record.IntCell("x", "", 1)}, nil
}

func TestGoodSensorIsWatched(t *testing.T) {
	m := new(moody)
	r := Start(t, sampler.Sensor{
		Name: "moody", Interval: 10 * time.Millisecond, Announce: []record.Cell{record.FailedCell("x", "", record.Int)},
		Open: func(context.Context) (sampler.Driver, error) { return m, nil },
	}, meter.New())
	if cells := r.Recovers(); cells[0].Int != 1 {
		t.Errorf("%+v", cells)
	}
	r.Undisturbed()
	for name, tc := range map[string]struct {
		ended  int64 // ms
		damage func(rows []record.Row)
		fails  bool
	}{
		"all is well":      {40, func([]record.Row) {}, false},
		"a null":           {40, func(rows []record.Row) { rows[1].Cells[0].Null = true }, true},
		"a read is lost":   {40, func(rows []record.Row) { rows[1].Cells[0].Int = 3 }, true},
		"a late last tick": {40, func(rows []record.Row) { rows[1].Time = 100 }, true},
		"an early end":     {5, func([]record.Row) {}, true},
	} {
		rows := make([]record.Row, 2)
		for i := range rows {
			n := int64(i + 1)
			rows[i] = record.Row{Time: 20 * n, Cells: []record.Cell{record.IntCell("count", "count", n)}}
		}
		tc.damage(rows)
		other := &Rig{Meter: meter.New(), t: new(testing.T), stop: func() {}, ended: tc.ended, rows: map[string][]record.Row{good: rows}}
		ended := make(chan struct{})
		go func() { defer close(ended); other.Undisturbed() }() // Fatal ends its goroutine
		<-ended
		if other.t.Failed() != tc.fails {
			t.Errorf("%s: failed is %v", name, other.t.Failed())
		}
	}
}
