package mcp9808

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"periph.io/x/conn/v3/i2c/i2ctest"

	"github.com/headwater-iot/headwater/agent/internal/sensor/bus"
	"github.com/headwater-iot/headwater/agent/internal/sensor/simbus"
	"github.com/headwater-iot/headwater/shared/record"
)

// opened are the transactions of Open.
func opened() []i2ctest.IO {
	return []i2ctest.IO{
		{Addr: 0x18, W: []byte{6}, R: []byte{0x00, 0x54}},
		{Addr: 0x18, W: []byte{7}, R: []byte{0x04, 0x00}},
		{Addr: 0x18, W: []byte{8, 3}},
		{Addr: 0x18, W: []byte{1, 0, 0}},
	}
}

// readOf opens a chip that then answers with these bytes, and reads it.
func readOf(t *testing.T, high, low byte) (cells []record.Cell, err error) {
	t.Helper()
	b := &i2ctest.Playback{DontPanic: true, Ops: append(opened(), i2ctest.IO{Addr: 0x18, W: []byte{5}, R: []byte{high, low}})}
	synctest.Test(t, func(t *testing.T) {
		d, openErr := Open(t.Context(), b, Settings{})
		if openErr != nil {
			t.Fatal(openErr)
		}
		cells, err = d.Read(t.Context())
		if err := d.Close(); err != nil {
			t.Error(err) // something was not asked for
		}
	})
	return cells, err
}

// The data sheet's example is 0xC190 for 25 degrees; below zero it is 256 degrees less.
func TestDataSheet(t *testing.T) {
	for _, tc := range []struct {
		high, low byte
		want      float64
	}{
		{0xC1, 0x90, 25},
		{0xC1, 0x94, 25.25},
		{0xC1, 0x9F, 25.9375},
		{0xC7, 0xD0, 125},
		{0x80, 0x00, 0},
		{0xC0, 0x01, 0.0625},
		{0x3F, 0xFF, -0.0625},
		{0x3E, 0x6C, -25.25},
		{0x3D, 0x80, -40},
	} {
		got, err := readOf(t, tc.high, tc.low)
		want := []record.Cell{record.FloatCell("temperature", "Cel", tc.want)}
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("%x %x: %v (-want +got):\n%s", tc.high, tc.low, err, diff)
		}
	}
}

// Every value of the register from -40 to 125 degrees is the decimal that one writes down.
func TestUnits(t *testing.T) {
	for sixteenths := -640; sixteenths <= 2000; sixteenths += 37 {
		raw := uint16(sixteenths)&0x1FFF | 0x8000
		got, err := readOf(t, byte(raw>>8), byte(raw))
		if want := float64(sixteenths) / 16; err != nil || got[0].Float != want || got[0].Unit != "Cel" {
			t.Errorf("%d sixteenths: %+v, %v; want %v", sixteenths, got, err, want)
		}
	}
}

func TestGarbled(t *testing.T) {
	for _, raw := range [][2]byte{{0xFF, 0xFF}, {0x60, 0x00}, {0xE1, 0x90}} {
		if got, err := readOf(t, raw[0], raw[1]); !errors.Is(err, bus.ErrGarbled) {
			t.Errorf("% x gave %+v, %v", raw, got, err)
		}
	}
}

func TestPowerLossIsNotZeroDegrees(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := simbus.New(simbus.Config{Parts: map[uint16]simbus.Part{0x18: simbus.MCP9808}})
		d, err := Open(t.Context(), b, Settings{})
		if err != nil {
			t.Fatal(err)
		}
		if cells, err := d.Read(t.Context()); err != nil || cells[0].Float < 10 {
			t.Errorf("the first read after opening gave %+v, %v", cells, err)
		}
		b.Chip(0x18).Unplug(true)
		b.Chip(0x18).Unplug(false) // so quickly that no read failed
		if cells, err := d.Read(t.Context()); !errors.Is(err, bus.ErrReset) {
			t.Errorf("got %+v, %v", cells, err)
		}
		time.Sleep(time.Second)
		if cells, err := d.Read(t.Context()); err != nil || cells[0].Float < 10 {
			t.Errorf("later: %+v, %v", cells, err)
		}
	})
}

func TestOpenTellsAnotherChip(t *testing.T) {
	b := &i2ctest.Playback{DontPanic: true, Ops: []i2ctest.IO{
		{Addr: 0x18, W: []byte{6}, R: []byte{0x00, 0x54}}, {Addr: 0x18, W: []byte{7}, R: []byte{0x02, 0x01}}, // an MCP9800
	}}
	if _, err := Open(t.Context(), b, Settings{}); !errors.Is(err, bus.ErrGarbled) {
		t.Errorf("got %v", err)
	}
	empty := simbus.New(simbus.Config{})
	if _, err := Open(t.Context(), empty, Settings{}); !errors.Is(err, simbus.ErrNack) {
		t.Errorf("got %v", err)
	}
	if err := empty.Tx(0x76, []byte{0}, nil); !errors.Is(err, simbus.ErrClosed) {
		t.Errorf("the bus was left open: %v", err)
	}
}
