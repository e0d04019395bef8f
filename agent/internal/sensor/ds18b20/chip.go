package ds18b20

import (
	"context"
	"strings"

	"periph.io/x/conn/v3/i2c"

	"github.com/headwater-iot/headwater/agent/internal/sensor/bus"
)

// Chip says where the DS2482 can be that has the 1-wire bus, and how it is told
// apart. An MCP9808 can have the same addresses: ask for that one first.
func Chip() bus.Chip {
	return bus.Chip{
		Kind:      "ds18b20",
		Addresses: []uint16{0x18, 0x19, 0x1A, 0x1B, 0x1C, 0x1D, 0x1E, 0x1F},
		Identify:  identify,
	}
}

// driverAddress is one that the driver takes. It refuses most that the chip can have, so all are moved there.
const driverAddress = 0x18

// moved is a bus on which the chip at an address is seen at driverAddress.
type moved struct {
	i2c.Bus
	addr uint16
}

// Tx implements i2c.Bus.
func (m moved) Tx(_ uint16, w, r []byte) error { return m.Bus.Tx(m.addr, w, r) }

// Commands, pointers and bits of the DS2482.
const (
	cmdPointer  = 0xE1
	ptrStatus   = 0xF0
	statusReset = 0x18 // nothing happened since the reset, and the wire is high
	statusNever = 0x05 // busy, or the wire is shorted
)

// identify sets the read pointer only when it is as good as sure, since that is a
// write to a register on most other chips. A chip that has just been powered says
// its status without a pointer; one that was used refuses what is no command, where
// chips with registers take every byte for a pointer to one. Then the wire is searched.
func identify(ctx context.Context, b i2c.Bus, addr uint16) (string, bool) {
	var bare, status [1]byte
	if ctx.Err() != nil || b.Tx(addr, nil, bare[:]) != nil {
		return "", false
	}
	if bare[0] != statusReset && b.Tx(addr, []byte{0}, nil) == nil {
		return "", false
	}
	refuses := b.Tx(addr, []byte{cmdPointer, 0}, nil) != nil
	err := b.Tx(addr, []byte{cmdPointer, ptrStatus}, status[:])
	if !refuses || err != nil || status[0]&statusNever != 0 {
		return "", false
	}
	return several(ctx, b, addr), true
}

// several names the thermometers on the wire where the settings must.
func several(ctx context.Context, b i2c.Bus, addr uint16) string {
	roms, err := Search(ctx, b, addr)
	if err != nil || len(roms) < 2 {
		return "" // the bridge is there all the same
	}
	return "probes: [{rom: " + strings.Join(roms, "}, {rom: ") + "}]"
}
