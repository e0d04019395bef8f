package ads1115

import (
	"context"
	"errors"
	"math"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"periph.io/x/conn/v3/i2c/i2ctest"

	"github.com/headwater-iot/headwater/agent/internal/sensor/bus"
	"github.com/headwater-iot/headwater/agent/internal/sensor/simbus"
	"github.com/headwater-iot/headwater/shared/record"
)

// The configuration for AIN0 - AIN1 at 2.048 V and 128 a second is the one after
// power-up, 0x8583; the codes are the data sheet's table of ideal output codes.
func TestDataSheet(t *testing.T) {
	s := Settings{Channels: []Channel{{Input: "0-1", Range: 2.048, Series: "bridge"}}}
	for _, tc := range []struct {
		high, low byte
		want      []record.Cell
	}{
		{0x00, 0x01, []record.Cell{record.FloatCell("bridge", "V", 0.0000625)}},
		{0x00, 0x00, []record.Cell{record.FloatCell("bridge", "V", 0)}},
		{0xFF, 0xFF, []record.Cell{record.FloatCell("bridge", "V", -0.0000625)}},
		{0x40, 0x00, []record.Cell{record.FloatCell("bridge", "V", 1.024)}},
		{0x7F, 0xFF, []record.Cell{record.FailedCell("bridge", "V", record.Float)}}, // full scale and all above
		{0x80, 0x00, []record.Cell{record.FailedCell("bridge", "V", record.Float)}},
	} {
		b := &i2ctest.Playback{DontPanic: true, Ops: []i2ctest.IO{
			{Addr: 0x48, W: []byte{1}, R: []byte{0x85, 0x83}},
			{Addr: 0x48, W: []byte{1, 0x85, 0x83}},
			{Addr: 0x48, W: []byte{1}, R: []byte{0x05, 0x83}}, // still converting
			{Addr: 0x48, W: []byte{1}, R: []byte{0x85, 0x83}},
			{Addr: 0x48, W: []byte{0}, R: []byte{tc.high, tc.low}},
		}}
		synctest.Test(t, func(t *testing.T) {
			d, err := Open(t.Context(), b, s)
			if err != nil {
				t.Fatal(err)
			}
			got, err := d.Read(t.Context())
			if diff := cmp.Diff(tc.want, got); diff != "" || (err != nil) != tc.want[0].Null {
				t.Errorf("%x %x: %v (-want +got):\n%s", tc.high, tc.low, err, diff)
			}
			if err := d.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestUnits(t *testing.T) {
	for _, tc := range []struct {
		c    Channel
		raw  int32
		want float64
	}{
		{Channel{Range: 6.144}, 1, 0.0001875},
		{Channel{}, 1, 0.000125},
		{Channel{Range: 2.048}, 1, 0.0000625},
		{Channel{Range: 1.024}, 1, 0.00003125},
		{Channel{Range: 0.512}, 1, 0.000015625},
		{Channel{Range: 0.256}, 1, 0.0000078125},
		{Channel{Range: 0.256}, -32767, -0.2559921875},
		{Channel{}, 26400, 3.3},
		{Channel{Range: 6.144, Scale: 3}, 10667, 6.0002},            // a divider: 6.0001875, and 0.56 mV a count
		{Channel{Range: 2.048, Scale: 100, Offset: -50}, 12000, 25}, // a TMP36
		{Channel{Range: 2.048, Scale: 100, Offset: -50}, 12001, 25.006},
		{Channel{Offset: 0.1}, 800, 0.2},
		{Channel{Scale: 1e6}, 1, 125},
	} {
		got, ok := tc.c.cell(tc.raw)
		if !ok || got.Float != tc.want {
			t.Errorf("%+v of %d is %v, want %v", tc.c, tc.raw, got.Float, tc.want)
		}
	}
	for _, c := range []Channel{{Range: 6.144, Scale: 2}, {Range: 0.256, Scale: 0.3}, {Range: 4.096, Scale: -17.7, Offset: 3}} {
		seen := map[float64]bool{}
		for raw := int32(-500); raw < 500; raw++ {
			cell, _ := c.cell(raw)
			seen[cell.Float] = true
		}
		if len(seen) != 1000 {
			t.Errorf("%+v: only %d of 1000 counts are told apart", c, len(seen))
		}
	}
}

func TestClippedIsAbsent(t *testing.T) {
	for _, raw := range []int32{math.MaxInt16, math.MinInt16} {
		if cell, ok := (Channel{}).cell(raw); ok {
			t.Errorf("%d gave %+v", raw, cell)
		}
	}
	synctest.Test(t, func(t *testing.T) {
		b := simbus.New(simbus.Config{Parts: map[uint16]simbus.Part{0x48: simbus.ADS1115}})
		d, err := Open(t.Context(), b, Settings{Channels: []Channel{{Input: "0", Range: 0.256}, {Input: "3"}}})
		if err != nil {
			t.Fatal(err)
		}
		cells, err := d.Read(t.Context())
		if err == nil || len(cells) != 2 || !cells[0].Null || cells[1].Null || cells[1].Series != "voltage3" {
			t.Errorf("1.1 V at a range of 0.256 V gave %+v, %v", cells, err)
		}
	})
}

// The simulated chip is a tenth slower than its rate, which the data sheet allows.
func TestSlowChipGivesItsOwnChannel(t *testing.T) {
	for _, rate := range []int{8, 128, 860} {
		synctest.Test(t, func(t *testing.T) {
			b := simbus.New(simbus.Config{Parts: map[uint16]simbus.Part{0x4B: simbus.ADS1115}})
			d, err := Open(t.Context(), b, Settings{Place: bus.Place{Address: 0x4B}, Rate: rate, Channels: []Channel{
				{Input: "1", Series: "a"}, {Input: "3", Series: "ground"}, {Input: "1-3", Series: "b"}, {Input: "0-1", Series: "c"},
			}})
			if err != nil {
				t.Fatal(err)
			}
			for range 5 {
				cells, err := d.Read(t.Context())
				if err != nil || len(cells) != 4 {
					t.Fatalf("%+v, %v", cells, err)
				}
				a, ground, b, c := cells[0].Float, cells[1].Float, cells[2].Float, cells[3].Float
				if math.Abs(a-1.08) > 0.1 || math.Abs(ground) > 0.01 || math.Abs(a-b) > 0.01 || math.Abs(c) > 0.2 {
					t.Errorf("at %d a second: %+v", rate, cells)
				}
			}
		})
	}
}

func TestChipThatDoesNotKeepItsSettings(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := simbus.New(simbus.Config{Parts: map[uint16]simbus.Part{0x48: simbus.ADS1115}})
		d, err := Open(t.Context(), b, Settings{Rate: 8})
		if err != nil {
			t.Fatal(err)
		}
		failed := make(chan error)
		go func() { _, err := d.Read(t.Context()); failed <- err }()
		time.Sleep(50 * time.Millisecond)
		b.Chip(0x48).Unplug(true)
		b.Chip(0x48).Unplug(false) // in the middle of a conversion
		if err := <-failed; !errors.Is(err, bus.ErrReset) {
			t.Errorf("got %v", err)
		}
		b.Chip(0x48).Busy(true)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := d.Read(ctx); !errors.Is(err, bus.ErrBusy) || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
		b.Chip(0x48).Busy(false)
		if cells, err := d.Read(t.Context()); err != nil || len(cells) != 4 {
			t.Errorf("after it recovered: %+v, %v", cells, err)
		}
	})
}

func TestCheckReportsEveryProblem(t *testing.T) {
	var got []string
	report := func(path, _ string, _ ...any) { got = append(got, path) }
	Settings{Place: bus.Place{Bus: "sim", Address: 0x40}, Rate: 100, Channels: []Channel{
		{Input: "4", Range: 5}, {Input: "0", Series: "x"}, {Input: "1", Series: "x", Scale: math.Inf(1)},
	}}.Check(report)
	want := []string{"address", "rate", "channels[0].input", "channels[0].range", "channels[2].series", "channels[2].scale"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	got = nil
	Settings{Place: bus.Place{Bus: "sim"}}.Check(report)
	all := Settings{Place: bus.Place{Bus: "1", Address: 0x4A}}
	for input := range inputs() {
		all.Channels = append(all.Channels, Channel{Input: input, Range: 0.512, Scale: -2, Unit: "Pa"})
	}
	all.Check(report)
	if got != nil {
		t.Errorf("good settings refused: %v", got)
	}
	if cells := all.Announce(); len(cells) != 8 || cells[0].Unit != "Pa" {
		t.Errorf("announced %+v", cells)
	}
}
