package bus

import (
	"fmt"
	"slices"
	"strings"

	"github.com/headwater-iot/headwater/agent/internal/sensor"
)

// Place says where a chip is. Sections inline it.
type Place struct {
	// Bus is sim, the default, or an I2C bus of the machine: 1, i2c-1 or /dev/i2c-1.
	Bus string `yaml:"bus,omitempty"`
	// Address is the chip's on the bus; by default the one it has as sold.
	Address uint16 `yaml:"address,omitempty"`
	// Seed fixes the weather and the noise of the simulated bus; 0 = from the sensor's name.
	Seed uint64 `yaml:"seed,omitempty"`
}

// Simulated tells whether the chip is on the simulated bus.
func (p Place) Simulated() bool { return p.Bus == "" || p.Bus == "sim" }

// Addr returns the address, or else the first one that c can have.
func (p Place) Addr(c Chip) uint16 {
	if p.Address == 0 {
		return c.Addresses[0]
	}
	return p.Address
}

// Check reports an address that c cannot have and a bus that cannot be one.
func (p Place) Check(c Chip, report sensor.Report) {
	if addr := p.Addr(c); !slices.Contains(c.Addresses, addr) {
		report("address", "must be %s, not %#x", oneOf(c.Addresses), addr)
	}
	if !p.Simulated() {
		if _, err := Number(p.Bus); err != nil {
			report("bus", "%v", err)
		}
	}
}

func oneOf(addresses []uint16) string {
	var names []string
	for _, a := range addresses {
		names = append(names, fmt.Sprintf("%#x", a))
	}
	last := len(names) - 1
	return strings.Join(names[:last], ", ") + " or " + names[last]
}
