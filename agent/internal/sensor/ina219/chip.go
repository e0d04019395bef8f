package ina219

import "github.com/headwater-iot/headwater/agent/internal/sensor/bus"

// Registers of the chip.
const (
	regConfig      = 0
	regBus         = 2
	regCalibration = 5
)

const (
	configPowerUp = 0x399F
	// configRunning is what Open leaves: 32 V, 320 mV, means of 128 conversions, continuous.
	configRunning = 0x3FFF

	// converted is set in the bus register when both voltages have been measured.
	converted = 1 << 1
)

// Chip says where the chip can be, and how it is told apart. It has no register
// for its name, so its configuration after power-up, or after Open, must do.
func Chip() bus.Chip {
	addresses := make([]uint16, 0, 16)
	for a := uint16(0x40); a <= 0x4F; a++ {
		addresses = append(addresses, a)
	}
	return bus.Chip{Kind: "ina219", Addresses: addresses, Identify: bus.Is(regConfig, configPowerUp, configRunning)}
}
