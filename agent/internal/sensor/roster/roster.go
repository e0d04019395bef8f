package roster

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/headwater-iot/headwater/agent/internal/sensor"
	"github.com/headwater-iot/headwater/agent/internal/sensor/ads1115"
	"github.com/headwater-iot/headwater/agent/internal/sensor/bme280"
	"github.com/headwater-iot/headwater/agent/internal/sensor/counter"
	"github.com/headwater-iot/headwater/agent/internal/sensor/ds18b20"
	"github.com/headwater-iot/headwater/agent/internal/sensor/iio"
	"github.com/headwater-iot/headwater/agent/internal/sensor/ina219"
	"github.com/headwater-iot/headwater/agent/internal/sensor/machine"
	"github.com/headwater-iot/headwater/agent/internal/sensor/mcp9808"
	"github.com/headwater-iot/headwater/agent/internal/sensor/modbus"
	"github.com/headwater-iot/headwater/agent/internal/sensor/nmea"
	"github.com/headwater-iot/headwater/agent/internal/sensor/plugin"
	"github.com/headwater-iot/headwater/agent/internal/sensor/power"
	"github.com/headwater-iot/headwater/agent/internal/sensor/replay"
	"github.com/headwater-iot/headwater/agent/internal/sensor/sht4x"
	"github.com/headwater-iot/headwater/agent/internal/sensor/w1"
	"github.com/headwater-iot/headwater/shared/meter"
	"github.com/headwater-iot/headwater/shared/record"
	"github.com/headwater-iot/headwater/shared/wire"
)

const (
	// DefaultInterval suits weather, which is what most sensors see.
	DefaultInterval = 10 * time.Second
	// LeastInterval is about what a board without real-time scheduling can keep.
	LeastInterval = 5 * time.Millisecond
	// MaxScheduled is how many series a hello can announce; a gateway reads none that announces more.
	MaxScheduled = wire.MaxPairs
)

// Settings is one sensor of the configuration.
type Settings struct {
	// Name groups the sensor's series into rows; it is unique on the device.
	Name string `yaml:"name"`
	// Interval is the time between reads; 10s by default.
	Interval time.Duration `yaml:"interval,omitempty"`
	// Timeout ends a read that takes longer; by default the interval, but 1s to 10s.
	Timeout time.Duration `yaml:"timeout,omitempty"`
	// Stuck marks a value that has not moved for so long as suspicious; never by default.
	Stuck time.Duration `yaml:"stuck,omitempty"`
	// Prefix goes in front of every series name, so that two equal chips can be told apart.
	Prefix string `yaml:"prefix,omitempty"`

	// BME280 is Bosch's BME280, BMP280 or BMP180, on a real or a simulated bus.
	BME280 *bme280.Settings `yaml:"bme280,omitempty"`
	// DS18B20 is thermometers on the 1-wire bus of a DS2482.
	DS18B20 *ds18b20.Settings `yaml:"ds18b20,omitempty"`
	// INA219 measures the voltage and the current of a supply.
	INA219 *ina219.Settings `yaml:"ina219,omitempty"`
	// ADS1115 converts up to four voltages.
	ADS1115 *ads1115.Settings `yaml:"ads1115,omitempty"`
	// MCP9808 is a thermometer.
	MCP9808 *mcp9808.Settings `yaml:"mcp9808,omitempty"`
	// SHT4x is Sensirion's SHT40, SHT41 or SHT45: temperature and humidity.
	SHT4x *sht4x.Settings `yaml:"sht4x,omitempty"`
	// Machine is the health of the machine the agent runs on.
	Machine *machine.Settings `yaml:"machine,omitempty"`
	// IIO is a device of the kernel's Industrial I/O drivers.
	IIO *iio.Settings `yaml:"iio,omitempty"`
	// W1 is the kernel's 1-wire thermometers.
	W1 *w1.Settings `yaml:"w1,omitempty"`
	// PowerSupply is a battery, a charger or the mains, as the kernel shows it.
	PowerSupply *power.Settings `yaml:"power_supply,omitempty"`
	// Counter counts its own reads, so that a lost reading shows as a hole.
	Counter *counter.Settings `yaml:"counter,omitempty"`
	// Modbus is a device that speaks Modbus over TCP or a serial line.
	Modbus *modbus.Settings `yaml:"modbus,omitempty"`
	// NMEA is a satellite receiver on a serial line or TCP.
	NMEA *nmea.Settings `yaml:"nmea,omitempty"`
	// Exec is a program of the operator's own that prints readings.
	Exec *plugin.Settings `yaml:"exec,omitempty"`
	// Replay gives the rows of CSV files, once.
	Replay *replay.Settings `yaml:"replay,omitempty"`
}

