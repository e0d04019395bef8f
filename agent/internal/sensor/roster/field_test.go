package roster

import (
	"errors"
	"log/slog"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/headwater-iot/headwater/agent/internal/sensor/modbus"
	"github.com/headwater-iot/headwater/shared/strictyaml"
)

const fieldExample = `
sensors:
  - name: meter
    interval: 10s
    prefix: meter_
    modbus:
      url: rtu:///dev/ttyUSB0
      baud: 9600
      parity: even
      unit_id: 7
      registers:
        - {series: voltage, unit: V, address: 0, function: input, type: uint16, scale: 0.1}
        - {series: power, unit: W, address: 12, function: input, type: float32, order: CDAB}
        - {series: energy, unit: Wh, address: 40, type: uint64}
        - {series: temperature, unit: Cel, address: 8, type: int16, scale: 0.1, missing: 0x8000}
        - {series: alarm, address: 100, type: bit, bit: 3}
        - {series: pump_on, address: 0, function: coil}
  - name: gps
    interval: 1s
    nmea: {url: "serial:///dev/ttyACM0", gnss_time: true}
  - name: lab
    interval: 1m
    timeout: 20s
    exec:
      command: [/usr/local/bin/read-lab, --once]
      series:
        ph: {unit: pH}
        samples: {unit: count, type: int}
  - name: door
    timeout: 10m
    prefix: door_
    exec:
      command: [/usr/local/bin/watch-door]
      mode: stream
      format: cbor
      own_times: true
      series: {open: {type: bool}}
`

func TestFieldExampleIsPlanned(t *testing.T) {
	var file struct {
		Sensors []Settings `yaml:"sensors"`
	}
	if err := strictyaml.Decode("agent.yaml", []byte(fieldExample), &file); err != nil {
		t.Fatal(err)
	}
	Check(file.Sensors, func(path, format string, args ...any) { t.Errorf("%s: "+format, append([]any{path}, args...)...) })
	deps := Deps{Logger: slog.New(slog.DiscardHandler)}
	plans, err := Plans(file.Sensors, deps)
	if err != nil {
		t.Fatal(err)
	}
	series := map[string][]string{}
	for _, p := range plans {
		for _, c := range p.Announce {
			series[p.Name] = append(series[p.Name], p.Prefix+c.Series)
		}
	}
	want := map[string][]string{
		"meter": {"meter_voltage", "meter_power", "meter_energy", "meter_temperature", "meter_alarm", "meter_pump_on"},
		"gps":   {"latitude", "longitude", "altitude", "speed", "course", "hdop", "satellites", "fix_quality", "gnss_time"},
		"lab":   {"ph", "samples"},
		"door":  {"door_open"},
	}
	if diff := cmp.Diff(want, series); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if door := plans[3]; door.Source == nil || door.Open != nil || !door.OriginalTimes || door.Interval != 0 {
		t.Errorf("%+v", door)
	}

	other := file.Sensors[0]
	other.Name = "other"
	differs := *other.Modbus
	differs.Baud = 300
	other.Modbus = &differs
	if _, err := Plans([]Settings{file.Sensors[0], other}, deps); !errors.Is(err, modbus.ErrLine) {
		t.Errorf("two speeds on one line: %v", err)
	}
}
