package ds18b20

import (
	"context"

	"periph.io/x/conn/v3/i2c"

	"github.com/headwater-iot/headwater/agent/internal/sensor/bus"
)

// Chip says where the DS2482 can be that has the 1-wire bus, and how it is told
// apart. An MCP9808 can have the same addresses: ask for that one first.
func Chip() bus.Chip {
	return bus.Chip{Kind: "ds18b20", Addresses: []uint16{0x18, 0x19}, Identify: identify}
}

// Commands, pointers and bits of the DS2482.
const (
	cmdPointer  = 0xE1
	ptrStatus   = 0xF0
	statusReset = 0x18 // nothing happened since the reset, and the wire is high
)

// identify reads without a pointer first: a chip that has just been powered says
// its status. Only one that does is asked again with a pointer, since a pointer
// could be a write to a register of another chip.
func identify(ctx context.Context, b i2c.Bus, addr uint16) (string, bool) {
	var bare, status [1]byte
	ok := ctx.Err() == nil &&
		b.Tx(addr, nil, bare[:]) == nil && bare[0] == statusReset &&
		b.Tx(addr, []byte{cmdPointer, ptrStatus}, status[:]) == nil && status[0] == statusReset
	return "", ok
}
