package sensor

import (
	"context"
	"errors"
	"time"

	"github.com/headwater-iot/headwater/shared/record"
)

const firstPause, lastPause = 100 * time.Millisecond, 5 * time.Second

// Offer emits a row of a source until it is accepted, or never will be: emit's owner logs and counts.
func Offer(ctx context.Context, emit func(record.Row) error, row record.Row) error {
	for pause := firstPause; ; pause = min(2*pause, lastPause) {
		if err := emit(row); err == nil || errors.Is(err, record.ErrRow) {
			return nil
		}
		if err := Pause(ctx, pause); err != nil {
			return err
		}
	}
}

// Pause returns after d, or with ctx's error when that ends first.
func Pause(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
