package profile

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/headwater-iot/headwater/gateway/internal/table"
	"github.com/headwater-iot/headwater/shared/meter"
)

// memory is a lake without a disk: readings by day, each with the sequence number that it came with.
type memory struct {
	sequence int64
	readings map[int32][]arrived
	rows     map[int32][]table.Profile
	reads    []int32 // days, in order; a pass each
	broken   int32   // a day that cannot be read, once; 0 = none
}

type arrived struct {
	table.Sample
	sequence int64
}

func newMemory() *memory {
	return &memory{readings: make(map[int32][]arrived), rows: make(map[int32][]table.Profile)}
}

// land is a commit of one series.
func (m *memory) land(day int32, device, series string, values ...float64) {
	m.sequence++
	for _, v := range values {
		s := table.Sample{Device: device, Series: series, Number: v, Exact: true}
		m.readings[day] = append(m.readings[day], arrived{s, m.sequence})
	}
}

func (m *memory) Touched(_ context.Context, since int64) (map[int32]int64, int64, error) {
	days := make(map[int32]int64)
	for day, all := range m.readings {
		for _, r := range all {
			if r.sequence > since {
				days[day] = max(days[day], r.sequence)
			}
		}
	}
	return days, m.sequence, nil
}

func (m *memory) OpenDay(_ context.Context, day int32) (Day, error) {
	return &memoryDay{m, day, m.sequence}, nil
}

type memoryDay struct {
	m        *memory
	day      int32
	sequence int64
}

func (d *memoryDay) Moment() (snapshot, sequence int64) { return d.sequence + 1000, d.sequence }

func (d *memoryDay) Read(_ context.Context, _ string, each func([]table.Sample) error) error {
	if d.day == d.m.broken {
		d.m.broken = 0
		return errBroken
	}
	d.m.reads = append(d.m.reads, d.day)
	for chunk := range slices.Chunk(d.m.readings[d.day], 3) {
		var samples []table.Sample
		for _, r := range chunk {
			samples = append(samples, r.Sample)
		}
		if err := each(samples); err != nil {
			return err
		}
	}
	return nil
}

func (m *memory) ProfiledDays(context.Context) (map[int32]int64, error) {
	days := make(map[int32]int64)
	for day, rows := range m.rows {
		if len(rows) > 0 {
			days[day] = rows[0].Sequence
		}
	}
	return days, nil
}

func (m *memory) Profiles(_ context.Context, day int32) ([]table.Profile, error) {
	return slices.Clone(m.rows[day]), nil
}

func (m *memory) ReplaceProfiles(_ context.Context, days []int32, rows []table.Profile) error {
	for _, d := range days {
		delete(m.rows, d)
	}
	for _, r := range rows {
		m.rows[r.Day] = append(m.rows[r.Day], r)
	}
	return nil
}

var errBroken = errors.New("cannot be read")

func newJob(m *memory) *Job {
	return NewJob(Config{Lake: m, Every: time.Minute, Logger: slog.New(slog.DiscardHandler), Meter: meter.New()})
}

