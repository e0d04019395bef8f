package run

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"
)

var (
	// ErrEndedEarly is returned for a stage whose Run returned nil while nobody had asked it to stop.
	ErrEndedEarly = errors.New("ended without being asked to")
	// ErrOverstayed is returned for a stage that was asked to stop and did not within its StopWithin.
	ErrOverstayed = errors.New("did not stop in time")
)

// DefaultStopWithin is the deadline of a stage that names none.
const DefaultStopWithin = 10 * time.Second

// Stage is one part of a program with a life of its own.
type Stage struct {
	Name string
	// Run does the work until ctx is done. It may return ctx's error; that is not a failure then.
	Run func(ctx context.Context) error
	// Ready is closed when the next stage may start. nil means at once.
	Ready <-chan struct{}
	// StopWithin is how long the stage may take to end. Zero means DefaultStopWithin.
	StopWithin time.Duration
}

// running is a started stage.
type running struct {
	Stage
	stop context.CancelFunc
	err  error         // valid once done is closed
	done chan struct{} // closed when Run has returned
}

// Run runs the stages until ctx is done or one of them ends, then stops them all and returns their
// errors joined, each with the name of its stage.
func Run(ctx context.Context, logger *slog.Logger, stages ...Stage) error {
	ended := make(chan struct{}, len(stages)) // one token per stage that has returned
	var up []*running
	carryOn := ctx.Err() == nil
	for i := 0; i < len(stages) && carryOn; i++ {
		up = append(up, start(ctx, stages[i], ended))
		logger.Debug("stage started", "stage", stages[i].Name)
		carryOn = waitReady(ctx, stages[i].Ready, ended)
	}
	if carryOn {
		select {
		case <-ctx.Done():
		case <-ended:
		}
	}
	return stopAll(logger, up)
}

// start runs s on a context that does not end with the parent's: stages are stopped one by one.
func start(ctx context.Context, s Stage, ended chan<- struct{}) *running {
	own, cancel := context.WithCancel(context.WithoutCancel(ctx))
	r := &running{Stage: s, stop: cancel, done: make(chan struct{})}
	go func() {
		defer func() { ended <- struct{}{} }()
		defer close(r.done)
		err := s.Run(own)
		switch {
		case err == nil && own.Err() == nil && ctx.Err() == nil:
			r.err = fmt.Errorf("%s: %w", s.Name, ErrEndedEarly)
		case own.Err() != nil && errors.Is(err, context.Canceled):
			// It was asked to stop, and says so.
		case err != nil:
			r.err = fmt.Errorf("%s: %w", s.Name, err)
		}
	}()
	return r
}

// waitReady waits until the last started stage is ready, and reports whether to carry on: not if a
// stage has ended or ctx is done.
func waitReady(ctx context.Context, ready <-chan struct{}, ended <-chan struct{}) bool {
	if ready != nil {
		select {
		case <-ready:
		case <-ctx.Done():
			return false
		case <-ended:
			return false
		}
	}
	return ctx.Err() == nil && len(ended) == 0
}

// stopAll stops the stages in reverse and collects their errors, in the order of the stages.
func stopAll(logger *slog.Logger, up []*running) error {
	errs := make([]error, len(up))
	for i := len(up) - 1; i >= 0; i-- {
		errs[i] = stopOne(logger, up[i])
	}
	return errors.Join(errs...)
}

func stopOne(logger *slog.Logger, r *running) error {
	within := r.StopWithin
	if within == 0 {
		within = DefaultStopWithin
	}
	deadline := time.NewTimer(within)
	defer deadline.Stop()
	begin := time.Now()
	r.stop()
	select {
	case <-r.done:
		logger.Debug("stage stopped", "stage", r.Name, "took", time.Since(begin))
		return r.err
	case <-deadline.C:
		logger.Error("stage did not stop in time and is left behind", "stage", r.Name, "waited", within)
		return fmt.Errorf("%s: %w (%s)", r.Name, ErrOverstayed, within)
	}
}
