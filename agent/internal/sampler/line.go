package sampler

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/headwater-iot/headwater/shared/health"
	"github.com/headwater-iot/headwater/shared/meter"
	"github.com/headwater-iot/headwater/shared/record"
	"github.com/headwater-iot/headwater/shared/service"
)

const (
	// returnGrace is how long a read may take to notice that its time is over before it counts as hung.
	returnGrace = 250 * time.Millisecond
	// stopGrace is how long a stopping sampler waits for a read that hangs.
	stopGrace = time.Second
	// sourceGrace is how long it waits for a source: a program may take a second to end when asked, and one to be ended.
	sourceGrace = 5 * time.Second
	// failingHold keeps a single bad read out of the health page.
	failingHold = 5 * time.Second

	leastTimeout, mostTimeout = time.Second, 10 * time.Second
)

// Reasons for a null reading.
const (
	reasonOpen      = "open"
	reasonRead      = "read"
	reasonTimeout   = "timeout"
	reasonHung      = "hung"
	reasonPartial   = "partial"
	reasonKind      = "kind"
	reasonNotFinite = "not_finite"
)

// errHung is what a tick finds while an abandoned read has not returned.
var errHung = errors.New("the previous read has not returned")

// errLeft is what a source gets for a row that it emits after it was left behind.
var errLeft = errors.New("the agent has stopped")

// line is one sensor with its schedule. One goroutine, that of run, owns it.
type line struct {
	s      *Sampler
	sensor Sensor
	index  map[string]int // series as the driver calls it -> cell
	failed []record.Cell  // a failed read, with full names

	errs     map[string]*meter.Counter // by reason
	missed   *meter.Counter
	stuck    *meter.Counter
	moved    []motion // by cell
	failing  *health.Condition
	partial  *health.Condition
	hanging  *health.Condition
	standing *health.Condition
	complain throttle
	work     *worker
	pulse    *service.Pulse
	hung     bool // a read was abandoned and has not returned

	mu     sync.Mutex
	status Status // guarded by mu
}

func newLine(s *Sampler, sensor Sensor) (*line, error) {
	switch {
	case sensor.Name == "":
		return nil, ErrName
	case (sensor.Open == nil) == (sensor.Source == nil),
		sensor.Open != nil && (sensor.Interval < time.Millisecond || len(sensor.Announce) == 0):
		return nil, ErrSensor
	}
	sensor.Timeout = sensor.timeout()
	l := &line{
		s: s, sensor: sensor, index: map[string]int{}, errs: map[string]*meter.Counter{},
		failing: &health.Condition{
			Code: "sensor-failing-" + sensor.Name, Title: "sensor " + sensor.Name + " cannot be read",
			Severity: health.Warning, Hold: failingHold,
		},
		partial: &health.Condition{
			Code: "sensor-partial-" + sensor.Name, Title: "sensor " + sensor.Name + " gives some of its series only",
			Severity: health.Warning, Hold: failingHold,
		},
		hanging: &health.Condition{
			Code: "sensor-hung-" + sensor.Name, Title: "a read of sensor " + sensor.Name + " never returned",
			Severity: health.Warning,
		},
		standing: &health.Condition{
			Code: "sensor-stuck-" + sensor.Name, Title: "sensor " + sensor.Name + " repeats one value",
			Severity: health.Warning,
		},
		complain: throttle{every: logEvery},
		status:   Status{Name: sensor.Name, State: "starting", Since: time.Now()},
	}
	m := s.config.Meter
	for _, reason := range []string{reasonOpen, reasonRead, reasonTimeout, reasonHung, reasonPartial, reasonKind, reasonNotFinite} {
		l.errs[reason] = m.Counter("headwater_sampler_read_errors_total",
			"Readings that were due and came out null.", "sensor", sensor.Name, "reason", reason)
	}
	l.missed = m.Counter("headwater_sampler_missed_ticks_total", "Ticks without a row.", "sensor", sensor.Name)
	l.stuck = m.Counter("headwater_sampler_stuck_readings_total",
		"Readings marked as stuck: taken, but the value has not moved for too long.", "sensor", sensor.Name)
	l.moved = make([]motion, len(sensor.Announce))
	for i, cell := range sensor.Announce {
		l.index[cell.Series] = i
		l.failed = append(l.failed, record.FailedCell(sensor.Prefix+cell.Series, cell.Unit, cell.Kind))
	}
	return l, nil
}

