package mcp9808

import (
	"context"

	"periph.io/x/conn/v3/i2c"

	"github.com/headwater-iot/headwater/agent/internal/sensor/bus"
)

// Registers that hold who made the chip and what it is.
const (
	regMaker = 0x06 // 0x0054: Microchip
	regModel = 0x07 // 0x04 and a revision
)

// Chip says where the chip can be, and how it is told apart.
func Chip() bus.Chip {
	return bus.Chip{
		Kind:      "mcp9808",
		Addresses: []uint16{0x18, 0x19, 0x1A, 0x1B, 0x1C, 0x1D, 0x1E, 0x1F},
		Identify:  identify,
	}
}

func identify(ctx context.Context, b i2c.Bus, addr uint16) (string, bool) {
	return "", who(ctx, b, addr) == nil
}

// who returns nil when an MCP9808 answers.
func who(ctx context.Context, b i2c.Bus, addr uint16) error {
	maker, err := bus.Word(ctx, b, addr, regMaker)
	if err != nil {
		return err
	}
	model, err := bus.Word(ctx, b, addr, regModel)
	if err == nil && (maker != 0x0054 || model>>8 != 0x04) {
		err = bus.ErrGarbled
	}
	return err
}
