package roster

import (
	"fmt"
	"io"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/headwater-iot/headwater/agent/internal/sensor/ads1115"
	"github.com/headwater-iot/headwater/agent/internal/sensor/bme280"
	"github.com/headwater-iot/headwater/agent/internal/sensor/bus"
	"github.com/headwater-iot/headwater/agent/internal/sensor/ds18b20"
	"github.com/headwater-iot/headwater/agent/internal/sensor/mcp9808"
	"github.com/headwater-iot/headwater/agent/internal/sensor/plugin"
	"github.com/headwater-iot/headwater/shared/strictyaml"
)

const chips = `
sensors:
  - name: air
    bme280: {bus: sim}
  - name: water
    ds18b20: {bus: sim, probes: [{rom: 28-0000013182ab, series: inlet}, {rom: 28-0000013182ac}], resolution: 11}
  - name: one
    prefix: one_
    ds18b20: {bus: sim, address: 0x19}
  - name: battery
    ina219: {bus: sim, address: 0x45, shunt: 0.01, max_current: 20, seed: 3}
  - name: tank
    ads1115:
      bus: sim
      rate: 8
      channels:
        - {input: 0, series: level, range: 2.048, scale: 250, offset: -125, unit: "%"}
        - {input: 1-3}
  - name: board
    prefix: board_
    mcp9808: {bus: sim, address: 0x1f}
  - name: room
    prefix: room_
    sht4x: {bus: sim, address: 0x45, precision: low}
`

