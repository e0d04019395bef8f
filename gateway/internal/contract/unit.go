package contract

import (
	"math"
	"strconv"
	"strings"

	"github.com/headwater-iot/headwater/shared/record"
)

// A unit lies on the scale of its base: base = (value + before) * 10^shift * num / den. Powers of ten and quotients
// are kept apart, so that 21.7 hPa are 2170 Pa to the last bit and 90 min are 1.5 h.
type unit struct {
	base     string
	shift    int
	num, den float64
	before   float64
}

// units are the primary units of SenML (RFC 8428 section 12.1, RFC 8798 section 2) that have a relative, all the
// secondary ones of RFC 8798 section 3, and those that sensors write although SenML has no name for them. Read only.
var units = map[string]unit{
	// Primary.
	"m": {"m", 0, 1, 1, 0}, "g": {"g", 0, 1, 1, 0}, "kg": {"g", 3, 1, 1, 0}, "s": {"s", 0, 1, 1, 0}, "A": {"A", 0, 1, 1, 0},
	"K": {"K", 0, 1, 1, 0}, "Cel": {"K", 0, 1, 1, 273.15}, "Hz": {"Hz", 0, 1, 1, 0}, "Pa": {"Pa", 0, 1, 1, 0},
	"J": {"J", 0, 1, 1, 0}, "W": {"W", 0, 1, 1, 0}, "C": {"C", 0, 1, 1, 0}, "V": {"V", 0, 1, 1, 0}, "Ohm": {"Ohm", 0, 1, 1, 0},
	"T": {"T", 0, 1, 1, 0}, "rad": {"rad", 0, 1, 1, 0}, "deg": {"rad", 0, math.Pi, 180, 0}, "m3": {"m3", 0, 1, 1, 0},
	"l": {"m3", -3, 1, 1, 0}, "m/s": {"m/s", 0, 1, 1, 0}, "m3/s": {"m3/s", 0, 1, 1, 0}, "l/s": {"m3/s", -3, 1, 1, 0},
	"bit/s": {"bit/s", 0, 1, 1, 0}, "dBW": {"dBW", 0, 1, 1, 0}, "/": {"/", 0, 1, 1, 0}, "%": {"/", -2, 1, 1, 0},
	"%RH": {"/", -2, 1, 1, 0}, "%EL": {"/", -2, 1, 1, 0}, "S/m": {"S/m", 0, 1, 1, 0}, "B": {"B", 0, 1, 1, 0},
	"VA": {"VA", 0, 1, 1, 0}, "VAs": {"VAs", 0, 1, 1, 0}, "var": {"var", 0, 1, 1, 0}, "vars": {"vars", 0, 1, 1, 0},
	"J/m": {"J/m", 0, 1, 1, 0}, "kg/m3": {"kg/m3", 0, 1, 1, 0}, "1/s": {"1/s", 0, 1, 1, 0}, "1/min": {"1/s", 0, 1, 60, 0},
	// Secondary.
	"ms": {"s", -3, 1, 1, 0}, "min": {"s", 0, 60, 1, 0}, "h": {"s", 0, 3600, 1, 0}, "MHz": {"Hz", 6, 1, 1, 0},
	"kW": {"W", 3, 1, 1, 0}, "kVA": {"VA", 3, 1, 1, 0}, "kvar": {"var", 3, 1, 1, 0}, "Ah": {"C", 0, 3600, 1, 0},
	"Wh": {"J", 0, 3600, 1, 0}, "kWh": {"J", 3, 3600, 1, 0}, "varh": {"vars", 0, 3600, 1, 0}, "kvarh": {"vars", 3, 3600, 1, 0},
	"kVAh": {"VAs", 3, 3600, 1, 0}, "Wh/km": {"J/m", -3, 3600, 1, 0}, "KiB": {"B", 0, 1024, 1, 0}, "GB": {"B", 9, 1, 1, 0},
	"Mbit/s": {"bit/s", 6, 1, 1, 0}, "B/s": {"bit/s", 0, 8, 1, 0}, "MB/s": {"bit/s", 6, 8, 1, 0}, "mV": {"V", -3, 1, 1, 0},
	"mA": {"A", -3, 1, 1, 0}, "dBm": {"dBW", 0, 1, 1, -30}, "ug/m3": {"kg/m3", -9, 1, 1, 0}, "mm/h": {"m/s", -3, 1, 3600, 0},
	"m/h": {"m/s", 0, 1, 3600, 0}, "ppm": {"/", -6, 1, 1, 0}, "/100": {"/", -2, 1, 1, 0}, "/1000": {"/", -3, 1, 1, 0},
	"hPa": {"Pa", 2, 1, 1, 0}, "mm": {"m", -3, 1, 1, 0}, "cm": {"m", -2, 1, 1, 0}, "km": {"m", 3, 1, 1, 0}, "km/h": {"m/s", 3, 1, 3600, 0},
	// Not of SenML.
	"degF": {"K", 0, 5, 9, 459.67}, "kPa": {"Pa", 3, 1, 1, 0}, "mbar": {"Pa", 2, 1, 1, 0}, "bar": {"Pa", 5, 1, 1, 0},
	"mW": {"W", -3, 1, 1, 0}, "kV": {"V", 3, 1, 1, 0}, "kOhm": {"Ohm", 3, 1, 1, 0}, "kHz": {"Hz", 3, 1, 1, 0}, "GHz": {"Hz", 9, 1, 1, 0},
	"mg": {"g", -3, 1, 1, 0}, "t": {"g", 6, 1, 1, 0}, "ml": {"m3", -6, 1, 1, 0}, "uT": {"T", -6, 1, 1, 0}, "mS/m": {"S/m", -3, 1, 1, 0},
	"us": {"s", -6, 1, 1, 0}, "d": {"s", 0, 86400, 1, 0}, "kn": {"m/s", 0, 1852, 3600, 0}, "m3/h": {"m3/s", 0, 1, 3600, 0},
}