func (l *line) run(ctx context.Context) {
	if l.sensor.Source != nil {
		l.runSource(ctx)
		return
	}
	l.work = newWorker(l.sensor.Open, l.s.config.Clock)
	l.pulse = l.s.config.Service.Pulse("sensor " + l.sensor.Name)
	defer l.pulse.Rest()
	defer l.stop()

	interval := l.sensor.Interval.Microseconds()
	next := (l.s.config.Clock.Monotonic()/interval + 1) * interval
	for l.sleepUntil(ctx, next) {
		// A little late is still this tick. Half an interval late, the next one is as near.
		if late := l.s.config.Clock.Monotonic() - next; late >= interval/2 {
			skip := late/interval + 1
			l.missed.Add(uint64(skip))
			next += skip * interval
			continue
		}
		l.tick(ctx)
		next += interval
	}
}

// runSource lets a source run until it ends. One that does not end when ctx does is left behind by name, as a read is.
func (l *line) runSource(ctx context.Context) {
	l.set("ok", nil)
	if w, ok := l.sensor.Source.(Watched); ok {
		w.Watch(l.fares)
	}
	var left atomic.Bool
	ended := make(chan error, 1) // room for an end that nobody waits for
	go func() {
		ended <- l.sensor.Source.Run(ctx, func(row record.Row) error {
			if left.Load() {
				return errLeft
			}
			return l.emit(row)
		})
	}()
	select {
	case err := <-ended:
		l.sourceEnded(ctx, err)
		return
	case <-ctx.Done():
	}
	grace := time.NewTimer(sourceGrace)
	defer grace.Stop()
	select {
	case <-ended:
	case <-grace.C:
		left.Store(true)
		l.s.config.Logger.Warn("a source does not end and is left behind", "sensor", l.sensor.Name)
	}
}

// emit takes a row of a source.
func (l *line) emit(row record.Row) error {
	if !row.Absolute && row.Unit == 0 {
		row.Unit, row.Time = record.Milli, l.s.begin(l)/1000
		defer l.s.end(l)
	}
	if err := l.s.accept(row); err != nil {
		l.s.m.appendErrors.Inc()
		return err
	}
	return nil
}

// sourceEnded shows why a source has no more rows.
func (l *line) sourceEnded(ctx context.Context, err error) {
	switch {
	case ctx.Err() != nil:
	case err != nil:
		l.set("failing", err)
		l.s.config.Logger.Error("source ended by an error; it is not started again", "sensor", l.sensor.Name, "error", err)
	default:
		l.set("ended", nil)
		l.s.config.Logger.Info("source has no more rows", "sensor", l.sensor.Name)
	}
}

// fares shows why a source gives no rows, or with nil that it gives them.
func (l *line) fares(err error) {
	if err == nil {
		l.recovered(nil)
		return
	}
	l.s.config.Health.Raise(l.failing, err.Error())
	l.set("failing", err)
	if held, ok := l.complain.allow(); ok {
		l.s.config.Logger.Warn("source gives no rows; it goes on by itself", "sensor", l.sensor.Name, "held_back", held, "error", err)
	}
}

// sleepUntil returns true when the monotonic clock has reached us, false when ctx ended first.
func (l *line) sleepUntil(ctx context.Context, us int64) bool {
	for {
		wait := us - l.s.config.Clock.Monotonic()
		if wait <= 0 {
			return ctx.Err() == nil
		}
		l.pulse.Due(time.Duration(wait) * time.Microsecond)
		// The timer's clock stands still while the machine sleeps and ours does not, so look again.
		timer := time.NewTimer(time.Duration(wait) * time.Microsecond)
		select {
		case <-ctx.Done():
			timer.Stop()
			return false
		case <-timer.C:
		}
	}
}

