package bus

import (
	"context"
	"errors"
	"fmt"
	"time"

	"periph.io/x/conn/v3/i2c"
)

// ErrReset reports a chip that has forgotten its settings: it lost power for a moment.
var ErrReset = errors.New("the chip has lost its settings, as after a loss of power")

// ErrBusy reports a chip that does not finish what it was told to measure.
var ErrBusy = errors.New("the chip does not finish its measurement")

// ErrGarbled reports an answer that the chip cannot have given.
var ErrGarbled = errors.New("the answer is not this chip's (another chip, or a fault of the wires?)")

// Guard is a bus that refuses transactions once the work they belong to has ended,
// and remembers why one failed. periph's drivers know no context, some ask a busy
// chip again without end, and some drop the cause of their errors.
type Guard struct {
	i2c.BusCloser

	// Before, if set, runs before each transaction, and may refuse it.
	Before func(w, r []byte) error
	// Seen, if set, gets what a transaction wrote and read.
	Seen func(w, r []byte)

	ended func() error
	cause error
}

// Do runs work for as long as ctx lasts. The error has the cause that the driver may have dropped.
func (g *Guard) Do(ctx context.Context, work func() error) error {
	g.ended, g.cause = ctx.Err, nil
	err := work()
	if err == nil || g.cause == nil || errors.Is(err, g.cause) {
		return err
	}
	return fmt.Errorf("%w: %w", err, g.cause)
}

// Tx implements i2c.Bus.
func (g *Guard) Tx(addr uint16, w, r []byte) error {
	err := g.ended()
	if err == nil && g.Before != nil {
		err = g.Before(w, r)
	}
	if err == nil {
		err = g.BusCloser.Tx(addr, w, r)
	}
	if err != nil {
		g.cause = err
		return err
	}
	g.cause = nil // a driver that goes on had a use for the refusal
	if g.Seen != nil {
		g.Seen(w, r)
	}
	return nil
}

// NotOpened closes the bus of a chip that could not be opened, and says what to look at.
func NotOpened(b i2c.BusCloser, addr uint16, err error) error {
	_ = b.Close() // the other error is the one to show
	return fmt.Errorf("open chip at %#x on %s: %w (is it wired, powered, and at this address?)", addr, b, err)
}

// Sleep waits for a time, or until ctx ends.
func Sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