// Conversion turns values of one unit into another: (value + before) * 10^shift * num / den - after.
type Conversion struct {
	shift         int
	num, den      float64
	before, after float64
}

// conversion returns how to turn from into to. ok is false when they do not lie on one scale.
func conversion(from, to string) (c Conversion, ok bool) {
	if from = canonical(from); from == to {
		return Conversion{num: 1, den: 1}, true
	}
	a, known := units[from]
	b, also := units[to]
	// Humidity and charge are both percentages; one is not the other for that.
	foreign := (from == "%RH" || from == "%EL") && (to == "%RH" || to == "%EL")
	if !known || !also || a.base != b.base || foreign {
		return Conversion{}, false
	}
	c = Conversion{shift: a.shift - b.shift, num: a.num * b.den, den: a.den * b.num, before: a.before, after: b.before}
	if c.num == c.den {
		c.num, c.den = 1, 1
	}
	return c, true
}

// canonical returns the name that we know a unit by.
func canonical(unit string) string {
	if name, wrong := misnamed[strings.ToLower(unit)]; wrong {
		return name
	}
	return unit
}

// misnamed are units under names that devices write but SenML does not have, and their names there. Read only.
var misnamed = map[string]string{
	"°c": "Cel", "degc": "Cel", "celsius": "Cel", "°f": "degF", "fahrenheit": "degF", "kelvin": "K", "percent": "%",
	"rh": "%RH", "% rh": "%RH", "volt": "V", "ampere": "A", "watt": "W", "lux": "lx", "°": "deg", "µt": "uT", "µg/m3": "ug/m3", "sec": "s",
}

// decimal reports whether only the decimal point moves, and how far.
func (c Conversion) decimal() (shift int, ok bool) {
	return c.shift, c.num == c.den && c.before == 0 && c.after == 0
}

// Apply converts a value. Between units that lie powers of ten or a round offset apart the result is the float64
// nearest to the decimal that a person would write.
func (c Conversion) Apply(v float64) float64 {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return v
	}
	if shift, ok := c.decimal(); ok {
		return shifted(v, shift)
	}
	if c.num == c.den && c.shift == 0 {
		return sum(v, c.before-c.after)
	}
	out, den := sum(v, c.before), c.den
	if c.shift < 0 {
		den *= math.Pow10(-c.shift)
	} else {
		out = shifted(out, c.shift)
	}
	out = out * c.num / den
	if c.after != 0 {
		out = round(out-c.after, 9) // what the subtraction leaves behind that is noise
	}
	return out
}