// tick reads once and hands the row on, whatever came of it.
func (l *line) tick(ctx context.Context) {
	began := l.s.begin(l)
	defer l.s.end(l)
	l.pulse.Due(l.sensor.Timeout)
	a := l.read(ctx)
	if a.reason != "" && ctx.Err() != nil {
		l.missed.Inc() // the stop of the agent ended this read, not the sensor
		return
	}
	row := record.Row{Sensor: l.sensor.Name, Unit: record.Milli, Time: began / 1000}
	if a.reason == "" {
		row.Time = a.at / 1000
		row.Cells = l.cells(a.cells, a.at)
		l.recovered(a.err)
	} else {
		row.Cells = append([]record.Cell(nil), l.failed...)
		l.errs[a.reason].Add(uint64(len(row.Cells)))
		l.blame(a)
	}
	l.pulse.Due(0)
	if err := l.s.accept(row); err != nil {
		l.s.m.dropped.Add(uint64(len(row.Cells)))
	}
}

// read asks the worker and waits for its answer, but not for ever.
func (l *line) read(ctx context.Context) answer {
	if l.hung {
		select {
		case <-l.work.answers: // what it read is long over, and was accounted for
			l.hung = false
			l.s.config.Health.Clear(l.hanging)
		default:
			return answer{reason: reasonHung, err: errHung}
		}
	}
	limited, cancel := context.WithTimeout(ctx, l.sensor.Timeout)
	defer cancel()
	l.work.requests <- limited // has room: the worker waits for a request
	select {
	case a := <-l.work.answers:
		return a
	case <-limited.Done():
	}
	grace := time.NewTimer(returnGrace)
	defer grace.Stop()
	select {
	case a := <-l.work.answers:
		return a
	case <-grace.C:
		l.hung = true
		return answer{reason: reasonTimeout, err: context.DeadlineExceeded}
	}
}

// stop ends the worker. A read that hangs is left behind by name; it ends with the process.
func (l *line) stop() {
	close(l.work.requests)
	grace := time.NewTimer(stopGrace)
	defer grace.Stop()
	select {
	case <-l.work.done:
	case <-grace.C:
		l.s.config.Logger.Warn("a read still hangs and is left behind", "sensor", l.sensor.Name)
	}
}

// blame shows what is wrong with the sensor.
func (l *line) blame(a answer) {
	state := "failing"
	if l.hung {
		state = "hung"
		l.s.config.Health.Raise(l.hanging, "it is read again when the hanging read returns")
	}
	l.s.config.Health.Raise(l.failing, a.err.Error())
	l.set(state, a.err)
	if held, ok := l.complain.allow(); ok {
		l.s.config.Logger.Warn("sensor not read; its readings are null until it answers",
			"sensor", l.sensor.Name, "reason", a.reason, "held_back", held, "error", a.err)
	}
}

// recovered shows that the sensor was read, though perhaps not all of it.
func (l *line) recovered(missing error) {
	l.s.config.Health.Clear(l.failing)
	if before := l.set("ok", missing); before != "ok" && before != "starting" {
		l.s.config.Logger.Info("sensor is read again", "sensor", l.sensor.Name)
	}
	if missing == nil {
		l.s.config.Health.Clear(l.partial)
		return
	}
	l.s.config.Health.Raise(l.partial, missing.Error())
	if held, ok := l.complain.allow(); ok {
		l.s.config.Logger.Warn("some readings of a sensor are null; the others are good",
			"sensor", l.sensor.Name, "held_back", held, "error", missing)
	}
}

// set changes the state shown and returns the one before.
func (l *line) set(state string, err error) (before string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	before = l.status.State
	if before != state {
		l.status.State, l.status.Since = state, time.Now()
	}
	l.status.Error = ""
	if err != nil {
		l.status.Error = err.Error()
	}
	return before
}
