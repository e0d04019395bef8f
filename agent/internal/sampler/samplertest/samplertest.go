// Package samplertest runs a sampler over real time for tests of sensors that are
// real processes, ports and sockets: one that may misbehave, and beside it a good
// one that counts its reads every 20 ms.
//
// Promise: Undisturbed fails a test unless the good one was read at every tick that
// its schedule says, whatever the other one did (TestGoodSensorIsWatched).
package samplertest

import (
	"context"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/headwater-iot/headwater/agent/internal/sampler"
	"github.com/headwater-iot/headwater/shared/health"
	"github.com/headwater-iot/headwater/shared/meter"
	"github.com/headwater-iot/headwater/shared/record"
)

const good, goodInterval = "good", 20 * time.Millisecond

// clock is the boot clock of a test.
type clock time.Time

func (c clock) Monotonic() int64 { return time.Since(time.Time(c)).Microseconds() }

// counter is the good sensor.
type counter struct{ n int64 }

func (c *counter) Read(context.Context) ([]record.Cell, error) {
	c.n++
	return []record.Cell{record.IntCell("count", "count", c.n)}, nil
}

// Rig is a sampler that runs.
type Rig struct {
	Meter *meter.Registry

	t       *testing.T
	sampler *sampler.Sampler
	stop    func()
	ended   int64 // ms, when stop had returned

	mu   sync.Mutex
	more *sync.Cond              // a row has come
	rows map[string][]record.Row // guarded by mu, by sensor
}

// Start samples a sensor, and the good one. The end of the test ends it.
func Start(t *testing.T, bad sampler.Sensor, registry *meter.Registry) *Rig {
	t.Helper()
	r := &Rig{Meter: registry, t: t, rows: map[string][]record.Row{}}
	r.more = sync.NewCond(&r.mu)
	announce := []record.Cell{record.FailedCell("count", "count", record.Int)}
	boot := clock(time.Now())
	s, err := sampler.New(sampler.Config{
		Sensors: []sampler.Sensor{bad, {
			Name: good, Interval: goodInterval, Announce: announce,
			Open: func(context.Context) (sampler.Driver, error) { return new(counter), nil },
		}},
		Clock: boot, Append: r.append, Logger: slog.New(slog.DiscardHandler), Meter: registry, Health: health.New(),
	})
	if err != nil {
		t.Fatal(err)
	}
	r.sampler = s
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	r.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		r.ended = boot.Monotonic() / 1000
	})
	t.Cleanup(r.stop)
	return r
}

func (r *Rig) append(row record.Row) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.rows[row.Sensor] = append(r.rows[row.Sensor], row)
	r.more.Broadcast()
	return nil
}

// Rows waits until ok is true for the rows of the sensor under test, and looks again at each row of any sensor.
func (r *Rig) Rows(ok func(rows []record.Row) bool) []record.Row {
	r.mu.Lock()
	defer r.mu.Unlock()
	for {
		name := r.State().Name
		if rows := r.rows[name]; ok(rows) {
			return append([]record.Row(nil), rows...)
		}
		r.more.Wait()
	}
}

// State is that of the sensor under test.
func (r *Rig) State() sampler.Status { return r.sampler.Status()[0] }

// Falls waits until the sensor under test does not do well and has given three rows that are all null, or, with
// source, none.
func (r *Rig) Falls(source bool) sampler.Status {
	before := -1
	r.Rows(func(rows []record.Row) bool {
		if before < 0 {
			before = len(rows)
		}
		state := r.State().State
		return state != "ok" && state != "starting" && (source || len(rows) >= 3 && nulls(rows[len(rows)-3:]))
	})
	return r.State()
}

// Recovers waits until the sensor under test does well, and gives a row without a null.
func (r *Rig) Recovers() []record.Cell {
	before := -1
	rows := r.Rows(func(rows []record.Row) bool {
		if before < 0 {
			before = len(rows)
		}
		return r.State().State == "ok" && len(rows) > before && !anyNull(rows[len(rows)-1])
	})
	return rows[len(rows)-1].Cells
}

// Undisturbed ends the sampling, and fails the test unless the good sensor gave a good row at each tick.
func (r *Rig) Undisturbed() {
	r.t.Helper()
	r.stop()
	rows, last := r.rows[good], int64(0)
	missed := r.Meter.Counter("headwater_sampler_missed_ticks_total", "", "sensor", good).Value()
	for i, row := range rows {
		if row.Cells[0].Null || row.Cells[0].Int != int64(i+1) || row.Time < last {
			r.t.Fatalf("row %d of the good sensor: %+v", i, row)
		}
		last = row.Time
	}
	interval := goodInterval.Milliseconds()
	least, most := uint64(last/interval), uint64(r.ended/interval)
	if got := uint64(len(rows)) + missed; len(rows) == 0 || got+1 < least || got > most+1 {
		r.t.Errorf("the good sensor has %d rows and missed %d of %d to %d ticks", len(rows), missed, least, most)
	}
}

func nulls(rows []record.Row) bool {
	for _, row := range rows {
		for _, c := range row.Cells {
			if !c.Null {
				return false
			}
		}
	}
	return true
}

func anyNull(row record.Row) bool {
	for _, c := range row.Cells {
		if c.Null {
			return true
		}
	}
	return false
}
