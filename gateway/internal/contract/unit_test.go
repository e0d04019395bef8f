package contract

import (
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/headwater-iot/headwater/shared/record"
)

// golden is what one of each unit is in the base that the tables of RFC 8428 and RFC 8798 name (kg as g, l as m3).
const golden = `
m 1 m; g 1 g; kg 1000 g; s 1 s; A 1 A; K 1 K; Cel 274.15 K; Hz 1 Hz; Pa 1 Pa; J 1 J; W 1 W; C 1 C; V 1 V; Ohm 1 Ohm; T 1 T
rad 1 rad; deg 0.017453292519943295 rad; m3 1 m3; l 0.001 m3; m/s 1 m/s; m3/s 1 m3/s; l/s 0.001 m3/s; bit/s 1 bit/s; dBW 1 dBW
/ 1 /; % 0.01 /; %RH 0.01 /; %EL 0.01 /; S/m 1 S/m; B 1 B; VA 1 VA; VAs 1 VAs; var 1 var; vars 1 vars; J/m 1 J/m; kg/m3 1 kg/m3
1/s 1 1/s; 1/min 0.016666666666666666 1/s
ms 0.001 s; min 60 s; h 3600 s; MHz 1000000 Hz; kW 1000 W; kVA 1000 VA; kvar 1000 var; Ah 3600 C; Wh 3600 J; kWh 3600000 J
varh 3600 vars; kvarh 3600000 vars; kVAh 3600000 VAs; Wh/km 3.6 J/m; KiB 1024 B; GB 1000000000 B; Mbit/s 1000000 bit/s; B/s 8 bit/s
MB/s 8000000 bit/s; mV 0.001 V; mA 0.001 A; dBm -29 dBW; ug/m3 0.000000001 kg/m3; mm/h 2.7777777777777776e-7 m/s
m/h 0.0002777777777777778 m/s; ppm 0.000001 /; /100 0.01 /; /1000 0.001 /; hPa 100 Pa; mm 0.001 m; cm 0.01 m; km 1000 m
km/h 0.2777777777777778 m/s
degF 255.92777777777778 K; kPa 1000 Pa; mbar 100 Pa; bar 100000 Pa; mW 0.001 W; kV 1000 V; kOhm 1000 Ohm; kHz 1000 Hz
GHz 1000000000 Hz; mg 0.001 g; t 1000000 g; ml 0.000001 m3; uT 0.000001 T; mS/m 0.001 S/m; us 0.000001 s; d 86400 s
kn 0.5144444444444445 m/s; m3/h 0.0002777777777777778 m3/s`

func TestUnits(t *testing.T) {
	var seen []string
	for _, line := range strings.FieldsFunc(golden, func(r rune) bool { return r == ';' || r == '\n' }) {
		f := strings.Fields(line)
		want, _ := strconv.ParseFloat(f[1], 64)
		c, ok := conversion(f[0], f[2])
		if got := c.Apply(1); !ok || got != want {
			t.Errorf("1 %s = %v %s, want %v", f[0], got, f[2], want)
		}
		back, ok := conversion(f[2], f[0])
		if got := back.Apply(want); !ok || math.Abs(got-1) > 1e-9 {
			t.Errorf("%v %s = %v %s, want 1", want, f[2], got, f[0])
		}
		seen = append(seen, f[0])
	}
	for name, u := range units {
		if !slices.Contains(seen, name) || units[u.base].base != u.base {
			t.Errorf("unit %s is not in the golden table, or its base %s is none", name, u.base)
		}
	}
}

