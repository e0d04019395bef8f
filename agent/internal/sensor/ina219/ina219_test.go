package ina219

import (
	"errors"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"
	"periph.io/x/conn/v3/i2c/i2ctest"
	"periph.io/x/conn/v3/physic"
	"periph.io/x/devices/v3/ina219"

	"github.com/headwater-iot/headwater/agent/internal/sensor/bus"
	"github.com/headwater-iot/headwater/agent/internal/sensor/simbus"
	"github.com/headwater-iot/headwater/shared/record"
)

func readings(voltage, shunt, current, power float64) []record.Cell {
	return []record.Cell{
		record.FloatCell("voltage", "V", voltage), record.FloatCell("shunt", "V", shunt),
		record.FloatCell("current", "A", current), record.FloatCell("power", "W", power),
	}
}

// The worked example of the data sheet: 10 A through 2 mOhm
// at 12 V. The sheet rounds the step of the current to 1 mA, which 32.768 A give.
func TestDataSheet(t *testing.T) {
	set := i2ctest.IO{Addr: 0x40, W: []byte{5}, R: []byte{0x50, 0x00}}
	config := i2ctest.IO{Addr: 0x40, W: []byte{0}, R: []byte{0x3F, 0xFF}}
	b := &i2ctest.Playback{DontPanic: true, Ops: []i2ctest.IO{
		{Addr: 0x40, W: []byte{5, 0x50, 0x00}}, // the sheet's calibration
		{Addr: 0x40, W: []byte{0, 0x1F, 0xFF}}, // periph's configuration
		{Addr: 0x40, W: []byte{0, 0x3F, 0xFF}}, // ours
		{Addr: 0x40, W: []byte{2}, R: []byte{0x5D, 0x9A}},
		{Addr: 0x40, W: []byte{1}, R: []byte{0x07, 0xD0}},
		{Addr: 0x40, W: []byte{2}, R: []byte{0x5D, 0x98}},
		{Addr: 0x40, W: []byte{4}, R: []byte{0x27, 0x10}},
		{Addr: 0x40, W: []byte{3}, R: []byte{0x17, 0x66}},
		config, set,
	}}
	synctest.Test(t, func(t *testing.T) {
		d, err := Open(t.Context(), b, Settings{Shunt: 0.002, MaxCurrent: 32.768})
		if err != nil {
			t.Fatal(err)
		}
		got, err := d.Read(t.Context())
		if diff := cmp.Diff(readings(11.98, 0.02, 10, 119.8), got); diff != "" || err != nil {
			t.Errorf("%v (-want +got):\n%s", err, diff)
		}
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
}

func TestUnits(t *testing.T) {
	const lsb = 97656 // nA: 3.2 A / 32768, as the driver cuts it
	at := func(bus, shunt, current, power int64) ina219.PowerMonitor {
		return ina219.PowerMonitor{
			Voltage: physic.ElectricPotential(bus) * 4 * physic.MilliVolt, Shunt: physic.ElectricPotential(shunt) * 10 * physic.MicroVolt,
			Current: physic.ElectricCurrent(current) * lsb, Power: physic.Power(power) * 20 * lsb,
		}
	}
	for _, tc := range []struct {
		got  ina219.PowerMonitor
		want []record.Cell
	}{
		{at(3150, 4200, 4300, 2709), readings(12.6, 0.042, 0.41992, 5.291)},
		{at(0, 0, 0, 0), readings(0, 0, 0, 0)},
		{at(1, 1, 1, 1), readings(0.004, 0.00001, 0.0001, 0.002)},
		{at(1, -1, -2, 1), readings(0.004, -0.00001, -0.0002, -0.002)}, // the register of the power has no sign
		{at(0, -1, -2, 0), readings(0, -0.00001, -0.0002, 0)},
		{at(6500, -31999, -32767, 1), readings(26, -0.31999, -3.19989, -0.002)},
	} {
		if diff := cmp.Diff(tc.want, cells(tc.got, DefaultMaxCurrent/32768)); diff != "" {
			t.Errorf("%v (-want +got):\n%s", tc.got, diff)
		}
	}
}

func TestClippedIsAbsent(t *testing.T) {
	at := func(volts, shunt physic.ElectricPotential) (series []string) {
		for _, c := range cells(ina219.PowerMonitor{Voltage: volts, Shunt: shunt}, 1e-4) {
			series = append(series, c.Series)
		}
		return series
	}
	for _, tc := range []struct {
		volts, shunt physic.ElectricPotential
		want         []string
	}{
		{12 * physic.Volt, 320 * physic.MilliVolt, []string{"voltage"}},
		{12 * physic.Volt, -320 * physic.MilliVolt, []string{"voltage"}},
		{32 * physic.Volt, 0, []string{"shunt", "current"}},
		{32 * physic.Volt, 320 * physic.MilliVolt, nil},
	} {
		if diff := cmp.Diff(tc.want, at(tc.volts, tc.shunt)); diff != "" {
			t.Errorf("%v, %v (-want +got):\n%s", tc.volts, tc.shunt, diff)
		}
	}
}

func TestPowerLossIsNotZeroCurrent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := simbus.New(simbus.Config{Parts: map[uint16]simbus.Part{0x41: simbus.INA219}})
		s := Settings{Place: bus.Place{Address: 0x41}}
		d, err := Open(t.Context(), b, s)
		if err != nil {
			t.Fatal(err)
		}
		good := func(d *Device) {
			t.Helper()
			cells, err := d.Read(t.Context())
			if err != nil || len(cells) != 4 || cells[0].Float < 10 || cells[2].Float < 0.1 || cells[3].Float < 1 {
				t.Errorf("got %+v, %v", cells, err)
			}
		}
		good(d)
		b.Chip(0x41).Unplug(true)
		b.Chip(0x41).Unplug(false) // so quickly that no read failed
		if cells, err := d.Read(t.Context()); !errors.Is(err, bus.ErrReset) {
			t.Errorf("got %+v, %v", cells, err)
		}
		again, err := Open(t.Context(), b, s)
		if err != nil {
			t.Fatal(err)
		}
		good(again)
		b.Chip(0x41).Busy(true)
		if _, err := Open(t.Context(), b, s); !errors.Is(err, bus.ErrBusy) {
			t.Errorf("opened a chip that does not convert: %v", err)
		}
	})
}

