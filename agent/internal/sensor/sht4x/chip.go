package sht4x

import (
	"context"
	"time"

	"periph.io/x/conn/v3/i2c"

	"github.com/headwater-iot/headwater/agent/internal/sensor/bus"
)

// cmdSerial asks for the serial number: two words, each with its CRC.
const cmdSerial = 0x89

// Chip says where the chip can be, and how it is told apart: by the checksums of its serial number.
func Chip() bus.Chip {
	return bus.Chip{Kind: "sht4x", Addresses: []uint16{0x44, 0x45, 0x46}, Identify: identify}
}

func identify(ctx context.Context, b i2c.Bus, addr uint16) (string, bool) {
	_, _, err := ask(ctx, b, addr, cmdSerial, time.Millisecond)
	return "", err == nil
}
