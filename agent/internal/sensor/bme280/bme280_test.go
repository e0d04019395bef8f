package bme280

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"periph.io/x/conn/v3/i2c/i2ctest"
	"periph.io/x/conn/v3/physic"

	"github.com/headwater-iot/headwater/agent/internal/sensor/bus"
	"github.com/headwater-iot/headwater/agent/internal/sensor/simbus"
	"github.com/headwater-iot/headwater/shared/record"
)

func TestUnits(t *testing.T) {
	for _, tc := range []struct {
		name string
		env  physic.Env
		want []record.Cell
	}{
		{
			"a summer day",
			physic.Env{
				Temperature: 2371*10*physic.MilliKelvin + physic.ZeroCelsius,
				Humidity:    4633300 * physic.TenthMicroRH,
				Pressure:    25767233 * 15625 * physic.MicroPascal / 4,
			},
			[]record.Cell{
				record.FloatCell("temperature", "Cel", 23.71),
				record.FloatCell("humidity", "%RH", 46.333),
				record.FloatCell("pressure", "Pa", 100653.3),
			},
		},
		{
			"frost",
			physic.Env{Temperature: -1205*10*physic.MilliKelvin + physic.ZeroCelsius, Humidity: physic.PercentRH, Pressure: 96386 * physic.Pascal},
			[]record.Cell{
				record.FloatCell("temperature", "Cel", -12.05),
				record.FloatCell("humidity", "%RH", 1),
				record.FloatCell("pressure", "Pa", 96386),
			},
		},
	} {
		if diff := cmp.Diff(tc.want, cells(tc.env)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tc.name, diff)
		}
	}
}

func TestAbsentIsNotZero(t *testing.T) {
	if got := cells(physic.Env{}); len(got) != 0 {
		t.Errorf("an empty measurement gave %+v", got)
	}
	b := simbus.New(simbus.Config{Parts: map[uint16]simbus.Part{0x76: simbus.BMP280}})
	synctest.Test(t, func(t *testing.T) {
		d, err := Open(t.Context(), b, Settings{Model: "bmp280"})
		if err != nil {
			t.Fatal(err)
		}
		got, err := d.Read(t.Context())
		if err != nil || len(got) != 2 || got[0].Series != "temperature" || got[1].Series != "pressure" {
			t.Errorf("a BMP280 gave %+v, %v", got, err)
		}
	})
}

func TestRecordingIsWhatTheDriverReads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const seed, rows = 11, 200
		start := time.Now()
		want := simbus.Recording(seed, rows, start, time.Second)
		two := simbus.New(simbus.Config{Seed: seed})
		in, err := Open(t.Context(), two, Settings{})
		if err != nil {
			t.Fatal(err)
		}
		for i := range rows {
			time.Sleep(time.Until(start.Add(time.Duration(i) * time.Second)))
			got, err := in.Read(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want[i].Cells[:3], got); diff != "" {
				t.Fatalf("row %d (-recording +driver):\n%s", i, diff)
			}
		}
	})
}

func TestChipThatStaysBusyEndsWithTheRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := simbus.New(simbus.Config{})
		d, err := Open(t.Context(), b, Settings{})
		if err != nil {
			t.Fatal(err)
		}
		b.Chip(0x76).Busy(true)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := d.Read(ctx); err == nil {
			t.Error("a chip that never finishes gave a reading")
		}
		b.Chip(0x76).Busy(false)
		if _, err := d.Read(t.Context()); err != nil {
			t.Errorf("after it recovered: %v", err)
		}
	})
}

func TestChipThatLostItsSettingsGivesNoMadeUpHumidity(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := simbus.New(simbus.Config{})
		d, err := Open(t.Context(), b, Settings{})
		if err != nil {
			t.Fatal(err)
		}
		b.Chip(0x76).Unplug(true)
		b.Chip(0x76).Unplug(false) // so quickly that no read failed
		if cells, err := d.Read(t.Context()); !errors.Is(err, bus.ErrReset) {
			t.Errorf("got %+v, %v", cells, err)
		}
		again, err := Open(t.Context(), b, Settings{})
		if err != nil {
			t.Fatal(err)
		}
		if cells, err := again.Read(t.Context()); err != nil || len(cells) != 3 {
			t.Errorf("opened anew: %+v, %v", cells, err)
		}
	})
}

func TestOpenSaysWhenNobodyAnswersAndClosesTheBus(t *testing.T) {
	b := simbus.New(simbus.Config{})
	if _, err := Open(t.Context(), b, Settings{Address: 0x77}); err == nil {
		t.Fatal("opened a chip that is not there")
	}
	if err := b.Tx(0x76, []byte{0xD0}, make([]byte, 1)); !errors.Is(err, simbus.ErrClosed) {
		t.Errorf("the bus was left open: %v", err)
	}
	foreign := &i2ctest.Playback{Ops: []i2ctest.IO{{Addr: 0x76, W: []byte{0xD0}, R: []byte{0x42}}}}
	if _, err := Open(t.Context(), foreign, Settings{}); err == nil {
		t.Error("opened a chip of another make")
	}
}

func TestCheckReportsEveryProblem(t *testing.T) {
	var got []string
	report := func(path, _ string, _ ...any) { got = append(got, path) }
	Settings{Bus: "usb", Address: 0x40, Model: "dht22", Oversampling: 3}.Check(report)
	if diff := cmp.Diff([]string{"address", "bus", "model", "oversampling"}, got); diff != "" {
		t.Error(diff)
	}
	got = nil
	Settings{Bus: "sim"}.Check(report)
	Settings{Bus: "1", Address: 0x77, Model: "bmp180", Oversampling: 16}.Check(report)
	if got != nil {
		t.Errorf("good settings refused: %v", got)
	}
}
