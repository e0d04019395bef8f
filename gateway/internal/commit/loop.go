package commit

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/headwater-iot/headwater/gateway/internal/land"
	"github.com/headwater-iot/headwater/gateway/internal/table"
)

// Loop gathers and commits. It is run once.
type Loop struct {
	cfg    Config
	ready  chan struct{}
	once   sync.Once // closes ready
	count  instruments
	alarms alarms

	reigned bool          // the lake was ours in this run: who takes it over now is alive
	failed  bool          // the last commit did not succeed
	last    time.Duration // what the last commit took
	flushed time.Time     // when the devices table was written last
	oldest  atomic.Int64  // received time of the oldest record that waits for its commit, us wall; 0 = none
}

// New returns a loop that has not begun.
func New(cfg Config) *Loop {
	cfg = cfg.withDefaults()
	l := &Loop{cfg: cfg, ready: make(chan struct{}), count: newInstruments(cfg.Meter), alarms: newAlarms(cfg.Health)}
	cfg.Meter.GaugeFunc("headwater_land_freshness_seconds", "Age of the oldest record that waits for its commit.", l.freshness)
	return l
}

// Ready is closed once the lake is ours and the cursors are loaded: listeners may open.
func (l *Loop) Ready() <-chan struct{} { return l.ready }

func (l *Loop) freshness() float64 {
	oldest := l.oldest.Load()
	if oldest == 0 {
		return 0
	}
	return max(0, time.Since(time.UnixMicro(oldest)).Seconds())
}

// Run lands the log until ctx ends, which returns nil, or until landing is impossible: the error then wraps
// ErrForeign, ErrPartitions, ErrApart or land.ErrKind. Anything else is tried again, later and later.
func (l *Loop) Run(ctx context.Context) error {
	defer l.cfg.Pulse.Rest()
	wait := firstRetry
	for {
		l.cfg.Pulse.Due(workWithin)
		progress, err := l.reign(ctx)
		switch {
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, ErrForeign), errors.Is(err, ErrPartitions), errors.Is(err, ErrApart), errors.Is(err, land.ErrKind):
			return err
		}
		if progress {
			wait = firstRetry
		}
		l.count.retries.Inc()
		l.alarms.stalled(err)
		l.cfg.Logger.Warn("landing begins again from what the lake says", "error", err, "wait", wait)
		l.cfg.Pulse.Due(wait)
		if !sleep(ctx, wait) {
			return nil
		}
		wait = min(2*wait, lastRetry)
	}
}

// sleep waits, and returns false when ctx ends first.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// reign settles who owns the lake and lands until something is in doubt. It returns whether a commit succeeded.
func (l *Loop) reign(ctx context.Context) (progress bool, err error) {
	marks, err := l.begin(ctx)
	if err != nil {
		return false, err
	}
	l.trim(marks) // the last run may have ended between a commit and its trim, and a full log has no next commit
	for again := true; again && err == nil; {
		var landed bool
		marks, landed, again, err = l.land(ctx, marks)
		progress = progress || landed
	}
	return progress, err
}

// land reads the log from marks on and lands it until something is in doubt, or until it has to be read again because
// records were let go. It returns how far it came.
func (l *Loop) land(ctx context.Context, marks table.Marks) (at table.Marks, progress, again bool, err error) {
	records, err := l.cfg.Log.ReadFrom(marks)
	if err != nil {
		return marks, false, false, fmt.Errorf("read log from %v: %w", marks.Next, err)
	}
	open, stop := context.WithCancel(ctx)
	s := &stream{opened: make(chan *land.Opened), shed: map[int]bool{}} // handed over: what is open is bounded by the workers
	var reading sync.WaitGroup
	var readErr error // valid after reading.Wait
	reading.Go(func() { readErr = l.cfg.Lander.Open(open, records, s.opened) })
	defer func() {
		stop()
		for range s.opened { // so that a worker that holds a record can go
		}
		reading.Wait()
		err = errors.Join(err, records.Close())
	}()
	l.reigned = true
	if !l.failed {
		l.alarms.calm() // a commit that failed has to succeed before it is over
	}
	l.once.Do(func() { close(l.ready) })
	for !s.ended {
		group, err := l.gather(ctx, marks, s)
		if err != nil {
			return marks, progress, false, err
		}
		if group.Empty() && group.Records() < maxIdle {
			continue // the stream has ended
		}
		if err := l.commit(ctx, group); err != nil {
			return marks, progress, false, err
		}
		progress, marks = true, group.Marks()
	}
	if s.err != nil || s.again {
		return marks, progress, s.again, s.err
	}
	reading.Wait()
	return marks, progress, false, readErr
}

// stream is what comes of the log, decoded and in order.
type stream struct {
	opened  chan *land.Opened
	waiting []*land.Opened // did not fit the last group
	shed    map[int]bool   // partitions of which what is behind the record in front was let go
	ended   bool           // nothing comes any more
	again   bool           // because the log has to be read again
	err     error          // why, if landing knows
}

// due is when a group is to be committed.
type due struct {
	timer  *time.Timer // stopped until there is something to commit
	first  time.Time   // when there was
	spread time.Time   // when a scattered batch came last
	parts  bool        // the group has a part of a record: the rest of it, and what is behind it, waits
}

