package ds18b20

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"
	"periph.io/x/conn/v3/i2c/i2ctest"
	"periph.io/x/conn/v3/onewire"
	"periph.io/x/conn/v3/onewire/onewiretest"
	"periph.io/x/conn/v3/physic"

	"github.com/headwater-iot/headwater/agent/internal/sensor/bus"
	"github.com/headwater-iot/headwater/agent/internal/sensor/simbus"
	"github.com/headwater-iot/headwater/shared/record"
)

const rom = onewire.Address(0x740000070E41AC28) // of the kernel's documentation of 1-wire: 28-0000070e41ac

// pad is a scratchpad with its checksum.
func pad(low, high, six byte) []byte {
	p := []byte{low, high, 0x4B, 0x46, 0x7F, 0xFF, six, 0x10}
	return append(p, onewire.CalcCRC(p))
}

// readOf reads a thermometer that answers with a scratchpad.
func readOf(t *testing.T, scratchpad []byte) (cells []record.Cell, err error) {
	t.Helper()
	match := []byte{0x55, 0x28, 0xAC, 0x41, 0x0E, 0x07, 0x00, 0x00, 0x74, 0xBE}
	wire := &onewiretest.Playback{DontPanic: true, Ops: []onewiretest.IO{
		{W: match, R: pad(0x50, 0x05, 0x0C)}, // the driver's first look
		{W: []byte{0xCC, 0x44}, Pull: onewire.StrongPullup},
		{W: match, R: scratchpad},
	}}
	synctest.Test(t, func(t *testing.T) {
		d := &Device{
			bus: &bus.Guard{BusCloser: &i2ctest.Playback{}}, wire: &checked{Bus: wire},
			bits: 12, probes: []probe{{series: "temperature", rom: rom}},
		}
		cells, err = d.Read(t.Context())
		if err := wire.Close(); err != nil {
			t.Error(err) // something was not asked for
		}
	})
	return cells, err
}

// Table 1 of the data sheet.
func TestDataSheet(t *testing.T) {
	for _, tc := range []struct {
		raw  uint16
		want float64
	}{
		{0x07D0, 125},
		{0x0550, 85},
		{0x0191, 25.0625},
		{0x00A2, 10.125},
		{0x0008, 0.5},
		{0x0000, 0},
		{0xFFF8, -0.5},
		{0xFF5E, -10.125},
		{0xFE6F, -25.0625},
		{0xFC90, -55},
	} {
		got, err := readOf(t, pad(byte(tc.raw), byte(tc.raw>>8), 0x10-byte(tc.raw)&0x0F))
		want := []record.Cell{record.FloatCell("temperature", "Cel", tc.want)}
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("%#x: %v (-want +got):\n%s", tc.raw, err, diff)
		}
	}
}

func TestUnits(t *testing.T) {
	for sixteenths := -55 * 16; sixteenths <= 125*16; sixteenths++ {
		got := cell("x", physic.Temperature(sixteenths)*physic.Kelvin/16+physic.ZeroCelsius)
		if want := float64(sixteenths) / 16; got.Float != want || got.Unit != "Cel" {
			t.Errorf("%d sixteenths are %v %s, want %v Cel", sixteenths, got.Float, got.Unit, want)
		}
	}
}

func TestPowerUpIsNotAReading(t *testing.T) {
	if got, err := readOf(t, pad(0x50, 0x05, 0x0C)); err == nil {
		t.Errorf("the value after power-up gave %+v", got)
	}
	synctest.Test(t, func(t *testing.T) {
		one := simbus.ROM(1)
		b := simbus.New(simbus.Config{Parts: map[uint16]simbus.Part{0x18: simbus.DS2482}, ROMs: []uint64{one}})
		d, err := Open(t.Context(), b, Settings{})
		if err != nil {
			t.Fatal(err)
		}
		probe := b.Chip(0x18).Probe(one)
		probe.Starve(true)
		if cells, err := d.Read(t.Context()); err == nil {
			t.Errorf("a thermometer without power gave %+v", cells)
		}
		probe.Starve(false)
		if cells, err := d.Read(t.Context()); err != nil || cells[0].Float < 10 || cells[0].Float > 40 {
			t.Errorf("with power again: %+v, %v", cells, err)
		}
	})
}

func TestShortedWireIsNotZeroDegrees(t *testing.T) {
	if zeros := make([]byte, 9); !onewire.CheckCRC(zeros) {
		t.Fatal("the trap is gone")
	}
	for _, answer := range [][]byte{make([]byte, 9), {0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF}} {
		if got, err := readOf(t, answer); err == nil {
			t.Errorf("% x gave %+v", answer, got)
		}
	}
}

func TestDamagedScratchpadIsAnError(t *testing.T) {
	for bit := range 72 {
		bad := pad(0x91, 0x01, 0x0F)
		bad[bit/8] ^= 1 << (bit % 8)
		if got, err := readOf(t, bad); err == nil {
			t.Errorf("bit %d flipped gave %+v", bit, got)
		}
	}
}

// wireOf is a simulated bridge with three thermometers, and settings that name them.
func wireOf() (*simbus.Bus, []uint64, Settings) {
	roms := []uint64{simbus.ROM(0x13182AB), simbus.ROM(0x13182AC), simbus.ROM(0xFF00000000FF)}
	b := simbus.New(simbus.Config{Parts: map[uint16]simbus.Part{0x19: simbus.DS2482}, ROMs: roms})
	s := Settings{Place: bus.Place{Address: 0x19}}
	for _, r := range roms {
		s.Probes = append(s.Probes, Probe{ROM: name(onewire.Address(r))})
	}
	s.Probes[0].Series = "inlet"
	return b, roms, s
}