// Deps is what kinds of sensor may need. Meter may be nil.
type Deps struct {
	Logger *slog.Logger
	Meter  *meter.Registry
	Now    func() time.Time // the wall clock

	lines *modbus.Lines // set by Plans: sensors on one line share it
}

// Kind is one kind of sensor.
type Kind struct {
	// check returns how to check the section of this kind; nil where there is none.
	check func(s *Settings) func(sensor.Report)
	// plan adds to a plan that has name, prefix and schedule already.
	plan func(s *Settings, d Deps, p *sensor.Plan) error
}

// Kinds returns every kind by the name of its section.
func Kinds() map[string]Kind {
	return map[string]Kind{
		"bme280":       {func(s *Settings) func(sensor.Report) { return check(s.BME280) }, planBME280},
		"ds18b20":      {func(s *Settings) func(sensor.Report) { return check(s.DS18B20) }, planDS18B20},
		"ina219":       {func(s *Settings) func(sensor.Report) { return check(s.INA219) }, planINA219},
		"ads1115":      {func(s *Settings) func(sensor.Report) { return check(s.ADS1115) }, planADS1115},
		"mcp9808":      {func(s *Settings) func(sensor.Report) { return check(s.MCP9808) }, planMCP9808},
		"sht4x":        {func(s *Settings) func(sensor.Report) { return check(s.SHT4x) }, planSHT4x},
		"counter":      {func(s *Settings) func(sensor.Report) { return check(s.Counter) }, planCounter},
		"machine":      {func(s *Settings) func(sensor.Report) { return check(s.Machine) }, planMachine},
		"iio":          {func(s *Settings) func(sensor.Report) { return check(s.IIO) }, planIIO},
		"w1":           {func(s *Settings) func(sensor.Report) { return check(s.W1) }, planW1},
		"power_supply": {func(s *Settings) func(sensor.Report) { return check(s.PowerSupply) }, planPower},
		"modbus":       {func(s *Settings) func(sensor.Report) { return check(s.Modbus) }, planModbus},
		"nmea":         {func(s *Settings) func(sensor.Report) { return check(s.NMEA) }, planNMEA},
		"exec":         {func(s *Settings) func(sensor.Report) { return check(s.Exec) }, planExec},
		"replay":       {func(s *Settings) func(sensor.Report) { return check(s.Replay) }, planReplay},
	}
}

// check returns the check of a section that is there.
func check[T interface{ Check(sensor.Report) }](section *T) func(sensor.Report) {
	if section == nil {
		return nil
	}
	return (*section).Check
}

// Check reports every problem of a list of sensors, at paths like [2].bme280.address.
func Check(list []Settings, report sensor.Report) {
	names, series := map[string]bool{}, 0
	for i := range list {
		s := &list[i]
		series += s.series()
		at := func(path, format string, args ...any) { report(fmt.Sprintf("[%d].%s", i, path), format, args...) }
		switch {
		case record.CheckDevice(s.Name) != nil:
			at("name", "must be 1 to 64 of A-Z a-z 0-9 . _ : -, first a letter or digit")
		case names[s.Name]:
			at("name", "%q is used twice", s.Name)
		}
		names[s.Name] = true
		if s.Interval < 0 || s.Interval > 0 && s.Interval < LeastInterval {
			at("interval", "must be at least %v", LeastInterval)
		}
		if s.Timeout < 0 {
			at("timeout", "must not be negative")
		}
		if s.Stuck < 0 {
			at("stuck", "must not be negative")
		}
		checkPace(s, at)
		kinds := s.kinds()
		if len(kinds) != 1 {
			at("name", "needs exactly one of the sections %s, and has %d", strings.Join(known(), ", "), len(kinds))
		}
		for _, name := range kinds {
			Kinds()[name].check(s)(func(path, format string, args ...any) { at(name+"."+path, format, args...) })
		}
	}
	checkPlaces(list, report)
	checkSeries(list, report)
	if series > MaxScheduled {
		report("", "have %d series or more; one agent announces at most %d (run another agent, with a data directory of its own)",
			series, MaxScheduled)
	}
}

