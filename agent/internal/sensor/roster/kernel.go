package roster

import (
	"context"
	"time"

	"github.com/headwater-iot/headwater/agent/internal/sensor"
	"github.com/headwater-iot/headwater/agent/internal/sensor/iio"
	"github.com/headwater-iot/headwater/agent/internal/sensor/power"
	"github.com/headwater-iot/headwater/agent/internal/sensor/w1"
	"github.com/headwater-iot/headwater/shared/record"
)

// device is a sensor that the kernel shows as files, there or not.
type device interface {
	Announce() []record.Cell
	Open(ctx context.Context) (sensor.Driver, error)
}

// planDevice gives a device of which nothing is known yet one series of its own, so
// that its absence leaves a reading at each tick and holds up no other sensor.
func planDevice(s *Settings, p *sensor.Plan, d device) error {
	if p.Announce = d.Announce(); len(p.Announce) == 0 {
		p.Announce = []record.Cell{record.FailedCell("present_"+s.Name, "", record.Int)}
	}
	p.Open = d.Open
	return nil
}

func planIIO(s *Settings, _ Deps, p *sensor.Plan) error { return planDevice(s, p, iio.New(*s.IIO)) }
func planPower(s *Settings, _ Deps, p *sensor.Plan) error {
	return planDevice(s, p, power.New(*s.PowerSupply))
}

// sampled is the longest that the sampler gives a read whose timeout is not configured.
const sampled = 10 * time.Second

// planW1 leaves a second for each thermometer, where the configuration says nothing: they convert one after the other.
func planW1(s *Settings, _ Deps, p *sensor.Plan) error {
	err := planDevice(s, p, w1.New(*s.W1))
	if all := time.Duration(len(p.Announce)) * time.Second; p.Timeout == 0 && all > min(p.Interval, sampled) {
		p.Timeout = all
	}
	return err
}