// micros returns v as a whole number of millionths, if that is what it is the nearest float64 to. Most readings of a
// sensor are, and their decimals can be moved without writing them down.
func micros(v float64) (n float64, ok bool) {
	n = math.Round(v * 1e6)
	return n, math.Abs(n) < 1e15 && n/1e6 == v
}

// single reports whether v came out of a chip or a wire as a single precision number. What micros does not know of
// these has decimals that nobody wrote, and arithmetic is as good for them.
func single(v float64) bool { return float64(float32(v)) == v }

// shifted moves the decimal point of the shortest decimal that stands for v.
func shifted(v float64, by int) float64 {
	if by == 0 {
		return v
	}
	if n, ok := micros(v); ok && by >= -9 {
		if by <= 6 {
			return n / math.Pow10(6-by)
		}
		return n * math.Pow10(by-6)
	}
	if single(v) {
		if by < 0 {
			return v / math.Pow10(-by)
		}
		return v * math.Pow10(by)
	}
	mantissa, exponent, _ := strings.Cut(strconv.FormatFloat(v, 'e', -1, 64), "e")
	e, _ := strconv.Atoi(exponent)
	out, _ := strconv.ParseFloat(mantissa+"e"+strconv.Itoa(e+by), 64) // out of range is infinite, as arithmetic would be
	return out
}

// sum adds two decimals.
func sum(v, offset float64) float64 {
	n, ok := micros(v)
	if m, round := micros(offset); ok && round {
		return (n + m) / 1e6
	}
	if single(v) {
		return v + offset
	}
	return round(v+offset, max(places(v), places(offset)))
}

// places returns how many decimals the shortest decimal that stands for v has.
func places(v float64) int {
	_, decimals, _ := strings.Cut(strconv.FormatFloat(v, 'f', -1, 64), ".")
	return len(decimals)
}

// round returns the float64 nearest to v written with so many decimals.
func round(v float64, places int) float64 {
	out, _ := strconv.ParseFloat(strconv.FormatFloat(v, 'f', places, 64), 64)
	return out
}

// maxExact is the last whole number up to which every one is a float64.
const maxExact = 1 << 53

// column converts a column of numbers of so many cells. It returns nil where integers would lose digits.
func (c Conversion) column(col *record.Column, unit string, cells int) *record.Column {
	out := *col
	out.Unit = unit
	shift, decimal := c.decimal()
	switch {
	case col.Kind == record.Float:
		out.Floats = make([]float64, cells)
		for i, v := range col.Floats {
			out.Floats[i] = c.Apply(v)
		}
		if col.Null != nil { // an offset must not leave a value where there is none
			for i, null := range col.Null {
				if null {
					out.Floats[i] = 0
				}
			}
		}
		return &out
	case decimal && shift >= 0 && shift < 19:
		return scaled(&out, shift, cells)
	}
	out.Kind, out.Floats, out.Ints, out.Uints = record.Float, make([]float64, cells), nil, nil
	for i := range cells {
		v := number(col, i)
		if math.Abs(v) > maxExact {
			return nil
		}
		if col.Null == nil || !col.Null[i] {
			out.Floats[i] = c.Apply(v)
		}
	}
	return &out
}

// scaled multiplies the integers of a column by a power of ten. It returns nil where one does not fit any more.
func scaled(col *record.Column, shift, cells int) *record.Column {
	factor := int64(math.Pow10(shift))
	if col.Kind == record.Int {
		ints := make([]int64, cells)
		for i, v := range col.Ints {
			if ints[i] = v * factor; ints[i]/factor != v {
				return nil
			}
		}
		col.Ints = ints
		return col
	}
	uints := make([]uint64, cells)
	for i, v := range col.Uints {
		if v > math.MaxUint64/uint64(factor) {
			return nil
		}
		uints[i] = v * uint64(factor)
	}
	col.Uints = uints
	return col
}
