package simbus

import (
	"errors"
	"math"
	"reflect"
	"testing"
	"testing/synctest"
	"time"

	"periph.io/x/conn/v3/i2c"
	"periph.io/x/conn/v3/physic"
	"periph.io/x/devices/v3/bmxx80"
)

var (
	_    i2c.BusCloser = (*Bus)(nil)
	opts               = bmxx80.Opts{Temperature: bmxx80.O4x, Pressure: bmxx80.O4x, Humidity: bmxx80.O4x}
)

func TestDriverReadsTheWeather(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := New(Config{Seed: 3})
		d, err := bmxx80.NewI2C(b, 0x76, &opts)
		if err != nil {
			t.Fatal(err)
		}
		seen := map[physic.Temperature]bool{}
		for range 500 {
			want := b.Chip(0x76).Weather()
			var e physic.Env
			if err := d.Sense(&e); err != nil {
				t.Fatal(err)
			}
			check := func(what string, got, want, bound float64) {
				if math.Abs(got-want) > bound {
					t.Errorf("%s is %v, the weather says %v", what, got, want)
				}
			}
			check("temperature", e.Temperature.Celsius(), want.Celsius, 0.03)
			check("pressure", float64(e.Pressure)/float64(physic.Pascal), want.Pascal, 10)
			check("humidity", float64(e.Humidity)/float64(physic.PercentRH), want.Humidity, 0.25)
			seen[e.Temperature] = true
			time.Sleep(time.Minute)
		}
		if len(seen) < 50 {
			t.Errorf("only %d temperatures in 500 minutes", len(seen))
		}
	})
}

func TestSameSeedSameCounts(t *testing.T) {
	start := time.UnixMilli(1_760_000_000_000)
	a, b := Recording(5, 50, start, time.Second), Recording(5, 50, start, time.Second)
	if !reflect.DeepEqual(a, b) {
		t.Error("two recordings of one seed differ")
	}
	if reflect.DeepEqual(a, Recording(6, 50, start, time.Second)) {
		t.Error("two seeds give one recording")
	}
	if n := len(a[0].Cells); n != 8 {
		t.Errorf("%d series, want 8", n)
	}
}

func TestCountsInvertTheDataSheet(t *testing.T) {
	for celsius := -30.0; celsius < 80; celsius += 7.3 {
		for pascal := 60_000.0; pascal < 108_000; pascal += 5_321 {
			for humidity := 5.0; humidity < 96; humidity += 13 {
				rt, rp, rh := counts(Weather{celsius, humidity, pascal})
				c, fine := centi(rt)
				if d := math.Abs(float64(c)/100 - celsius); d > 0.011 {
					t.Fatalf("%v Cel came back as %v", celsius, float64(c)/100)
				}
				if d := math.Abs(float64(pascal256(rp, fine))/256 - pascal); d > 0.3 {
					t.Fatalf("%v Pa at %v Cel is off by %v", pascal, celsius, d)
				}
				if d := math.Abs(float64(percent1024(rh, fine))/1024 - humidity); d > 0.02 {
					t.Fatalf("%v %%RH at %v Cel is off by %v", humidity, celsius, d)
				}
			}
		}
	}
}

// The worked example of the data sheet (BMP280, 3.12).
func TestFormulasGiveTheExampleOfTheDataSheet(t *testing.T) {
	c, fine := centi(519888)
	if c != 2508 || fine != 128422 {
		t.Errorf("temperature %d, fine %d; want 2508, 128422", c, fine)
	}
	if p := float64(pascal256(415148, fine)) / 256; math.Abs(p-100653.27) > 0.02 {
		t.Errorf("pressure %v, want 100653.27 Pa", p) // the sheet's figure is that of its floating-point version
	}
}

func TestFaults(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := New(Config{Parts: map[uint16]Part{0x76: BME280, 0x77: BME280}})
		d, err := bmxx80.NewI2C(b, 0x76, &opts)
		if err != nil {
			t.Fatal(err)
		}
		other, err := bmxx80.NewI2C(b, 0x77, &opts)
		if err != nil {
			t.Fatal(err)
		}
		sense := func() (e physic.Env, err error) { return e, d.Sense(&e) }
		chip := b.Chip(0x76)

		chip.Unplug(true)
		if _, err := sense(); err == nil {
			t.Error("an unplugged chip answered")
		}
		chip.Unplug(false)
		chip.Nack(1)
		if _, err := sense(); err == nil {
			t.Error("a chip that refuses answered")
		}
		first, err := sense()
		if err != nil {
			t.Fatal(err)
		}
		chip.Stick(true)
		time.Sleep(time.Hour)
		if again, err := sense(); err != nil || again != first {
			t.Errorf("a stuck chip said %v after %v (%v)", again, first, err)
		}
		chip.Stick(false)

		release := chip.Hang()
		done := make(chan error)
		go func() { _, err := sense(); done <- err }()
		synctest.Wait()
		var e physic.Env
		if err := other.Sense(&e); err != nil {
			t.Errorf("the other chip: %v", err)
		}
		release()
		if err := <-done; err != nil {
			t.Errorf("after the release: %v", err)
		}

		_ = b.Close()
		if err := b.Tx(0x76, []byte{regID}, make([]byte, 1)); !errors.Is(err, ErrClosed) {
			t.Errorf("closed bus: %v", err)
		}
		if err := b.Open().Tx(0x10, []byte{regID}, make([]byte, 1)); !errors.Is(err, ErrNack) {
			t.Errorf("nobody there: %v", err)
		}
	})
}

func BenchmarkRecording(b *testing.B) {
	b.ReportAllocs()
	start := time.UnixMilli(1_760_000_000_000)
	for b.Loop() {
		Recording(1, 1000, start, time.Second)
	}
}
