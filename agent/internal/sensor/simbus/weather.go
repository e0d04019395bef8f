package simbus

import "math"

// Weather is the air around a chip.
type Weather struct {
	Celsius  float64
	Humidity float64 // % relative
	Pascal   float64
}

// WeatherAt returns the smooth part of the air at an instant, in seconds on any
// clock: a daily and a weekly course with slow wandering above it. Places (seeds)
// differ in their phases.
func WeatherAt(seed uint64, seconds float64) Weather {
	phase := func(n uint64) float64 { return float64(mix(seed+n)>>11) / (1 << 53) * 2 * math.Pi }
	wave := func(n uint64, period float64) float64 { return math.Sin(seconds*2*math.Pi/period + phase(n)) }
	const hour, day = 3600.0, 86400.0

	warm := 3.2*wave(1, day) + 0.45*wave(2, 2.7*hour) + 0.12*wave(3, 610) + 0.03*wave(4, 47)
	return Weather{
		Celsius: 21.5 + warm,
		// Warm air holds more water: the same water is a smaller share of it.
		Humidity: 46 - 2.4*warm + 4*wave(5, 3.1*day) + 0.6*wave(6, 1900),
		Pascal:   100_900 + 900*wave(7, 4.3*day) + 60*wave(8, day/2) + 5*wave(9, 1300),
	}
}

// mix is the finaliser of splitmix64: neighbouring inputs give unrelated outputs.
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
