package sampler

import (
	"context"
	"errors"
	"log/slog"
	"math"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/headwater-iot/headwater/shared/health"
	"github.com/headwater-iot/headwater/shared/meter"
	"github.com/headwater-iot/headwater/shared/record"
)

// bubble is the boot clock of a test: it moves with the test's fake time.
type bubble struct {
	start  time.Time
	booted int64 // us that the boot was old at the start
}

func (b bubble) Monotonic() int64 { return b.booted + time.Since(b.start).Microseconds() }

// reader is a driver made of a function.
type reader func(ctx context.Context) ([]record.Cell, error)

func (r reader) Read(ctx context.Context) ([]record.Cell, error) { return r(ctx) }

func opens(r reader) func(context.Context) (Driver, error) {
	return func(context.Context) (Driver, error) { return r, nil }
}

func one(v float64) []record.Cell { return []record.Cell{record.FloatCell("x", "Cel", v)} }

func good(context.Context) ([]record.Cell, error) { return one(1), nil }

var announceX = []record.Cell{record.FailedCell("x", "Cel", record.Float)}

// rig runs a sampler and keeps what it appends.
type rig struct {
	*Sampler
	reg   *meter.Registry
	board *health.Board
	log   *strings.Builder
	stop  func()

	mu     sync.Mutex
	rows   map[string][]record.Row
	refuse error
}

func start(t *testing.T, booted time.Duration, sensors ...Sensor) *rig {
	t.Helper()
	r := &rig{reg: meter.New(), board: health.New(), log: &strings.Builder{}, rows: map[string][]record.Row{}}
	s, err := New(Config{
		Sensors: sensors, Clock: bubble{time.Now(), booted.Microseconds()}, Append: r.append,
		Logger: slog.New(slog.NewTextHandler(r.log, nil)), Meter: r.reg, Health: r.board,
	})
	if err != nil {
		t.Fatal(err)
	}
	r.Sampler = s
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	r.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("run: %v", err)
		}
	})
	return r
}

func (r *rig) append(row record.Row) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.refuse != nil {
		return r.refuse
	}
	r.rows[row.Sensor] = append(r.rows[row.Sensor], row)
	return nil
}

func (r *rig) setRefuse(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.refuse = err
}

func (r *rig) of(sensor string) []record.Row {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.rows[sensor]
}

func (r *rig) errors(sensor, reason string) uint64 {
	return r.reg.Counter("headwater_sampler_read_errors_total", "", "sensor", sensor, "reason", reason).Value()
}

func (r *rig) missed(sensor string) uint64 {
	return r.reg.Counter("headwater_sampler_missed_ticks_total", "", "sensor", sensor).Value()
}

func (r *rig) codes() (codes []string) {
	for _, s := range r.board.Snapshot() {
		codes = append(codes, s.Code)
	}
	return codes
}

func times(rows []record.Row) (ms []int64) {
	for _, row := range rows {
		ms = append(ms, row.Time)
	}
	return ms
}

func TestTicksAreAlignedAndDoNotDrift(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow := func(context.Context) ([]record.Cell, error) {
			time.Sleep(30 * time.Millisecond)
			return one(20.5), nil
		}
		r := start(t, 12345678*time.Microsecond, Sensor{Name: "air", Interval: 100 * time.Millisecond, Announce: announceX, Open: opens(slow)})
		time.Sleep(500 * time.Millisecond)
		r.stop()
		// Booted 12.345678 s ago: the first tick is at 12.4 s, its read ends 30 ms later.
		want := []int64{12415, 12515, 12615, 12715, 12815}
		if diff := cmp.Diff(want, times(r.of("air"))); diff != "" {
			t.Errorf("times (-want +got):\n%s", diff)
		}
		row := r.of("air")[0]
		if row.Absolute || row.Unit != record.Milli || row.Cells[0] != record.FloatCell("x", "Cel", 20.5) {
			t.Errorf("row %+v", row)
		}
	})
}

