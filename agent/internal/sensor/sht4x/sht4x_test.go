package sht4x

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"periph.io/x/conn/v3/i2c/i2ctest"

	"github.com/headwater-iot/headwater/agent/internal/sensor/bus"
	"github.com/headwater-iot/headwater/agent/internal/sensor/simbus"
	"github.com/headwater-iot/headwater/shared/record"
)

// serial are the transactions of Open.
func serial() []i2ctest.IO {
	return []i2ctest.IO{{Addr: 0x44, W: []byte{0x89}}, {Addr: 0x44, R: []byte{0xBE, 0xEF, 0x92, 0xBE, 0xEF, 0x92}}}
}

// readOf opens a chip that then answers with these bytes, and reads it.
func readOf(t *testing.T, s Settings, cmd byte, answer ...byte) (cells []record.Cell, err error) {
	t.Helper()
	b := &i2ctest.Playback{DontPanic: true, Ops: append(serial(), i2ctest.IO{Addr: 0x44, W: []byte{cmd}}, i2ctest.IO{Addr: 0x44, R: answer})}
	synctest.Test(t, func(t *testing.T) {
		d, openErr := Open(t.Context(), b, s)
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

// The data sheet's example of a checksum is 0xBEEF: 0x92 (4.4); its formulas are in 4.6.
func TestDataSheet(t *testing.T) {
	got, err := readOf(t, Settings{}, 0xFD, 0xBE, 0xEF, 0x92, 0xBE, 0xEF, 0x92)
	want := []record.Cell{
		record.FloatCell("temperature", "Cel", 85.523), // -45 + 175 * 48879 / 65535
		record.FloatCell("humidity", "%RH", 87.231),    // -6 + 125 * 48879 / 65535
	}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	for _, s := range []struct {
		precision string
		cmd       byte
	}{{"high", 0xFD}, {"medium", 0xF6}, {"low", 0xE0}} {
		if _, err := readOf(t, Settings{Precision: s.precision}, s.cmd, 0xBE, 0xEF, 0x92, 0xBE, 0xEF, 0x92); err != nil {
			t.Errorf("%s: %v", s.precision, err)
		}
	}
}

func TestUnits(t *testing.T) {
	for _, tc := range []struct {
		t, h              uint16
		celsius, humidity float64
	}{
		{0, 0, -45, 0},                 // the formula gives -6 %
		{0xFFFF, 0xFFFF, 130, 100},     // and 119 %
		{26214, 32768, 25.0, 56.501},   // exactly two fifths of the range
		{16852, 3145, 0, 0},            // the nearest to 0 degrees and to 0 %
		{26215, 32769, 25.003, 56.503}, // one step more of each
	} {
		want := []record.Cell{record.FloatCell("temperature", "Cel", tc.celsius), record.FloatCell("humidity", "%RH", tc.humidity)}
		if diff := cmp.Diff(want, cells(tc.t, tc.h)); diff != "" {
			t.Errorf("%d, %d (-want +got):\n%s", tc.t, tc.h, diff)
		}
	}
}

func TestDamagedAnswerIsAnError(t *testing.T) {
	good := []byte{0xBE, 0xEF, 0x92, 0xBE, 0xEF, 0x92}
	for bit := range 8 * len(good) {
		bad := slices.Clone(good)
		bad[bit/8] ^= 1 << (bit % 8)
		if got, err := readOf(t, Settings{}, 0xFD, bad...); !errors.Is(err, ErrCRC) {
			t.Errorf("bit %d flipped: %+v, %v", bit, got, err)
		}
	}
	for _, all := range []byte{0x00, 0xFF} {
		if got, err := readOf(t, Settings{}, 0xFD, all, all, all, all, all, all); !errors.Is(err, ErrCRC) {
			t.Errorf("all %#x: %+v, %v", all, got, err)
		}
	}
}

// recorder notes the commands that a chip is given.
type recorder struct {
	*simbus.Bus
	commands map[byte]bool
}

func (r recorder) Tx(addr uint16, w, read []byte) error {
	for _, b := range w {
		r.commands[b] = true
	}
	return r.Bus.Tx(addr, w, read)
}

func TestNothingButMeasuring(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := recorder{simbus.New(simbus.Config{Parts: map[uint16]simbus.Part{0x45: simbus.SHT4x}}), map[byte]bool{}}
		for _, precision := range []string{"", "high", "medium", "low"} {
			d, err := Open(t.Context(), r, Settings{Place: bus.Place{Address: 0x45}, Precision: precision})
			if err != nil {
				t.Fatal(err)
			}
			for range 10 {
				cells, err := d.Read(t.Context())
				if err != nil || cells[0].Float < 10 || cells[1].Float < 20 {
					t.Errorf("%q: %+v, %v", precision, cells, err)
				}
			}
			_ = d.Close()
			r.Open()
		}
		if diff := cmp.Diff(map[byte]bool{0x89: true, 0xFD: true, 0xF6: true, 0xE0: true}, r.commands); diff != "" {
			t.Errorf("commands (-want +got):\n%s", diff)
		}
	})
}

func TestReadEndsWithItsTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := simbus.New(simbus.Config{Parts: map[uint16]simbus.Part{0x44: simbus.SHT4x}})
		d, err := Open(t.Context(), b, Settings{})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Millisecond)
		defer cancel()
		if _, err := d.Read(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
		time.Sleep(time.Second)
		if _, err := d.Read(t.Context()); err != nil {
			t.Errorf("the next read: %v", err)
		}
	})
}

func TestCheckReportsEveryProblem(t *testing.T) {
	var got []string
	report := func(path, _ string, _ ...any) { got = append(got, path) }
	Settings{Place: bus.Place{Bus: "usb", Address: 0x40}, Precision: "best"}.Check(report)
	if diff := cmp.Diff([]string{"address", "bus", "precision"}, got); diff != "" {
		t.Error(diff)
	}
	got = nil
	Settings{Place: bus.Place{Bus: "sim"}}.Check(report)
	Settings{Place: bus.Place{Bus: "i2c-1", Address: 0x46}, Precision: "low"}.Check(report)
	if got != nil {
		t.Errorf("good settings refused: %v", got)
	}
}
