package contract

import (
	"math"
	"strconv"
	"strings"
)

// A unit is a multiple of the base of its dimension: base = value * 10^shift * factor + offset.
type unit struct {
	base   string
	shift  int     // a power of ten, so that 21.7 hPa are 2170 Pa to the last bit
	factor float64 // 1 if only powers of ten are between the unit and its base
	offset float64
}

// units are those of SenML (RFC 8428 section 12.1) and its secondary ones (RFC 8798) that lie on one scale with
// another, by their names there.
func units() map[string]unit {
	tens := map[string]map[string]int{
		"Pa": {"Pa": 0, "hPa": 2, "kPa": 3, "mbar": 2, "bar": 5, "MPa": 6},
		"m":  {"m": 0, "mm": -3, "cm": -2, "km": 3},
		"V":  {"V": 0, "mV": -3, "kV": 3}, "A": {"A": 0, "mA": -3}, "W": {"W": 0, "mW": -3, "kW": 3, "MW": 6},
		"VA": {"VA": 0, "kVA": 3}, "var": {"var": 0, "kvar": 3}, "C": {"C": 0, "mC": -3}, "Ohm": {"Ohm": 0, "kOhm": 3},
		"s": {"s": 0, "ms": -3}, "Hz": {"Hz": 0, "kHz": 3, "MHz": 6, "GHz": 9},
		"g": {"g": 0, "kg": 3, "t": 6}, "l": {"l": 0, "ml": -3, "m3": 3}, "T": {"T": 0, "mT": -3, "uT": -6},
		"/": {"/": 0, "%": -2, "%RH": -2, "%EL": -2}, "B": {"B": 0, "KB": 3, "MB": 6, "GB": 9},
		"S/m": {"S/m": 0, "mS/m": -3}, "lx": {"lx": 0}, "dB": {"dB": 0},
	}
	all := map[string]unit{
		"K": {base: "K", factor: 1}, "Cel": {base: "K", factor: 1, offset: 273.15}, "degF": {base: "K", factor: 5.0 / 9, offset: 273.15 - 32*5.0/9},
		"min": {base: "s", factor: 60}, "h": {base: "s", factor: 3600}, "d": {base: "s", factor: 86400},
		"m/s": {base: "m/s", factor: 1}, "km/h": {base: "m/s", factor: 1 / 3.6}, "kn": {base: "m/s", factor: 1852.0 / 3600},
		"J": {base: "J", factor: 1}, "Wh": {base: "J", factor: 3600}, "kWh": {base: "J", shift: 3, factor: 3600},
		"rad": {base: "rad", factor: 1}, "deg": {base: "rad", factor: math.Pi / 180},
		"m3/s": {base: "m3/s", factor: 1}, "l/s": {base: "m3/s", shift: -3, factor: 1}, "m3/h": {base: "m3/s", factor: 1.0 / 3600},
	}
	for base, names := range tens {
		for name, shift := range names {
			all[name] = unit{base: base, shift: shift, factor: 1}
		}
	}
	return all
}

// Conversion turns values of one unit into another.
type Conversion struct {
	shift  int
	factor float64
	offset float64
}

// conversion returns how to turn from into to. ok is false when they do not lie on one scale.
func conversion(from, to string) (c Conversion, ok bool) {
	if from == to {
		return Conversion{factor: 1}, true
	}
	all := units()
	a, known := all[from]
	b, also := all[to]
	if !known || !also || a.base != b.base {
		return Conversion{}, false
	}
	return Conversion{
		shift: a.shift - b.shift, factor: a.factor / b.factor,
		offset: (a.offset - b.offset) / (b.factor * math.Pow10(b.shift)),
	}, true
}

// Apply converts a value. Between units that lie powers of ten or a round offset apart the result is the float64
// nearest to the decimal that a person would write.
func (c Conversion) Apply(v float64) float64 {
	switch {
	case math.IsNaN(v) || math.IsInf(v, 0):
		return v
	case c.factor == 1 && c.offset == 0:
		return shifted(v, c.shift)
	case c.factor == 1 && c.shift == 0:
		return round(v+c.offset, max(places(v), places(c.offset)))
	}
	return v*c.factor*math.Pow10(c.shift) + c.offset
}

// shifted moves the decimal point of the shortest decimal that stands for v.
func shifted(v float64, by int) float64 {
	if by == 0 {
		return v
	}
	text := strconv.FormatFloat(v, 'e', -1, 64)
	mantissa, exponent, _ := strings.Cut(text, "e")
	e, _ := strconv.Atoi(exponent)
	out, _ := strconv.ParseFloat(mantissa+"e"+strconv.Itoa(e+by), 64) // out of range is infinite, as arithmetic would be
	return out
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
