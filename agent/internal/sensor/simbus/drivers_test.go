package simbus_test

import (
	"math"
	"testing"
	"testing/synctest"
	"time"

	"periph.io/x/conn/v3/onewire"
	"periph.io/x/conn/v3/physic"
	"periph.io/x/devices/v3/ads1x15"
	"periph.io/x/devices/v3/ds18b20"
	"periph.io/x/devices/v3/ds248x"
	"periph.io/x/devices/v3/ina219"
	"periph.io/x/devices/v3/mcp9808"

	"github.com/headwater-iot/headwater/agent/internal/sensor/simbus"
)

// The other chips, seen over a day through periph's own drivers.
func TestDriversReadTheirChips(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rom := simbus.ROM(0x13182AB)
		b := simbus.New(simbus.Config{Seed: 3, ROMs: []uint64{rom}, Parts: map[uint16]simbus.Part{0x18: simbus.DS2482, 0x1F: simbus.MCP9808, 0x40: simbus.INA219, 0x48: simbus.ADS1115}})
		wire, err := ds248x.New(b, 0x18, &ds248x.DefaultOpts)
		if err != nil {
			t.Fatal(err)
		}
		probe, err := ds18b20.New(wire, onewire.Address(rom), 12)
		if err != nil {
			t.Fatal(err)
		}
		meter, err := ina219.New(b, &ina219.DefaultOpts)
		if err != nil {
			t.Fatal(err)
		}
		thermometer, err := mcp9808.New(b, &mcp9808.Opts{Addr: 0x1F})
		if err != nil {
			t.Fatal(err)
		}
		converter, err := ads1x15.NewADS1115(b, &ads1x15.DefaultOpts)
		if err != nil {
			t.Fatal(err)
		}
		ground, err := converter.PinForChannel(ads1x15.Channel3, physic.Volt, 8*physic.Hertz, ads1x15.BestQuality)
		if err != nil {
			t.Fatal(err)
		}
		for range 24 {
			time.Sleep(time.Hour)
			air := b.Chip(0x1F).Weather()
			var e physic.Env
			if err := thermometer.Sense(&e); err != nil || math.Abs(e.Temperature.Celsius()-air.Celsius) > 0.2 {
				t.Errorf("MCP9808: %v at %v (%v)", e.Temperature, air.Celsius, err)
			}
			if err := probe.Sense(&e); err != nil || math.Abs(e.Temperature.Celsius()-21.5) > 10 {
				t.Errorf("DS18B20: %v (%v)", e.Temperature, err)
			}
			p, err := meter.Sense()
			watts := float64(p.Voltage) * float64(p.Current) / 1e9
			if err != nil || math.Abs(float64(p.Power)-watts) > 5e6 || math.Abs(float64(p.Shunt)*10-float64(p.Current)) > 1e6 {
				t.Errorf("INA219: %v, which is not %v nW (%v)", p, watts, err)
			}
			if s, err := ground.Read(); err != nil || math.Abs(float64(s.V)) > 1e6 {
				t.Errorf("ADS1115: ground is %v (%v)", s, err)
			}
		}
	})
}
