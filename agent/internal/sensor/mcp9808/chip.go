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
	maker, ok := bus.Word(ctx, b, addr, regMaker)
	if !ok || maker != 0x0054 {
		return "", false
	}
	model, ok := bus.Word(ctx, b, addr, regModel)
	return "", ok && model>>8 == 0x04
}
