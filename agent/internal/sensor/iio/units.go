package iio

import "strings"

// kind is what channels of one type measure.
type kind struct {
	series string // what people call it; "" = as the kernel does
	unit   string // SenML
	shift  int    // the kernel's base unit is 10^shift of unit
}

// kinds has the types whose unit the kernel's ABI says. "rot" is not here: a quaternion is four numbers.
func kinds() map[string]kind {
	return map[string]kind{
		"accel":                  {"acceleration", "m/s2", 0},
		"activity":               {"", "%", 0},
		"altvoltage":             {"", "V", -3},
		"angl":                   {"angle", "rad", 0},
		"anglvel":                {"angular_velocity", "rad/s", 0},
		"capacitance":            {"", "F", -9},
		"concentration":          {"", "%", 0},
		"count":                  {"", "count", 0},
		"current":                {"", "A", -3},
		"deltaangl":              {"", "rad", 0},
		"deltavelocity":          {"", "m/s", 0},
		"distance":               {"", "m", 0},
		"electricalconductivity": {"conductivity", "S/m", 0},
		"energy":                 {"", "J", 0},
		"gravity":                {"", "m/s2", 0},
		"humidityrelative":       {"humidity", "%RH", -3},
		"illuminance":            {"", "lx", 0},
		"incli":                  {"inclination", "deg", 0},
		"intensity":              {"", "", 0},
		"magn":                   {"magnetic_field", "T", -4},
		"massconcentration":      {"", "ug/m3", 0},
		"ph":                     {"", "pH", 0},
		"phase":                  {"", "rad", 0},
		"positionrelative":       {"position", "%", -3},
		"power":                  {"", "W", -3},
		"pressure":               {"", "Pa", 3},
		"proximity":              {"", "m", 0},
		"resistance":             {"", "Ohm", 0},
		"steps":                  {"", "count", 0},
		"temp":                   {"temperature", "Cel", -3},
		"uvindex":                {"", "", 0},
		"velocity":               {"", "m/s", 0},
		"voltage":                {"", "V", -3},
	}
}

// typeOf returns the type of a channel: voltage of voltage0, voltage0-voltage1 and voltage0_supply.
func typeOf(channel string) string {
	end := strings.IndexFunc(channel, func(r rune) bool { return r < 'a' || r > 'z' })
	if end < 0 {
		return channel
	}
	return channel[:end]
}

// shared returns where a channel's scale or offset may stand, the nearest place first.
func shared(channel, what string) []string {
	kind := typeOf(channel)
	places := []string{"in_" + channel + "_" + what}
	if base, _, ok := strings.Cut(channel, "_"); ok { // of voltage0, for voltage0_supply
		places = append(places, "in_"+base+"_"+what)
	}
	if strings.Contains(channel, "-") { // of all differential ones
		places = append(places, "in_"+kind+"-"+kind+"_"+what)
	}
	return append(places, "in_"+kind+"_"+what, "in_"+what, what)
}
