package e2e

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestWhatProbeFindsLands takes the words of probe for a configuration: a chip of every kind on the simulated bus, and a
// kernel's IIO, 1-wire, power supply and throttling files. Selftest passes, then everything runs; a thermometer is
// unplugged and comes back, which the others do not feel. Each reading lands once, with its value, text or null.
func TestWhatProbeFindsLands(t *testing.T) {
	root := t.TempDir()
	put := func(path, text string) {
		path = filepath.Join(root, path)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	const wire = "sys/bus/w1/devices/28-0316a2794fff"
	put("proc/loadavg", "0.42 0.31 0.05 1/123 4567\n")
	put("sys/devices/platform/soc/soc:firmware/get_throttled", "50005\n")
	put("sys/bus/iio/devices/iio:device0/name", "lps25h\n")
	put("sys/bus/iio/devices/iio:device0/in_pressure_raw", "4150294\n")
	put("sys/bus/iio/devices/iio:device0/in_pressure_scale", "0.000024414\n")
	put("sys/class/power_supply/BAT0/voltage_now", "3701000\n")
	put("sys/class/power_supply/BAT0/status", "Not charging\n")
	put(wire+"/temperature", "85000\n") // which may be the value of a chip without power

	sensors := command(t, built.agent, "probe", "--bus", "sim", "--root", root)
	_, sensors, _ = strings.Cut(sensors, "sensors:\n")
	for _, kind := range []string{"bme280", "ds18b20", "ina219", "ads1115", "mcp9808", "sht4x", "iio", "w1", "power_supply", "machine"} {
		if !strings.Contains(sensors, "    "+kind+": {") {
			t.Errorf("probe did not find %s:\n%s", kind, sensors)
		}
	}
	sensors = strings.ReplaceAll(sensors, "  - name:", "  - interval: 1s\n    name:")

	g := newGateway(t).start()
	a := newAgent(t, "board", g.mqtt, sensors)
	if out, err := exec.Command(built.agent, "selftest", "--config", a.config).CombinedOutput(); err != nil {
		t.Fatalf("selftest: %v\n%s", err, out)
	}
	a.start()
	nulls := func() float64 { return a.metric("headwater_sampler_read_errors_total") }
	waitFor(t, "rows", func() bool { return a.metric("headwater_sampler_rows_total") > 30 })
	if n := nulls(); n != 0 {
		t.Errorf("%v readings are null", n)
	}
	if err := os.Rename(filepath.Join(root, wire), filepath.Join(root, "away")); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(built.agent, "selftest", "--config", a.config, "--sensor", "w1").CombinedOutput(); err == nil {
		t.Errorf("selftest passes without the thermometer:\n%s", out)
	}
	waitFor(t, "nulls", func() bool { return nulls() >= 2 })
	if err := os.Rename(filepath.Join(root, "away"), filepath.Join(root, wire)); err != nil {
		t.Fatal(err)
	}
	put(wire+"/temperature", "21937\n")
	a.accepts(100)
	fate(t, g, a, "board")

	got := map[string]int{}
	for _, row := range g.scan("readings", "--columns", "series,value,value_text,unit,quality") {
		switch prefix, _, _ := strings.Cut(row[0], "_"); prefix {
		case "bat0", "lps25h", "temperature", "throttled": // what stands still
			got[strings.Join(row, " ")]++
		default:
			if row[1] == "" {
				t.Errorf("a null of another sensor: %q", row)
			}
		}
	}
	for _, want := range []string{
		"temperature_28_0316a2794fff 85  Cel 2", "temperature_28_0316a2794fff   Cel 1", "temperature_28_0316a2794fff 21.937  Cel 0",
		"bat0_voltage 3.701  V 0", "bat0_status  Not charging  0", "lps25h_pressure 101325.28  Pa 0",
		"throttled 1   0", "throttled_occurred 1   0", "temperature_limited 0   0", "temperature_limited_occurred 0   0",
	} {
		if got[want] == 0 {
			t.Errorf("no reading is %q", want)
		}
		delete(got, want)
	}
	if len(got) > 0 {
		t.Errorf("and these are not wanted: %v", got)
	}
}