func TestProbesFailByThemselves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, roms, s := wireOf()
		b.Chip(0x19).Probe(roms[2]).Unplug(true) // not there when it is opened
		d, err := Open(t.Context(), b, s)
		if err != nil {
			t.Fatal(err)
		}
		want := func(when string, series ...string) {
			t.Helper()
			cells, err := d.Read(t.Context())
			var got []string
			for _, c := range cells {
				got = append(got, c.Series)
			}
			if diff := cmp.Diff(series, got); diff != "" || (err == nil) != (len(series) == 3) {
				t.Errorf("%s: %v (-want +got):\n%s", when, err, diff)
			}
		}
		second, third := "temperature-28-0000013182ac", "temperature-28-ff00000000ff"
		want("one missing", "inlet", second)
		b.Chip(0x19).Probe(roms[2]).Unplug(false)
		want("it is there", "inlet", second, third)
		b.Chip(0x19).Probe(roms[0]).Damage(true)
		want("one damaged", second, third)
		b.Chip(0x19).Probe(roms[1]).Starve(true)
		want("and one without power", third)
		b.Chip(0x19).Probe(roms[2]).Unplug(true)
		want("and one unplugged")
		b.Chip(0x19).Probe(roms[0]).Damage(false)
		b.Chip(0x19).Probe(roms[1]).Starve(false)
		b.Chip(0x19).Probe(roms[2]).Unplug(false)
		want("all well again", "inlet", second, third)
	})
}

func TestSearchFindsAllThermometers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, _, s := wireOf()
		got, err := Search(t.Context(), b, 0x19)
		want := map[string]bool{s.Probes[0].ROM: true, s.Probes[1].ROM: true, s.Probes[2].ROM: true}
		found := map[string]bool{}
		for _, r := range got {
			found[r] = true
		}
		if diff := cmp.Diff(want, found); diff != "" || err != nil || len(got) != 3 {
			t.Errorf("%v (-want +got):\n%s", err, diff)
		}
		s.Probes = nil
		if _, err := Open(t.Context(), b.Open(), s); !errors.Is(err, ErrWhich) || !strings.Contains(err.Error(), "28-0000013182ab") || errors.Is(err, simbus.ErrNack) {
			t.Errorf("three thermometers, none named: %v", err)
		}
	})
}

func TestGlitchCostsOneReading(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, _, s := wireOf()
		d, err := Open(t.Context(), b, s)
		if err != nil {
			t.Fatal(err)
		}
		for range 3 {
			b.Chip(0x19).Nack(1)
			if cells, err := d.Read(t.Context()); !errors.Is(err, simbus.ErrNack) {
				t.Errorf("got %+v, %v", cells, err)
			}
			if cells, err := d.Read(t.Context()); err != nil || len(cells) != 3 {
				t.Errorf("the next read: %+v, %v", cells, err)
			}
		}
	})
}

// A bridge that was used has not the status of one that was just powered.
func TestUsedBridgeIsIdentified(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, _, s := wireOf()
		d, err := Open(t.Context(), b, s)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := d.Read(t.Context()); err != nil {
			t.Fatal(err)
		}
		more, ok := identify(t.Context(), b, 0x19)
		if want := "probes: [{rom: 28-0000013182ac}, {rom: 28-0000013182ab}, {rom: 28-ff00000000ff}]"; !ok || more != want {
			t.Errorf("found %v %q, want %q", ok, more, want)
		}
		if cells, err := d.Read(t.Context()); err != nil || len(cells) != 3 {
			t.Errorf("after it was looked for: %+v, %v", cells, err)
		}
	})
}

func TestResolutionIsSet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, roms, s := wireOf()
		s.Resolution = 9
		for range 2 { // the second time it has it already
			d, err := Open(t.Context(), b.Open(), s)
			if err != nil {
				t.Fatal(err)
			}
			for range 20 {
				cells, err := d.Read(t.Context())
				if err != nil || len(cells) != len(roms) {
					t.Fatalf("%+v, %v", cells, err)
				}
				for _, c := range cells {
					if halves := c.Float * 2; halves != float64(int(halves)) {
						t.Errorf("%v at 9 bits", c.Float)
					}
				}
			}
			b.Chip(0x19).Unplug(true)
			b.Chip(0x19).Unplug(false)
		}
	})
}

func TestCheckReportsEveryProblem(t *testing.T) {
	var got []string
	report := func(path, _ string, _ ...any) { got = append(got, path) }
	Settings{Place: bus.Place{Bus: "sim", Address: 0x40}, Resolution: 13, Probes: []Probe{
		{ROM: "28-0000013182ab"}, {ROM: "10-0000013182ab"}, {ROM: "28-0000013182ab", Series: "x"}, {ROM: "28-13182ab", Series: "x"},
	}}.Check(report)
	want := []string{"address", "resolution", "probes[1].rom", "probes[2].rom", "probes[3].rom", "probes[3].series"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	got = nil
	Settings{Place: bus.Place{Bus: "sim"}}.Check(report)
	Settings{Place: bus.Place{Bus: "1", Address: 0x18}, Resolution: 9, Probes: []Probe{{ROM: "28-0000013182ab"}}}.Check(report)
	if got != nil {
		t.Errorf("good settings refused: %v", got)
	}
	if a, err := parseROM("28-0000070e41ac"); a != rom || err != nil {
		t.Errorf("parsed %#x, %v; want %#x", uint64(a), err, uint64(rom))
	}
}
