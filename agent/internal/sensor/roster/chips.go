package roster

import (
	"github.com/headwater-iot/headwater/agent/internal/sensor/ads1115"
	"github.com/headwater-iot/headwater/agent/internal/sensor/bme280"
	"github.com/headwater-iot/headwater/agent/internal/sensor/bus"
	"github.com/headwater-iot/headwater/agent/internal/sensor/ds18b20"
	"github.com/headwater-iot/headwater/agent/internal/sensor/ina219"
	"github.com/headwater-iot/headwater/agent/internal/sensor/mcp9808"
	"github.com/headwater-iot/headwater/agent/internal/sensor/sht4x"
)

// Chips returns the kinds that sit on an I2C bus, in the order in which a chip is
// best asked whether it is one of them: the surest and most harmless questions first.
func Chips() []bus.Chip {
	return []bus.Chip{bme280.Chip(), mcp9808.Chip(), ads1115.Chip(), ina219.Chip(), sht4x.Chip(), ds18b20.Chip()}
}