func TestConversionIsExact(t *testing.T) {
	for _, c := range []struct {
		from, to string
		v, want  float64
	}{
		{"hPa", "Pa", 1013.25, 101325},
		{"kPa", "hPa", 101.325, 1013.25},
		{"Cel", "K", 21.7, 294.85},
		{"K", "Cel", 294.85, 21.7},
		{"mV", "V", 3301, 3.301},
		{"%RH", "/", 45.6, 0.456},
		{"degF", "Cel", 212, 100},
		{"degF", "Cel", -40, -40},
		{"Cel", "degF", 21.7, 71.06},
		{"kWh", "J", 1, 3.6e6},
		{"J", "kWh", 3.6e6, 1},
		{"Wh", "kWh", 1234.5, 1.2345},
		{"km/h", "m/s", 36, 10},
		{"min", "h", 90, 1.5},
		{"ms", "s", 1e-9, 1e-12},
		{"V", "mV", 1.2345678901, 1234.5678901},
		{"dBm", "dBW", 14.2, -15.8},
		{"°C", "K", 21.7, 294.85},
		{"°C", "Cel", 21.7, 21.7},
		{"deg", "rad", 180, math.Pi},
		{"V", "mV", math.MaxFloat64, math.Inf(1)},
	} {
		conv, ok := conversion(c.from, c.to)
		if got := conv.Apply(c.v); !ok || got != c.want {
			t.Errorf("%v %s = %v %s, want %v", c.v, c.from, got, c.to, c.want)
		}
	}
	for _, pair := range [][2]string{{"Cel", "Pa"}, {"%RH", "%EL"}, {"furlong", "m"}, {"", "m"}, {"J", "VAs"}} {
		if _, ok := conversion(pair[0], pair[1]); ok {
			t.Errorf("%s was converted to %s", pair[0], pair[1])
		}
	}
}

// TestMicros: moving the decimal point by arithmetic gives what moving it in the text gives.
func TestMicros(t *testing.T) {
	r := rand.New(rand.NewPCG(4, 4))
	for range 200_000 {
		v := float64(r.Int64N(2e12)-1e12) / math.Pow10(r.IntN(10))
		by := r.IntN(19) - 9
		want, _ := strconv.ParseFloat(strconv.FormatFloat(v, 'f', -1, 64)+"e"+strconv.Itoa(by), 64)
		if got := shifted(v, by); got != want {
			t.Fatalf("%v moved by %d is %v, want %v", v, by, got, want)
		}
		offset := float64(r.Int64N(1e6)) / 100
		if got, want := sum(v, offset), round(v+offset, max(places(v), places(offset))); got != want {
			t.Fatalf("%v + %v = %v, want %v", v, offset, got, want)
		}
	}
}

// TestIntegersKeepTheirDigits: a conversion of integers is exact or refused.
func TestIntegersKeepTheirDigits(t *testing.T) {
	const big = 1<<53 + 1
	for _, tt := range []struct {
		name, from, to string
		col            *record.Column
		want           string
		value          any
	}{
		{"the same unit", "m", "m", ints(big), ".", int64(big)},
		{"finer", "km", "m", ints(big), ".", int64(big * 1000)},
		{"finer, unsigned", "km", "m", uints(big), ".", uint64(big * 1000)},
		{"finer, too large", "km", "m", ints(math.MaxInt64 / 999), "unit/flag", int64(math.MaxInt64 / 999)},
		{"coarser", "ms", "s", ints(1500), ".", 1.5},
		{"coarser, beyond 2^53", "ms", "s", ints(big + 1), "unit/flag", int64(big + 1)},
		{"another name", "sec", "s", ints(big), ".", int64(big)},
		{"offset", "K", "Cel", ints(300), ".", 26.85},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.col.Unit = tt.from
			v := of(t, "logicalType: number, "+ext("unit", tt.to)).Judge(Cells{Column: tt.col, Event: every(1)}, nil)
			var got any
			switch c := v.Column; c.Kind {
			case record.Float:
				got = c.Floats[0]
			case record.Int:
				got = c.Ints[0]
			case record.Uint:
				got = c.Uints[0]
			}
			if story(v, 1) != tt.want || got != tt.value {
				t.Errorf("%s, %v (%T); want %s, %v", story(v, 1), got, got, tt.want, tt.value)
			}
		})
	}
}

// TestNullHasNoValue: an offset must not leave one where there was none.
func TestNullHasNoValue(t *testing.T) {
	c := of(t, "logicalType: number, "+ext("unit", "Cel"))
	for _, col := range []*record.Column{nulls(floats("K", 0, 300), 0), nulls(ints(0, 300), 0)} {
		col.Unit = "K"
		if got := c.Judge(Cells{Column: col, Event: every(2)}, nil).Column; got.Floats[0] != 0 || got.Floats[1] != 26.85 || !got.Null[0] {
			t.Errorf("%+v", got)
		}
	}
}
