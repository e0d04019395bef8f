package bme280

import (
	"context"

	"periph.io/x/conn/v3/i2c"

	"github.com/headwater-iot/headwater/agent/internal/sensor/bus"
)

// Registers that are asked besides the driver, or looked at over its shoulder.
const (
	regID      = 0xD0
	regCtrlHum = 0xF2
	regData    = 0xF7 // pressure, temperature, humidity: 3 + 3 + 2 bytes
)

// Chip says where the chips of this package are, and how they are told apart.
func Chip() bus.Chip {
	return bus.Chip{Kind: "bme280", Addresses: []uint16{0x76, 0x77}, Identify: identify}
}

func identify(ctx context.Context, b i2c.Bus, addr uint16) (string, bool) {
	var id [1]byte
	if ctx.Err() != nil || b.Tx(addr, []byte{regID}, id[:]) != nil {
		return "", false
	}
	switch id[0] {
	case 0x60:
		return "", true
	case 0x58:
		return "model: bmp280", true
	case 0x55:
		return "model: bmp180", true
	}
	return "", false
}