func TestErrorsKeepTheirCause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := simbus.New(simbus.Config{Parts: map[uint16]simbus.Part{0x40: simbus.INA219}})
		d, err := Open(t.Context(), b, Settings{})
		if err != nil {
			t.Fatal(err)
		}
		b.Chip(0x40).Nack(1)
		if _, err := d.Read(t.Context()); !errors.Is(err, simbus.ErrNack) {
			t.Errorf("the driver's own words only: %v", err)
		}
	})
}

func TestCheckReportsEveryProblem(t *testing.T) {
	for _, tc := range []struct {
		s    Settings
		want []string
	}{
		{Settings{Place: bus.Place{Bus: "sim"}}, nil},
		{Settings{Place: bus.Place{Bus: "1", Address: 0x4F}, Shunt: 0.01, MaxCurrent: 32}, nil},
		{Settings{Place: bus.Place{Address: 0x50}, Shunt: -1}, []string{"address", "bus", "shunt"}},
		{Settings{Place: bus.Place{Bus: "sim"}, MaxCurrent: 3.3}, []string{"max_current"}},
		{Settings{Place: bus.Place{Bus: "sim"}, MaxCurrent: 0.2}, []string{"max_current"}},
		{Settings{Place: bus.Place{Bus: "sim"}, MaxCurrent: -1}, []string{"max_current"}},
	} {
		var got []string
		tc.s.Check(func(path, _ string, _ ...any) { got = append(got, path) })
		if diff := cmp.Diff(tc.want, got); diff != "" {
			t.Errorf("%+v (-want +got):\n%s", tc.s, diff)
		}
		if tc.want == nil {
			synctest.Test(t, func(t *testing.T) {
				b := simbus.New(simbus.Config{Parts: map[uint16]simbus.Part{tc.s.Addr(Chip()): simbus.INA219}})
				if _, err := Open(t.Context(), b, tc.s); err != nil {
					t.Errorf("good settings do not open: %v", err)
				}
			})
		}
	}
}