// announced returns the series of a sensor without its prefix, as far as its settings alone say.
func (s *Settings) announced() []record.Cell {
	switch {
	case s.BME280 != nil:
		return s.BME280.Announce()
	case s.DS18B20 != nil:
		return s.DS18B20.Announce()
	case s.INA219 != nil:
		return s.INA219.Announce()
	case s.ADS1115 != nil:
		return s.ADS1115.Announce()
	case s.MCP9808 != nil:
		return s.MCP9808.Announce()
	case s.SHT4x != nil:
		return s.SHT4x.Announce()
	case s.Modbus != nil:
		return s.Modbus.Announce()
	case s.NMEA != nil:
		return s.NMEA.Announce()
	case s.Exec != nil:
		return s.Exec.Announce()
	default:
		return nil
	}
}

// series returns how many scheduled series a sensor has at least.
func (s *Settings) series() int {
	switch {
	case s.Exec != nil && s.Exec.Mode == plugin.Stream, s.Replay != nil:
		return 0
	case s.Counter != nil, s.Machine != nil, s.IIO != nil, s.W1 != nil, s.PowerSupply != nil:
		return 1 // or more, once the machine was looked at
	default:
		return len(s.announced())
	}
}

// checkSeries reports series that two sensors have.
func checkSeries(list []Settings, report sensor.Report) {
	owner := map[string]string{}
	for i := range list {
		s := &list[i]
		var shared []string
		for _, cell := range s.announced() {
			name := s.Prefix + cell.Series
			if other, taken := owner[name]; taken && other != s.Name {
				shared = append(shared, fmt.Sprintf("%q of sensor %q", name, other))
				continue
			}
			owner[name] = s.Name
		}
		if len(shared) > 0 {
			report(fmt.Sprintf("[%d].prefix", i), "is needed here or there: this sensor also gives %s", strings.Join(shared[:min(len(shared), 3)], ", "))
		}
	}
}

// known returns the names of all kinds, sorted.
func known() []string { return slices.Sorted(maps.Keys(Kinds())) }

// kinds returns the names of the sections that s has, sorted.
func (s *Settings) kinds() (names []string) {
	for name, kind := range Kinds() {
		if kind.check(s) != nil {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// ErrTooMany means more scheduled series than a gateway can be told of.
var ErrTooMany = errors.New("too many series")

// Plans makes the list ready to be sampled. The list has passed Check. What
// cannot be announced, such as a file to replay that is not there, is an error;
// a chip that does not answer is not.
func Plans(list []Settings, d Deps) ([]sensor.Plan, error) {
	d.lines = new(modbus.Lines)
	plans, series := make([]sensor.Plan, 0, len(list)), 0
	for i := range list {
		s := &list[i]
		kinds := s.kinds()
		if len(kinds) != 1 {
			return nil, fmt.Errorf("plan sensor %q: %d kinds, want one of %s", s.Name, len(kinds), strings.Join(known(), ", "))
		}
		p := sensor.Plan{Name: s.Name, Prefix: s.Prefix, Interval: s.Interval, Timeout: s.Timeout, Stuck: s.Stuck}
		if p.Interval == 0 {
			p.Interval = DefaultInterval
		}
		p.Timeout = patience(s, p.Interval)
		if err := Kinds()[kinds[0]].plan(s, d, &p); err != nil {
			return nil, fmt.Errorf("plan sensor %q: %w", s.Name, err)
		}
		if p.Interval > 0 {
			series += len(p.Announce)
		}
		plans = append(plans, p)
	}
	if series > MaxScheduled {
		return nil, fmt.Errorf("plan %d sensors: %w: %d are scheduled, and one agent announces at most %d "+
			"(run another agent, with a data directory of its own: --data)", len(list), ErrTooMany, series, MaxScheduled)
	}
	return plans, nil
}

func planMachine(s *Settings, _ Deps, p *sensor.Plan) error {
	m, err := machine.New(*s.Machine)
	if err != nil {
		return err
	}
	p.Announce = m.Announce()
	p.Open = func(context.Context) (sensor.Driver, error) { return m, nil }
	return nil
}

func planCounter(_ *Settings, _ Deps, p *sensor.Plan) error {
	c := new(counter.Counter) // one for the life of the process, however often the sensor is opened again
	p.Announce = c.Announce()
	p.Open = func(context.Context) (sensor.Driver, error) { return c, nil }
	return nil
}

func planReplay(s *Settings, d Deps, p *sensor.Plan) error {
	r, err := replay.New(*s.Replay, replay.Config{
		Name: s.Name, Prefix: s.Prefix, Logger: d.Logger, Meter: d.Meter, Now: d.Now,
	})
	if err != nil {
		return err
	}
	p.Announce = r.Announce()
	p.Source, p.OriginalTimes = r, true
	p.Interval, p.Prefix = 0, "" // its rows come when they come, under their full names
	return nil
}