func once(t *testing.T, j *Job) {
	t.Helper()
	if err := j.Once(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// brief is what a test looks at of a row.
type brief struct {
	Device, Series string
	Count          int64
	P50, Drift     float64
}

func (m *memory) brief(day int32) []brief {
	var all []brief
	for _, r := range m.rows[day] {
		all = append(all, brief{r.Device, r.Series, r.Count, r.P50, r.Drift})
	}
	return all
}

func same(t *testing.T, what string, want, got []brief) {
	t.Helper()
	if diff := cmp.Diff(want, got, cmpopts.EquateNaNs(), cmpopts.EquateApprox(0.03, 0)); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

// TestLateReadings: readings of an old day move its row, the drift of the day a week later, and nothing else.
func TestLateReadings(t *testing.T) {
	m := newMemory()
	j := newJob(m)
	m.land(107, "a", "temp", 21, 22, 23)
	m.land(108, "a", "temp", 1)
	once(t, j)
	same(t, "before", []brief{{"a", "temp", 3, 22, math.NaN()}}, m.brief(107))

	m.reads = nil
	m.land(100, "a", "temp", 18, 20, 22)
	m.land(100, "a", "hum", 50)
	once(t, j)
	if want := []int32{100}; !slices.Equal(m.reads, want) {
		t.Errorf("days %v were read again, want %v", m.reads, want)
	}
	same(t, "late day", []brief{{"a", "hum", 1, 50, math.NaN()}, {"a", "temp", 3, 20, math.NaN()}}, m.brief(100))
	same(t, "a week later", []brief{{"a", "temp", 3, 22, 1}}, m.brief(107)) // of three, p95 is the middle one

	m.land(107, "a", "temp", 24)
	once(t, j)
	same(t, "more of today", []brief{{"a", "temp", 4, 22, 1}}, m.brief(107))
}

// TestRestart: a new job reads what came since, and nothing again.
func TestRestart(t *testing.T) {
	m := newMemory()
	m.land(1, "a", "temp", 1)
	m.land(2, "a", "temp", 1)
	once(t, newJob(m))
	m.land(1, "a", "temp", 2)
	m.reads = nil
	once(t, newJob(m))
	once(t, newJob(m))
	if want := []int32{1}; !slices.Equal(m.reads, want) {
		t.Errorf("days %v were read, want %v", m.reads, want)
	}
	if got := m.rows[1][0]; got.Count != 2 || got.Sequence != 3 || got.Snapshot != 1003 {
		t.Errorf("row is %+v", got)
	}
}

// TestBrokenDay does not keep the others from their rows, and is tried again.
func TestBrokenDay(t *testing.T) {
	m := newMemory()
	for day := range int32(3) {
		m.land(10+day, "a", "temp", 1)
	}
	m.broken = 11
	j := newJob(m)
	if err := j.Once(t.Context()); !errors.Is(err, errBroken) {
		t.Fatalf("error is %v", err)
	}
	once(t, j)
	if want := []int32{12, 10, 11}; !slices.Equal(m.reads, want) {
		t.Errorf("days %v were read, want %v", m.reads, want)
	}
}

// TestMoreSeriesThanRoom: a day with many series takes several passes and gives the same rows, whatever the order.
func TestMoreSeriesThanRoom(t *testing.T) {
	m := newMemory()
	var want []brief
	for round := range 3 {
		for i := range 50 {
			at := i * 17 % 50 // no order that the passes know
			m.land(5, fmt.Sprintf("dev-%02d", at/5), fmt.Sprintf("s%d", at%5), float64(at+round))
		}
	}
	for i := range 50 {
		want = append(want, brief{fmt.Sprintf("dev-%02d", i/5), fmt.Sprintf("s%d", i%5), 3, float64(i + 1), math.NaN()})
	}
	for _, room := range []int{1, 7, 49, 50, 51} {
		m.rows = make(map[int32][]table.Profile)
		m.reads = nil
		j := newJob(m)
		j.series = room
		once(t, j)
		same(t, fmt.Sprintf("room for %d series", room), want, m.brief(5))
		if passes := (49 + room) / room; len(m.reads) != passes {
			t.Errorf("room for %d series: %d passes, want %d", room, len(m.reads), passes)
		}
	}
}

// TestRun works now and then, goes on after a failure, and is off with 0.
func TestRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory()
		m.broken = 1
		m.land(1, "a", "temp", 1)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		j := newJob(m)
		off := NewJob(Config{Lake: newMemory(), Logger: slog.New(slog.DiscardHandler), Meter: meter.New()})
		ended := make(chan error)
		go func() { ended <- j.Run(ctx) }()
		go func() { ended <- off.Run(ctx) }()
		time.Sleep(j.cfg.Every + time.Second)
		synctest.Wait()
		if j.rows.Value() != 0 || j.failed.Value() != 1 {
			t.Errorf("%d rows and %d failures after the first round", j.rows.Value(), j.failed.Value())
		}
		time.Sleep(j.cfg.Every)
		synctest.Wait()
		if j.rows.Value() != 1 || j.failed.Value() != 1 {
			t.Errorf("%d rows and %d failures after the second round", j.rows.Value(), j.failed.Value())
		}
		cancel()
		for range 2 {
			if err := <-ended; err != nil {
				t.Error(err)
			}
		}
	})
}