func TestSlowReadMissesTicksAndCountsThem(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow := func(context.Context) ([]record.Cell, error) {
			time.Sleep(170 * time.Millisecond)
			return one(1), nil
		}
		r := start(t, 0, Sensor{Name: "air", Interval: 100 * time.Millisecond, Announce: announceX, Open: opens(slow)})
		time.Sleep(890 * time.Millisecond)
		r.stop()
		if diff := cmp.Diff([]int64{185, 385, 585, 785}, times(r.of("air"))); diff != "" {
			t.Errorf("times (-want +got):\n%s", diff)
		}
		if n := r.missed("air"); n != 4 {
			t.Errorf("%d missed ticks, want 4", n)
		}
	})
}

func TestFailedReadIsARowOfNulls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		broken := func(context.Context) ([]record.Cell, error) { return nil, errors.New("no acknowledge") }
		r := start(t, 0, Sensor{
			Name: "air", Prefix: "in_", Interval: time.Second, Open: opens(broken),
			Announce: []record.Cell{record.FailedCell("x", "Cel", record.Float), record.FailedCell("n", "", record.Int)},
		})
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if diff := cmp.Diff([]string{"sensor-failing-air"}, r.codes()); diff != "" {
			t.Errorf("conditions: %s", diff)
		}
		r.stop()
		want := record.Row{Sensor: "air", Unit: record.Milli, Time: 3000, Cells: []record.Cell{
			record.FailedCell("in_x", "Cel", record.Float), record.FailedCell("in_n", "", record.Int),
		}}
		rows := r.of("air")
		if len(rows) != 10 {
			t.Fatalf("%d rows in 10 s, want 10", len(rows))
		}
		if diff := cmp.Diff(want, rows[2]); diff != "" {
			t.Error(diff)
		}
		if read, open := r.errors("air", "read"), r.errors("air", "open"); read+open != 20 {
			t.Errorf("%d + %d null readings counted, want 20", read, open)
		}
		if n := strings.Count(r.log.String(), "sensor not read"); n != 1 {
			t.Errorf("%d complaints in 10 s, want 1:\n%s", n, r.log)
		}
	})
}

func TestPartialReadKeepsItsShape(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		read := func(context.Context) ([]record.Cell, error) {
			return []record.Cell{
				record.IntCell("c", "", 1), // announced as a float
				record.FloatCell("stranger", "", 1),
				record.FloatCell("a", "wrong", 7),
				record.FloatCell("a", "", 8),
			}, nil
		}
		announce := []record.Cell{
			record.FailedCell("a", "Cel", record.Float), record.FailedCell("b", "", record.Float), record.FailedCell("c", "", record.Float),
		}
		r := start(t, 0, Sensor{Name: "s", Interval: time.Second, Announce: announce, Open: opens(read)})
		time.Sleep(time.Second)
		synctest.Wait()
		r.stop()
		want := []record.Cell{record.FloatCell("a", "Cel", 7), announce[1], announce[2]}
		if diff := cmp.Diff(want, r.of("s")[0].Cells); diff != "" {
			t.Error(diff)
		}
		if r.errors("s", "partial") != 1 || r.errors("s", "kind") != 1 || r.Sampler.m.unannounced.Value() != 2 {
			t.Error("not every cell that was not taken is counted")
		}
	})
}

func TestNotFiniteIsNull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		values := []float64{math.NaN(), math.Inf(-1), 3}
		read := func(context.Context) ([]record.Cell, error) {
			v := values[0]
			values = values[1:]
			return one(v), nil
		}
		r := start(t, 0, Sensor{Name: "s", Interval: time.Second, Announce: announceX, Open: opens(read)})
		time.Sleep(3 * time.Second)
		synctest.Wait()
		r.stop()
		bad := record.FailedCell("x", "Cel", record.Float)
		bad.Quality |= record.Suspect
		var got []record.Cell
		for _, row := range r.of("s") {
			got = append(got, row.Cells...)
		}
		if diff := cmp.Diff([]record.Cell{bad, bad, record.FloatCell("x", "Cel", 3)}, got); diff != "" {
			t.Error(diff)
		}
		if n := r.errors("s", "not_finite"); n != 2 {
			t.Errorf("counted %d", n)
		}
	})
}

