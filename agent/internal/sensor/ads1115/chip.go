package ads1115

import (
	"context"

	"periph.io/x/conn/v3/i2c"

	"github.com/headwater-iot/headwater/agent/internal/sensor/bus"
)

// Registers of the chip.
const (
	regConversion = 0
	regConfig     = 1
	regLow        = 2
	regHigh       = 3
)

// configIdle is set in the configuration when no conversion runs; written, it starts one.
const configIdle = 0x8000

// Chip says where the chip can be, and how it is told apart. It has no register
// for its name. The thresholds of its comparator do instead: nobody has a reason
// to change them, while the configuration changes at each read.
func Chip() bus.Chip {
	return bus.Chip{Kind: "ads1115", Addresses: []uint16{0x48, 0x49, 0x4A, 0x4B}, Identify: identify}
}

func identify(ctx context.Context, b i2c.Bus, addr uint16) (string, bool) {
	for reg, want := range map[byte]uint16{regLow: 0x8000, regHigh: 0x7FFF} {
		if got, err := bus.Word(ctx, b, addr, reg); err != nil || got != want {
			return "", false
		}
	}
	return "", true
}