// gather fills a group until it is due, full, or the stream ends.
func (l *Loop) gather(ctx context.Context, marks table.Marks, s *stream) (*land.Group, error) {
	g := l.cfg.Lander.Begin(marks)
	l.oldest.Store(0)
	d := due{timer: time.NewTimer(l.window())}
	d.timer.Stop()
	defer d.timer.Stop()
	queue, held := s.waiting, newHold()
	defer func() { s.waiting = held.order(queue) }()
	for {
		o, more := l.next(&queue, s, &d)
		if !more {
			return g, nil
		}
		if o == nil {
			s.ended = true
			return g, nil
		}
		if held.has(o.Partition) {
			if s.shed[o.Partition] {
				continue
			}
			if held.add(o); held.bytes > l.cfg.Bytes/4 {
				s.shed[held.shed()] = true
			}
			continue
		}
		scattered, parts := g.Scattered(), g.Parts()
		took, err := g.Add(ctx, o)
		switch {
		case errors.Is(err, land.ErrKind): // what came before it lands
			s.ended, s.err = true, err
			return g, nil
		case err != nil:
			return nil, err
		case !took:
			held.wait(o, g.Parts() > parts)
			if g.Parts() == 0 {
				return g, nil
			}
			if !d.parts {
				d.parts = true
				d.timer.Reset(splitLinger)
			}
			continue
		}
		l.cfg.answer(g.Answers())
		if s.shed[o.Partition] { // the record in front has landed
			s.ended, s.again = true, true
			return g, nil
		}
		if g.Empty() {
			l.flush(ctx)
		}
		if g.Bytes() >= l.cfg.Bytes || g.Records() >= maxRecords || g.Empty() && g.Records() >= maxIdle {
			return g, nil
		}
		if g.Scattered() > scattered {
			d.spread = time.Now()
		}
		if d.first.IsZero() && !g.Empty() {
			d.first = time.Now()
			l.oldest.Store(o.Received)
			if !d.parts {
				d.timer.Reset(l.window())
			}
		}
	}
}

// next returns the next record, nil when none comes any more; more is false when the group is due instead.
func (l *Loop) next(queue *[]*land.Opened, s *stream, d *due) (o *land.Opened, more bool) {
	if len(*queue) > 0 {
		o, *queue = (*queue)[0], (*queue)[1:]
		return o, true
	}
	l.cfg.Pulse.Rest()
	defer l.cfg.Pulse.Due(workWithin)
	for {
		select {
		case o = <-s.opened:
			return o, true
		case <-d.timer.C:
			if wait := l.linger(d.first, d.spread); wait > 0 && !d.parts {
				d.timer.Reset(wait)
				continue
			}
			return nil, false
		}
	}
}

// window is how long a group gathers: longer when commits are slow, so that they do not eat the time.
func (l *Loop) window() time.Duration {
	return min(max(l.cfg.Every, 4*l.last), l.cfg.Stretch)
}

// linger is how much longer a group waits for more of an import whose rows are in no order: until none has come for Every,
// and no longer than under load. Any other import has few days in a batch, and live data need not wait for it.
func (l *Loop) linger(first, spread time.Time) time.Duration {
	if spread.IsZero() {
		return 0
	}
	return min(time.Until(spread.Add(l.cfg.Every)), time.Until(first.Add(l.cfg.Stretch)))
}

// commit lands a group, and tells.
func (l *Loop) commit(ctx context.Context, g *land.Group) error {
	ctx, done := outlive(ctx, StopWithin)
	defer done()
	start := time.Now()
	c := g.Commit(start.UnixMicro())
	if err := l.cfg.Lake.Commit(ctx, c); err != nil {
		l.failed = true
		return l.doubt(err)
	}
	l.failed = false
	l.last = time.Since(start)
	l.count.committed(l.last, c)
	l.alarms.calm()
	l.oldest.Store(0)
	l.cfg.Landed(g.Settle())
	l.trim(g.Marks())
	l.flush(ctx)
	return nil
}

// trim tells the log what has landed.
func (l *Loop) trim(marks table.Marks) {
	if err := l.cfg.Log.Trim(marks); err != nil {
		l.cfg.Logger.Warn("the log could not be trimmed; the next commit tries again", "error", err)
	}
}

// doubt says what an error of the lake means for this loop.
func (l *Loop) doubt(err error) error {
	switch l.cfg.Outcome(err) {
	case Foreign:
		l.alarms.usurped(err)
		return fmt.Errorf("commit: %w: %w", ErrForeign, err)
	case Unknown:
		l.count.unknown.Inc()
	case Conflict, Stale:
		l.count.conflicts.Inc()
	}
	return fmt.Errorf("commit: %w", err)
}

// flush writes the devices table now and then. It gates nothing: a failure is said, and the next hello tries again.
func (l *Loop) flush(ctx context.Context) {
	if l.cfg.Devices == nil || !l.flushed.IsZero() && time.Since(l.flushed) < devicesEvery {
		return
	}
	rows, changed := l.cfg.Lander.Devices()
	if !changed {
		return
	}
	l.flushed = time.Now()
	if err := l.cfg.Devices(ctx, rows); err != nil {
		l.cfg.Logger.Warn("the devices table was not written; nothing depends on it", "error", err)
	}
}

// outlive returns a context that ends some time after its parent: a commit that has begun is worth waiting for.
func outlive(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	out, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() {
		select {
		case <-time.After(d):
			cancel()
		case <-out.Done():
		}
	})
	return out, func() { stop(); cancel() }
}