func TestValueThatDoesNotMoveIsMarked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := 0
		read := func(context.Context) ([]record.Cell, error) {
			switch n++; {
			case n == 4:
				return nil, errors.New("no acknowledge") // says nothing about motion
			case n < 8:
				return one(1), nil
			}
			return one(2), nil
		}
		r := start(t, 0, Sensor{Name: "s", Interval: time.Second, Stuck: 4 * time.Second, Announce: announceX, Open: opens(read)})
		time.Sleep(7 * time.Second)
		synctest.Wait()
		if diff := cmp.Diff([]string{"sensor-stuck-s"}, r.codes()); diff != "" {
			t.Error(diff)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		r.stop()
		var got []record.Quality
		for _, row := range r.of("s") {
			got = append(got, row.Cells[0].Quality)
		}
		want := []record.Quality{0, 0, 0, record.ReadError, record.Stuck, record.Stuck, record.Stuck, 0}
		if diff := cmp.Diff(want, got); diff != "" || r.lines[0].stuck.Value() != 3 || len(r.codes()) != 0 {
			t.Errorf("qualities (-want +got):\n%s%v", diff, r.codes())
		}
	})
}

func TestHungSensorDisturbsNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release, reads := make(chan struct{}), 0
		hang := func(context.Context) ([]record.Cell, error) {
			reads++
			<-release // deaf to its context, as a blocked ioctl is
			return one(5), nil
		}
		r := start(t, 0,
			Sensor{Name: "bad", Interval: 100 * time.Millisecond, Timeout: time.Second, Announce: announceX, Open: opens(hang)},
			Sensor{Name: "good", Prefix: "g_", Interval: 100 * time.Millisecond, Announce: announceX, Open: opens(good)})
		time.Sleep(10*time.Second + 50*time.Millisecond)
		synctest.Wait()
		if n := len(r.of("good")); n != 100 {
			t.Errorf("the good sensor gave %d rows in 10 s, want 100", n)
		}
		// From the timeout on, the bad one keeps its schedule with null rows.
		rows, missed := uint64(len(r.of("bad"))), r.missed("bad")
		if rows+missed != 100 || rows < 85 || reads != 1 {
			t.Errorf("the hung sensor gave %d rows, %d missed ticks, %d reads", rows, missed, reads)
		}
		if r.errors("bad", "timeout") != 1 || r.errors("bad", "hung") != rows-1 {
			t.Errorf("timeout %d, hung %d of %d rows", r.errors("bad", "timeout"), r.errors("bad", "hung"), rows)
		}
		if s := r.Status(); s[0].State != "hung" || s[1].State != "ok" {
			t.Errorf("status %+v", s)
		}
		if diff := cmp.Diff([]string{"sensor-failing-bad", "sensor-hung-bad"}, r.codes()); diff != "" {
			t.Error(diff)
		}

		close(release)
		time.Sleep(time.Second)
		synctest.Wait()
		bad := r.of("bad")
		if last := bad[len(bad)-1]; last.Cells[0].Null || len(r.codes()) != 0 || r.Status()[0].State != "ok" {
			t.Errorf("after the release: %+v, %v, %+v", last, r.codes(), r.Status()[0])
		}
		r.stop()
	})
}

func TestReadThatHeedsItsDeadlineIsNotHung(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		waits := func(ctx context.Context) ([]record.Cell, error) { <-ctx.Done(); return nil, ctx.Err() }
		r := start(t, 0, Sensor{Name: "s", Interval: time.Hour, Timeout: 2 * time.Second, Announce: announceX, Open: opens(waits)})
		time.Sleep(time.Hour + time.Minute)
		if s := r.Status()[0]; s.State != "failing" || r.errors("s", "timeout") != 1 {
			t.Errorf("status %+v", s)
		}
		r.stop()
	})
}

func TestStopDoesNotWaitForAHungRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		defer close(release)
		hang := func(context.Context) ([]record.Cell, error) { <-release; return nil, nil }
		r := start(t, 0, Sensor{Name: "s", Interval: time.Second, Announce: announceX, Open: opens(hang)})
		time.Sleep(1500 * time.Millisecond) // in the middle of the read
		began := time.Now()
		r.stop()
		if took := time.Since(began); took > 2*time.Second {
			t.Errorf("the stop took %v", took)
		}
		if !strings.Contains(r.log.String(), "left behind") {
			t.Errorf("the log does not name the hanging read:\n%s", r.log)
		}
	})
}

func TestStopClosesTheDriver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &closer{reader: good}
		r := start(t, 0, Sensor{
			Name: "s", Interval: time.Second, Announce: announceX,
			Open: func(context.Context) (Driver, error) { d.opened++; return d, nil },
		})
		time.Sleep(5 * time.Second)
		r.stop()
		if d.opened != 1 || d.closed != 1 {
			t.Errorf("opened %d times, closed %d times", d.opened, d.closed)
		}
	})
}

type closer struct {
	reader
	opened, closed int
}

func (c *closer) Close() error { c.closed++; return nil }

func TestReopensWithGrowingPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var works atomic.Bool
		d := &closer{reader: func(context.Context) ([]record.Cell, error) {
			if !works.Load() {
				return nil, errors.New("unplugged")
			}
			return one(1), nil
		}}
		var openings []int64
		began := time.Now()
		r := start(t, 0, Sensor{
			Name: "s", Interval: time.Second, Announce: announceX,
			Open: func(context.Context) (Driver, error) {
				openings = append(openings, int64(time.Since(began).Seconds()))
				return d, nil
			},
		})
		time.Sleep(70*time.Second + 500*time.Millisecond)
		synctest.Wait()
		if diff := cmp.Diff([]int64{1, 4, 6, 10, 18, 34, 66}, openings); diff != "" {
			t.Errorf("openings (-want +got):\n%s", diff)
		}
		if d.closed != len(openings) {
			t.Errorf("opened %d times, closed %d times", len(openings), d.closed)
		}
		if n := len(r.of("s")); n != 70 {
			t.Errorf("%d rows in 70 s, want 70: every tick is a row", n)
		}
		works.Store(true)
		time.Sleep(2 * time.Minute)
		rows := r.of("s")
		if last := rows[len(rows)-1]; last.Cells[0].Null || r.Status()[0].State != "ok" {
			t.Errorf("after it was plugged in again: %+v", last)
		}
		r.stop()
	})
}

func TestPanicOfADriverIsAFailedRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, 0, Sensor{Name: "s", Interval: time.Second, Announce: announceX, Open: opens(func(context.Context) ([]record.Cell, error) {
			panic("index out of range")
		})})
		time.Sleep(2 * time.Second)
		synctest.Wait()
		r.stop()
		if n := r.errors("s", "read"); n != 2 {
			t.Errorf("%d failed reads, want 2", n)
		}
	})
}

func TestRefusedRowIsCountedAndSamplingGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, 0, Sensor{Name: "s", Interval: time.Second, Announce: announceX, Open: opens(good)})
		r.setRefuse(errors.New("disk full"))
		time.Sleep(10*time.Second + time.Millisecond)
		if diff := cmp.Diff([]string{"readings-refused"}, r.codes()); diff != "" {
			t.Error(diff)
		}
		if n := strings.Count(r.log.String(), "row not accepted"); n != 1 {
			t.Errorf("%d complaints, want 1:\n%s", n, r.log)
		}
		r.setRefuse(nil)
		time.Sleep(10 * time.Second)
		r.stop()
		m := r.Sampler.m
		if m.dropped.Value() != 10 || m.rows.Value() != 10 || m.readings.Value() != 10 || len(r.codes()) != 0 {
			t.Errorf("dropped %d, rows %d, readings %d, conditions %v", m.dropped.Value(), m.rows.Value(), m.readings.Value(), r.codes())
		}
	})
}

func TestPromiseCoversReadsThatRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow := func(context.Context) ([]record.Cell, error) { time.Sleep(600 * time.Millisecond); return one(1), nil }
		r := start(t, 0, Sensor{Name: "s", Interval: time.Second, Announce: announceX, Open: opens(slow)})
		var promised []int64
		for range 8 {
			time.Sleep(350 * time.Millisecond)
			promised = append(promised, r.Promise())
		}
		r.stop()
		// Rows came at 1600 and 2600, stamped 1300 and 2300: none below what had been promised until then.
		if diff := cmp.Diff([]int64{1300, 2300}, times(r.of("s"))); diff != "" {
			t.Error(diff)
		}
		// Reads run from 1000 to 1600 and from 2000 to 2600.
		want := []int64{350, 700, 1000, 1000, 1750, 2000, 2000, 2800}
		if diff := cmp.Diff(want, promised); diff != "" {
			t.Errorf("promises (-want +got):\n%s", diff)
		}
	})
}

// source is a source of rows that offers each until it is taken.
type source []record.Row

func (s source) Run(ctx context.Context, emit func(record.Row) error) error {
	<-time.After(time.Millisecond) // whoever started the sampler sets the scene first
	for _, row := range s {
		for emit(row) != nil {
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(time.Second):
			}
		}
	}
	return nil
}

func TestSourceRunsBesideDriversAndEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rows := source{{Sensor: "csv", Absolute: true, Time: 1}, {Sensor: "csv", Absolute: true, Time: 2}}
		r := start(t, 0,
			Sensor{Name: "csv", Source: rows, Interval: time.Minute, Announce: announceX},
			Sensor{Name: "s", Prefix: "s_", Interval: time.Second, Announce: announceX, Open: opens(good)})
		r.setRefuse(errors.New("full"))
		time.Sleep(500 * time.Millisecond)
		r.setRefuse(nil)
		time.Sleep(5 * time.Second)
		synctest.Wait()
		if len(r.of("csv")) != 2 || len(r.of("s")) != 5 || r.Status()[0].State != "ended" {
			t.Errorf("%d and %d rows, %+v", len(r.of("csv")), len(r.of("s")), r.Status())
		}
		if r.m.appendErrors.Value() != 1 || r.m.dropped.Value() != 0 {
			t.Errorf("append errors %d, dropped %d", r.m.appendErrors.Value(), r.m.dropped.Value())
		}
		if diff := cmp.Diff(map[string]uint64{"x": 60000, "s_x": 1000}, r.Schedule()); diff != "" {
			t.Error(diff)
		}
		r.stop()
	})
}

func TestNewRefuses(t *testing.T) {
	ok := Sensor{Name: "a", Interval: time.Second, Announce: announceX, Open: opens(good)}
	with := func(change func(*Sensor)) Sensor { s := ok; change(&s); return s }
	for _, tc := range []struct {
		name    string
		sensors []Sensor
		want    error
	}{
		{"no name", []Sensor{with(func(s *Sensor) { s.Name = "" })}, ErrName},
		{"same name", []Sensor{ok, with(func(s *Sensor) { s.Prefix = "b_" })}, ErrName},
		{"same series", []Sensor{ok, with(func(s *Sensor) { s.Name = "b" })}, ErrSeries},
		{"no interval", []Sensor{with(func(s *Sensor) { s.Interval = 0 })}, ErrSensor},
		{"no series", []Sensor{with(func(s *Sensor) { s.Announce = nil })}, ErrSensor},
		{"nothing to read", []Sensor{with(func(s *Sensor) { s.Open = nil })}, ErrSensor},
	} {
		if _, err := New(Config{Sensors: tc.sensors, Clock: bubble{}}); !errors.Is(err, tc.want) {
			t.Errorf("%s: %v, want %v", tc.name, err, tc.want)
		}
	}
}

// TestPanicInOpenIsAFailure: one driver must not take the agent with it, start after start.
func TestPanicInOpenIsAFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, 0, Sensor{
			Name: "s", Interval: time.Second, Announce: announceX,
			Open: func(context.Context) (Driver, error) { panic("no such chip") },
		})
		<-time.After(1500 * time.Millisecond)
		r.stop()
		if rows := r.of("s"); len(rows) != 1 || !rows[0].Cells[0].Null {
			t.Errorf("rows %+v", rows)
		}
	})
}
