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
	for _, damage := range []func(rows []record.Row){
		func(rows []record.Row) { rows[0].Cells[0].Null = true },
		func(rows []record.Row) { rows[0].Cells[0].Int = 7 },
	} {
		other := &Rig{Meter: r.Meter, t: new(testing.T), stop: func() {}, rows: map[string][]record.Row{good: {r.rows[good][0]}}}
		other.rows[good][0].Cells = append([]record.Cell(nil), other.rows[good][0].Cells...)
		damage(other.rows[good])
		ended := make(chan struct{})
		go func() { defer close(ended); other.Undisturbed() }()
		<-ended
		if !other.t.Failed() {
			t.Error("it passes whatever the good sensor gives")
		}
	}
}
