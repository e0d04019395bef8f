package sampler

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/headwater-iot/headwater/shared/health"
	"github.com/headwater-iot/headwater/shared/meter"
	"github.com/headwater-iot/headwater/shared/record"
	"github.com/headwater-iot/headwater/shared/service"
)

// Driver reads one sensor. Read is called by one goroutine at a time and should
// return soon after its ctx ends. An error without cells means that nothing was
// read, one beside cells says why the others are missing. If the
// driver has Close() error, the same goroutine calls it.
type Driver interface {
	Read(ctx context.Context) ([]record.Cell, error)
}

// Source makes rows by itself. Run is called once; nil means that there are no
// more rows. An error of emit says that the row was not accepted. A row with neither
// a wall time nor a unit of time gets that of its emit, as one of a driver has that of its read.
type Source interface {
	Run(ctx context.Context, emit func(record.Row) error) error
}

// Watched is a Source that tells how it fares. Watch is called once, before Run;
// report says why there are no rows, nil that there are, and is called by one goroutine at a time.
type Watched interface {
	Watch(report func(error))
}

// Clock tells monotonic time in us since boot.
type Clock interface {
	Monotonic() int64
}

// Sensor is what is to be sampled, and when. Either Open or Source is set.
type Sensor struct {
	Name     string        // groups the series into rows; unique
	Prefix   string        // goes in front of the series names of a driver
	Interval time.Duration // between ticks; 0 for a source without a schedule
	Timeout  time.Duration // of one read; 0 = the interval, but 1 s to 10 s
	Stuck    time.Duration // a value that has not moved for so long is marked; 0 = never
	Announce []record.Cell // what a failed read looks like; series are unique on the device
	Open     func(ctx context.Context) (Driver, error)
	Source   Source
}

// Config says what a Sampler works with. Meter, Health and Service may be nil.
type Config struct {
	Sensors []Sensor
	Clock   Clock
	Append  func(record.Row) error // nil error: accepted
	Logger  *slog.Logger
	Meter   *meter.Registry
	Health  *health.Board
	Service *service.Manager // each sensor that is read by a schedule shows it a pulse
}

// Sampler reads all sensors.
type Sampler struct {
	config Config
	lines  []*line
	m      metrics

	refusing *health.Condition // the outbox takes no rows
	refused  throttle

	mu      sync.Mutex
	reading map[*line]int64 // guarded by mu: when the read that runs began, us
}

// metrics are those that all sensors share.
type metrics struct {
	rows, readings, unannounced, dropped, appendErrors *meter.Counter
}

// New checks the sensors and returns a sampler for them. It starts nothing.
func New(c Config) (*Sampler, error) {
	s := &Sampler{
		config: c,
		m: metrics{
			rows:        c.Meter.Counter("headwater_sampler_rows_total", "Rows that the outbox accepted."),
			readings:    c.Meter.Counter("headwater_sampler_readings_total", "Readings in accepted rows, null ones included."),
			unannounced: c.Meter.Counter("headwater_sampler_unannounced_total", "Cells of series that their driver never announced."),
			dropped:     c.Meter.Counter("headwater_sampler_dropped_total", "Readings that were taken and then not accepted.", "reason", "append"),
			appendErrors: c.Meter.Counter("headwater_sampler_append_errors_total",
				"Rows of sources that were not accepted at once; the source offers them again."),
		},
		refusing: &health.Condition{
			Code: "readings-refused", Title: "readings are taken but the outbox does not accept them", Severity: health.Error,
		},
		refused: throttle{every: logEvery},
		reading: map[*line]int64{},
	}
	names, series := map[string]bool{}, map[string]string{}
	for _, sensor := range c.Sensors {
		l, err := newLine(s, sensor)
		if err != nil {
			return nil, fmt.Errorf("sensor %q: %w", sensor.Name, err)
		}
		if names[sensor.Name] {
			return nil, fmt.Errorf("sensor %q: %w", sensor.Name, ErrName)
		}
		names[sensor.Name] = true
		for _, cell := range l.failed {
			if other, taken := series[cell.Series]; taken {
				return nil, fmt.Errorf("sensor %q: %w: %s is also of sensor %q (give one of them a prefix)",
					sensor.Name, ErrSeries, cell.Series, other)
			}
			series[cell.Series] = sensor.Name
		}
		s.lines = append(s.lines, l)
	}
	return s, nil
}

