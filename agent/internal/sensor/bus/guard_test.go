package bus

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"go.yaml.in/yaml/v3"
	"periph.io/x/conn/v3/i2c"
	"periph.io/x/conn/v3/i2c/i2ctest"
)

func TestGuardRefusesWhatComesTooLate(t *testing.T) {
	g := &Guard{BusCloser: &i2ctest.Playback{DontPanic: true, Ops: []i2ctest.IO{{Addr: 1, W: []byte{2}}}}}
	ctx, cancel := context.WithCancel(t.Context())
	err := g.Do(ctx, func() error {
		if err := g.Tx(1, []byte{2}, nil); err != nil {
			t.Error(err)
		}
		cancel()
		return g.Tx(1, []byte{2}, nil)
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("after the end: %v", err)
	}
}

func TestGuardKeepsTheCauseThatADriverDrops(t *testing.T) {
	g := &Guard{BusCloser: &i2ctest.Playback{DontPanic: true, Ops: []i2ctest.IO{{Addr: 1, R: []byte{7}}}}}
	refused, own := errors.New("refused"), errors.New("the driver's own words")
	var seen byte
	g.Before = func(w, _ []byte) error {
		if len(w) > 0 {
			return refused
		}
		return nil
	}
	g.Seen = func(_, r []byte) { seen = r[0] }
	work := func(tx func() error) error {
		return g.Do(t.Context(), func() error {
			if tx() != nil {
				return own
			}
			return nil
		})
	}
	if err := work(func() error { return g.Tx(1, []byte{2}, nil) }); !errors.Is(err, refused) || !errors.Is(err, own) {
		t.Errorf("got %v, want both errors", err)
	}
	if err := work(func() error { return g.Tx(1, nil, make([]byte, 1)) }); err != nil || seen != 7 {
		t.Errorf("good work gave %v and showed %d", err, seen)
	}
	if err := g.Do(t.Context(), func() error { return own }); !errors.Is(err, own) || errors.Is(err, refused) {
		t.Errorf("an error of before is still there: %v", err)
	}
}

func TestSleepEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := Sleep(ctx, 500*time.Millisecond); err != nil {
			t.Error(err)
		}
		if err := Sleep(ctx, time.Hour); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
	})
}

func TestPlaceReportsWhatCannotBe(t *testing.T) {
	chip := Chip{Addresses: []uint16{0x44, 0x45, 0x46}}
	for _, tc := range []struct {
		place Place
		want  string
	}{
		{Place{}, "bus: is missing: name one such as 1 (/dev/i2c-1), or sim to try without hardware\n"},
		{Place{Bus: "sim"}, ""},
		{Place{Bus: "i2c-1", Address: 0x46}, ""},
		{Place{Bus: "1", Address: 0x47}, "address: must be 0x44, 0x45 or 0x46, not 0x47\n"},
		{Place{Bus: "ttyUSB0"}, "bus: " + ErrName.Error() + ": \"ttyUSB0\"\n"},
	} {
		got := ""
		tc.place.Check(chip, func(path, format string, args ...any) { got += path + ": " + fmt.Sprintf(format, args...) + "\n" })
		if got != tc.want {
			t.Errorf("%+v: %q, want %q", tc.place, got, tc.want)
		}
	}
	if a := (Place{}).Addr(chip); a != 0x44 {
		t.Errorf("default address %#x", a)
	}
}

func TestAddressIsPrintedInHex(t *testing.T) {
	text, err := yaml.Marshal([]Place{{Bus: "1", Address: 0x76}, {Bus: "sim"}})
	if want := "- bus: \"1\"\n  address: 0x76\n- bus: sim\n"; string(text) != want || err != nil {
		t.Errorf("%v\n%s\nwant\n%s", err, text, want)
	}
	var back []Place
	if err := yaml.Unmarshal(text, &back); err != nil || back[0].Address != 0x76 || back[1].Address != 0 {
		t.Errorf("%+v, %v", back, err)
	}
}

func TestIsAsksOneRegister(t *testing.T) {
	ask := func(answer ...byte) bool {
		var b i2c.Bus = &i2ctest.Playback{DontPanic: true, Ops: []i2ctest.IO{{Addr: 0x40, W: []byte{3}, R: answer}}}
		_, ok := Is(3, 0x399F, 0x1234)(t.Context(), b, 0x40)
		return ok
	}
	if !ask(0x39, 0x9F) || !ask(0x12, 0x34) || ask(0x34, 0x12) || ask(0xFF) {
		t.Error("a chip is not told by its register")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, ok := Is(3, 0)(ctx, &i2ctest.Playback{DontPanic: true}, 0x40); ok {
		t.Error("asked after the end")
	}
}
