package bus

import (
	"context"
	"slices"

	"periph.io/x/conn/v3/i2c"
)

// Chip is what a kind of sensor looks like on an I2C bus, for a caller that looks for sensors.
type Chip struct {
	Kind      string   // the section of its settings
	Addresses []uint16 // where it can be

	// Identify tells whether the chip at addr, one of Addresses, is of this kind,
	// and what its section needs besides bus and address, such as "model: bmp280".
	// It writes nothing but register pointers and harmless commands, so that it may
	// be tried on a chip of another kind. Another process that reads the chip at the
	// same moment may take the answer for its own: stop the agent before.
	Identify func(ctx context.Context, b i2c.Bus, addr uint16) (more string, ok bool)
}

// Is returns an Identify for a chip that answers to a register pointer with one of some values.
func Is(reg byte, values ...uint16) func(context.Context, i2c.Bus, uint16) (string, bool) {
	return func(ctx context.Context, b i2c.Bus, addr uint16) (string, bool) {
		got, err := Word(ctx, b, addr, reg)
		return "", err == nil && slices.Contains(values, got)
	}
}

// Word reads a register of two bytes, the high one first.
func Word(ctx context.Context, b i2c.Bus, addr uint16, reg byte) (uint16, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	var r [2]byte
	if err := b.Tx(addr, []byte{reg}, r[:]); err != nil {
		return 0, err
	}
	return uint16(r[0])<<8 | uint16(r[1]), nil
}
