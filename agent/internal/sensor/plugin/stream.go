package plugin

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/headwater-iot/headwater/agent/internal/sensor"
	"github.com/headwater-iot/headwater/shared/record"
)

const (
	// The pause before a stream is started again doubles from the first to the last, and begins anew after it has
	// run for longer than the last.
	firstPause, lastPause = time.Second, time.Minute
	// worrying is how many bad lines in a row show in the state of the sensor.
	worrying = 3
)

// Errors of a stream.
var (
	// ErrSilent means that a stream gave no row for longer than the timeout of its sensor.
	ErrSilent = errors.New("no row for longer than its timeout")
	// ErrEnded means that a stream ended, well or not.
	ErrEnded = errors.New("it ended")
)

// Watch sets whom to tell how the plug-in fares.
func (p *Plugin) Watch(report func(error)) { p.report = report }

// Run keeps the command running until ctx ends.
func (p *Plugin) Run(ctx context.Context, emit func(record.Row) error) error {
	for pause := firstPause; ; pause = min(2*pause, lastPause) {
		began := time.Now()
		err := p.stream(ctx, emit)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		why := reasonExit
		if errors.Is(err, ErrSilent) {
			why = reasonSilent
		}
		p.ends[why].Inc()
		if time.Since(began) > lastPause {
			pause = firstPause
		}
		p.report(fmt.Errorf("started again in %v: %w", pause, err))
		if err := sensor.Pause(ctx, pause); err != nil {
			return err
		}
	}
}

// stream runs the command once, and says why it ended.
func (p *Plugin) stream(ctx context.Context, emit func(record.Row) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	patience := p.config.Silence
	if patience <= 0 {
		patience = 100 * 365 * 24 * time.Hour // for ever
	}
	due := time.Now().Add(patience)
	silence := time.AfterFunc(patience, func() { cancel(ErrSilent) })
	defer silence.Stop()
	bad := 0
	err := p.run(ctx, true, func(item []byte, err error) error {
		silence.Stop() // waiting for the outbox is not the plug-in's silence
		if err == nil {
			err = p.pass(ctx, item, emit)
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err == nil {
			bad, due = 0, time.Now().Add(patience)
			p.report(nil)
		} else {
			p.refuse(reason(err), item, err)
			if bad++; bad >= worrying {
				p.report(fmt.Errorf("%d bad lines in a row, the last one: %w", bad, err))
			}
		}
		silence.Reset(time.Until(due))
		return nil
	})
	if err == nil {
		err = ErrEnded
	}
	return err
}

// pass hands on the rows of a line.
func (p *Plugin) pass(ctx context.Context, item []byte, emit func(record.Row) error) error {
	rows, err := decode(p.settings.Format, item)
	if err != nil {
		return err
	}
	for _, said := range rows {
		row := record.Row{Sensor: p.config.Name}
		if row.Time, row.Unit, err = p.at(said); err != nil {
			return err
		}
		row.Absolute = row.Unit != 0
		if row.Cells = prefixed(p.cells(said), p.config.Prefix); len(row.Cells) == 0 {
			continue
		}
		if err := sensor.Offer(ctx, emit, row); err != nil {
			return err
		}
	}
	return nil
}