// What New refuses.
var (
	ErrName   = errors.New("the name is empty or used twice")
	ErrSeries = errors.New("a series is announced twice")
	ErrSensor = errors.New("needs a driver with a positive interval and series, or a source")
)

// Run samples until ctx ends. It never fails: what goes wrong with one sensor is that sensor's matter.
func (s *Sampler) Run(ctx context.Context) error {
	var wg sync.WaitGroup
	for _, l := range s.lines {
		wg.Go(func() { l.run(ctx) })
	}
	<-ctx.Done()
	wg.Wait()
	return nil
}

// Schedule returns the interval in ms of every scheduled series, as a hello announces it.
func (s *Sampler) Schedule() map[string]uint64 {
	out := map[string]uint64{}
	for _, l := range s.lines {
		if ms := l.sensor.Interval.Milliseconds(); ms > 0 {
			for _, cell := range l.failed {
				out[cell.Series] = uint64(ms)
			}
		}
	}
	return out
}

// Promise returns the ms since boot below which no row of a driver will come any
// more: now, or the beginning of the oldest read that runs.
func (s *Sampler) Promise() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	floor := s.config.Clock.Monotonic()
	for _, began := range s.reading {
		floor = min(floor, began)
	}
	return floor / 1000
}

// timeout is that of the sensor, or the default.
func (s Sensor) timeout() time.Duration {
	if s.Timeout > 0 {
		return s.Timeout
	}
	return min(max(s.Interval, leastTimeout), mostTimeout)
}

// begin notes that l reads from now on. The clock is read under the lock, so
// that no Promise can pass between the look at the clock and the note.
func (s *Sampler) begin(l *line) int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.config.Clock.Monotonic()
	s.reading[l] = now
	return now
}

// end notes that the row of l has been handed on.
func (s *Sampler) end(l *line) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.reading, l)
}

// accept hands a row on and counts it.
func (s *Sampler) accept(row record.Row) error {
	if err := s.config.Append(row); err != nil {
		s.config.Health.Raise(s.refusing, err.Error())
		if held, ok := s.refused.allow(); ok {
			s.config.Logger.Error("row not accepted; sampling goes on",
				"sensor", row.Sensor, "readings", len(row.Cells), "held_back", held, "error", err)
		}
		return err
	}
	s.config.Health.Clear(s.refusing)
	s.m.rows.Inc()
	s.m.readings.Add(uint64(len(row.Cells)))
	return nil
}

// Status is what a sensor is doing.
type Status struct {
	Name  string    `json:"name"`
	State string    `json:"state"` // starting, ok, failing, hung, ended
	Error string    `json:"error,omitempty"`
	Since time.Time `json:"since"` // of the state
}

// Status returns the state of every sensor, in the order of the configuration.
func (s *Sampler) Status() []Status {
	out := make([]Status, len(s.lines))
	for i, l := range s.lines {
		l.mu.Lock()
		out[i] = l.status
		l.mu.Unlock()
	}
	return out
}

// logEvery bounds how often one complaint is repeated.
const logEvery = time.Minute

// throttle lets one message through per period and counts the others.
type throttle struct {
	every time.Duration

	mu   sync.Mutex
	last time.Time
	held int
}

// allow tells whether to log now, and how many were held back since the last time.
func (t *throttle) allow() (held int, ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := time.Now()
	if !t.last.IsZero() && now.Sub(t.last) < t.every {
		t.held++
		return 0, false
	}
	held, t.held, t.last = t.held, 0, now
	return held, true
}