// Every chip runs from its lines in a configuration to its readings, on any machine.
func TestChipsRunFromTheConfiguration(t *testing.T) {
	var config struct {
		Sensors []Settings `yaml:"sensors"`
	}
	if err := strictyaml.Decode("agent.yaml", []byte(chips), &config); err != nil {
		t.Fatal(err)
	}
	Check(config.Sensors, func(path, format string, args ...any) { t.Errorf("%s: "+format, append([]any{path}, args...)...) })
	want := map[string][]string{
		"air":     {"temperature Cel", "humidity %RH", "pressure Pa"},
		"water":   {"inlet Cel", "temperature-28-0000013182ac Cel"},
		"one":     {"temperature Cel"},
		"battery": {"voltage V", "shunt V", "current A", "power W"},
		"tank":    {"level %", "voltage1-3 V"},
		"board":   {"temperature Cel"},
		"room":    {"temperature Cel", "humidity %RH"},
	}
	synctest.Test(t, func(t *testing.T) {
		plans, err := Plans(config.Sensors, Deps{})
		if err != nil {
			t.Fatal(err)
		}
		got := map[string][]string{}
		for i, p := range plans {
			if n := config.Sensors[i].series(); n != len(p.Announce) {
				t.Errorf("%s is counted as %d series and announces %d", p.Name, n, len(p.Announce))
			}
			for range 2 { // and once more, as after an error
				d, err := p.Open(t.Context())
				if err != nil {
					t.Fatal(p.Name, err)
				}
				cells, err := d.Read(t.Context())
				if err != nil {
					t.Error(p.Name, err)
				}
				got[p.Name] = nil
				for i, c := range cells {
					got[p.Name] = append(got[p.Name], c.Series+" "+c.Unit)
					if a := p.Announce[i]; a.Series != c.Series || a.Unit != c.Unit || a.Kind != c.Kind {
						t.Errorf("%s announced %+v and gave %+v", p.Name, a, c)
					}
				}
				if err := d.(io.Closer).Close(); err != nil {
					t.Error(p.Name, err)
				}
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}

func TestSlowChipsGetTheirTime(t *testing.T) {
	sim := bus.Place{Bus: "sim"}
	eight := make([]ads1115.Channel, 8)
	list := []Settings{
		{Name: "a", Interval: time.Second, DS18B20: &ds18b20.Settings{Place: sim}},
		{Name: "b", Interval: time.Second, DS18B20: &ds18b20.Settings{Place: sim, Resolution: 9}},
		{Name: "c", DS18B20: &ds18b20.Settings{Place: sim}},
		{Name: "d", Interval: time.Second, Timeout: 900 * time.Millisecond, DS18B20: &ds18b20.Settings{Place: sim}},
		{Name: "e", Interval: 2 * time.Second, ADS1115: &ads1115.Settings{Place: sim, Rate: 8, Channels: eight}},
		{Name: "f", Interval: 50 * time.Millisecond, ADS1115: &ads1115.Settings{Place: sim}},
	}
	plans, err := Plans(list, Deps{})
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []time.Duration{1554 * time.Millisecond, 0, 0, 900 * time.Millisecond, 2232 * time.Millisecond, 0} {
		if got := plans[i].Timeout.Round(time.Millisecond); got != want {
			t.Errorf("%s has a timeout of %v, want %v", plans[i].Name, got, want)
		}
	}
	for _, tc := range []struct {
		s    Settings
		want string
	}{
		{list[0], ""},
		{list[5], ""},
		{Settings{Name: "a", Interval: 500 * time.Millisecond, DS18B20: &ds18b20.Settings{Place: sim}}, "[0].interval"},
		{Settings{Name: "a", Timeout: 500 * time.Millisecond, DS18B20: &ds18b20.Settings{Place: sim}}, "[0].timeout"},
		{Settings{Name: "a", Interval: 20 * time.Millisecond, ADS1115: &ads1115.Settings{Place: sim}}, "[0].interval"},
		{Settings{Name: "a", DS18B20: &ds18b20.Settings{Place: sim, Resolution: -3}}, "[0].ds18b20.resolution"},
	} {
		got := ""
		Check([]Settings{tc.s}, func(path, _ string, _ ...any) { got += path })
		if got != tc.want {
			t.Errorf("%+v: %q, want %q", tc.s, got, tc.want)
		}
	}
}

func TestTwoSensorsOfOneChipAreReported(t *testing.T) {
	at := func(b string, addr bus.Address) bus.Place { return bus.Place{Bus: b, Address: addr} }
	list := []Settings{
		{Name: "a", MCP9808: &mcp9808.Settings{Place: at("1", 0)}},
		{Name: "b", MCP9808: &mcp9808.Settings{Place: at("i2c-1", 0x19)}},
		{Name: "c", MCP9808: &mcp9808.Settings{Place: at("2", 0)}},
		{Name: "d", DS18B20: &ds18b20.Settings{Place: at("/dev/i2c-1", 0)}}, // as a
		{Name: "e", BME280: &bme280.Settings{Bus: "1"}},
		{Name: "f", BME280: &bme280.Settings{Bus: "1", Address: 0x76}}, // as e
		{Name: "g", BME280: &bme280.Settings{Bus: "sim"}},
		{Name: "h", BME280: &bme280.Settings{Bus: "sim"}}, // simulated: a bus of its own
	}
	for i := range list {
		list[i].Prefix = list[i].Name + "_"
	}
	var got []string
	Check(list, func(path, format string, args ...any) { got = append(got, path+" "+fmt.Sprintf(format, args...)) })
	want := []string{
		`[3].ds18b20.address is the chip at 0x18 on bus 1 that sensor "a" reads`,
		`[5].bme280.address is the chip at 0x76 on bus 1 that sensor "e" reads`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// One table of the lake has no room for two series of one name: the check says so, and not only the start.
func TestSeriesOfTwoSensorsAreReported(t *testing.T) {
	sim := bus.Place{Bus: "sim"}
	var got []string
	Check([]Settings{
		{Name: "a", MCP9808: &mcp9808.Settings{Place: sim}},
		{Name: "b", MCP9808: &mcp9808.Settings{Place: sim}, Prefix: "b_"},
		{Name: "c", BME280: &bme280.Settings{Bus: "sim"}},
		{Name: "d", Exec: &plugin.Settings{Command: []string{"/x"}, Mode: plugin.Stream, Series: map[string]plugin.Series{"temperature": {}}}, Prefix: "b_"},
	}, func(path, format string, args ...any) { got = append(got, path+" "+fmt.Sprintf(format, args...)) })
	want := []string{
		`[2].prefix is needed here or there: this sensor also gives "temperature" of sensor "a"`,
		`[3].prefix is needed here or there: this sensor also gives "b_temperature" of sensor "b"`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// The first address of a kind is the one that its settings take when they name none.
func TestDefaultsAreWhereChipsAreSold(t *testing.T) {
	want := map[string]uint16{"bme280": 0x76, "ds18b20": 0x18, "ina219": 0x40, "ads1115": 0x48, "mcp9808": 0x18, "sht4x": 0x44}
	for _, c := range Chips() {
		if c.Addresses[0] != want[c.Kind] || !slices.IsSorted(c.Addresses) {
			t.Errorf("%s is at %#x", c.Kind, c.Addresses)
		}
	}
}
