package sampler

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/headwater-iot/headwater/shared/record"
)

const (
	// reopenAfter failed reads in a row, the driver is closed and opened anew.
	reopenAfter = 3
	// The pause between openings doubles from the first to the last.
	firstPause, lastPause = time.Second, time.Minute
)

// worker opens, reads and closes one driver, in a goroutine that may hang.
type worker struct {
	open  func(ctx context.Context) (Driver, error)
	clock Clock

	requests chan context.Context // room for one, so that a request never blocks
	answers  chan answer          // room for one, so that an answer nobody waits for does not block
	done     chan struct{}        // closed when the goroutine has ended

	// The goroutine owns these.
	driver   Driver
	failures int           // in a row
	pause    time.Duration // before the next opening, if this one fails
	until    int64         // us; no opening before
	last     error         // of the latest opening, or that led to it
}

// answer is what came of a request.
type answer struct {
	cells  []record.Cell
	at     int64  // us since boot, the middle of the read
	reason string // "" = read
	err    error  // beside cells: why others are missing
}

func newWorker(open func(context.Context) (Driver, error), clock Clock) *worker {
	w := &worker{
		open: open, clock: clock, pause: firstPause,
		requests: make(chan context.Context, 1), answers: make(chan answer, 1), done: make(chan struct{}),
	}
	go w.run() // line.stop waits for done
	return w
}

func (w *worker) run() {
	defer close(w.done)
	for ctx := range w.requests {
		w.answers <- w.serve(ctx)
	}
	_ = w.close() // the sensor is not needed any more, and the next start opens it anew
}

// serve reads once, and opens the driver first where it must.
func (w *worker) serve(ctx context.Context) answer {
	if w.driver == nil {
		if err := w.reopen(ctx); err != nil {
			return answer{reason: reasonOpen, err: err}
		}
	}
	from := w.clock.Monotonic()
	cells, err := w.read(ctx)
	if err == nil || len(cells) > 0 {
		w.failures, w.pause = 0, firstPause
		return answer{cells: cells, err: err, at: from + (w.clock.Monotonic()-from)/2}
	}
	if w.failures++; w.failures >= reopenAfter {
		w.last = errors.Join(err, w.close())
		w.rest()
	}
	if errors.Is(err, context.DeadlineExceeded) || ctx.Err() != nil {
		return answer{reason: reasonTimeout, err: err}
	}
	return answer{reason: reasonRead, err: err}
}

// read reads the driver. A driver that panics on what its chip said has failed to
// read; it must not take the other sensors with it.
func (w *worker) read(ctx context.Context) (cells []record.Cell, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("driver panicked: %v", p)
		}
	}()
	return w.driver.Read(ctx)
}

// reopen opens the driver unless it is too early for another try.
func (w *worker) reopen(ctx context.Context) error {
	if w.clock.Monotonic() < w.until {
		return fmt.Errorf("waiting to open it again: %w", w.last)
	}
	d, err := w.attempt(ctx)
	if err != nil {
		w.last = err
		w.rest()
		return err
	}
	// One more failure closes it again; only a good read clears the record.
	w.driver, w.failures = d, max(w.failures-1, 0)
	return nil
}

// attempt opens the driver. A panic is a failure, as in read.
func (w *worker) attempt(ctx context.Context) (d Driver, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("driver panicked: %v", p)
		}
	}()
	return w.open(ctx)
}

// rest puts off the next opening.
func (w *worker) rest() {
	w.until = w.clock.Monotonic() + w.pause.Microseconds()
	w.pause = min(2*w.pause, lastPause)
}

func (w *worker) close() error {
	d := w.driver
	w.driver = nil
	if c, ok := d.(io.Closer); ok {
		return c.Close()
	}
	return nil
}
