package bus

import (
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/headwater-iot/headwater/agent/internal/sensor"
)

// Place says where a chip is. Sections inline it.
type Place struct {
	// Bus is an I2C bus of the machine, 1, i2c-1 or /dev/i2c-1, or sim. It has no default:
	// a forgotten bus would have to be guessed, or send made-up readings to the lake.
	Bus string `yaml:"bus"`
	// Address is the chip's on the bus; by default the one it has as sold.
	Address Address `yaml:"address,omitempty"`
	// Seed fixes the weather and the noise of the simulated bus; 0 = from the sensor's name.
	Seed uint64 `yaml:"seed,omitempty"`
}

// Simulated tells whether the chip is on the simulated bus.
func (p Place) Simulated() bool { return p.Bus == "sim" }

// Addr returns the address, or else the first one that c can have.
func (p Place) Addr(c Chip) uint16 {
	if p.Address == 0 {
		return c.Addresses[0]
	}
	return uint16(p.Address)
}

// Check reports an address that c cannot have and a bus that cannot be one.
func (p Place) Check(c Chip, report sensor.Report) {
	if addr := p.Addr(c); !slices.Contains(c.Addresses, addr) {
		report("address", "must be %s, not %#x", oneOf(c.Addresses), addr)
	}
	switch _, err := Number(p.Bus); {
	case p.Bus == "":
		report("bus", "is missing: name one such as 1 (/dev/i2c-1), or sim to try without hardware")
	case err != nil && !p.Simulated():
		report("bus", "%v", err)
	}
}

// Address is a chip's on its bus, written as people and data sheets write it: 0x76.
type Address uint16

// MarshalYAML implements yaml.Marshaler.
func (a Address) MarshalYAML() (any, error) {
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!int", Value: fmt.Sprintf("%#x", uint16(a))}, nil
}

func oneOf(addresses []uint16) string {
	var names []string
	for _, a := range addresses {
		names = append(names, fmt.Sprintf("%#x", a))
	}
	last := len(names) - 1
	return strings.Join(names[:last], ", ") + " or " + names[last]
}
