package simbus

import "sort"

// The calibration of every simulated chip. Temperature and pressure are the
// worked example of Bosch's BMP280 data sheet (3.12), humidity is a usual one.
const (
	t1, t2, t3 = 27504, 26435, -1000

	p1, p2, p3 = 36477, -10685, 3024
	p4, p5, p6 = 2855, 140, -7
	p7, p8, p9 = 15500, -14600, 6000

	h1, h2, h3 = 75, 362, 0
	h4, h5, h6 = 313, 50, 30
)

// The formulas below are those of the data sheet (BME280, 4.2.3), in integers, as
// the chip's maker wants them computed. They only ever run backwards here.

// centi returns hundredths of a degree, and the fine temperature that the other formulas need.
func centi(raw int32) (int32, int32) {
	a := ((raw>>3 - t1<<1) * t2) >> 11
	b := raw>>4 - t1
	fine := a + (((b*b)>>12)*t3)>>14
	return (fine*5 + 128) >> 8, fine
}

// pascal256 returns pressure in 1/256 Pa.
func pascal256(raw, fine int32) int64 {
	v := int64(fine) - 128000
	w := v*v*p6 + (v*p5)<<17 + p4<<35
	v = (v*v*p3)>>8 + (v*p2)<<12
	v = ((1<<47 + v) * p1) >> 33
	if v == 0 {
		return 0
	}
	p := ((int64(1048576-raw)<<31 - w) * 3125) / v
	v = (p9 * (p >> 13) * (p >> 13)) >> 25
	w = (p8 * p) >> 19
	return (p+v+w)>>8 + p7<<4
}

// percent1024 returns relative humidity in 1/1024 %.
func percent1024(raw, fine int32) int32 {
	x := fine - 76800
	scale := ((((x*h6)>>10)*(((x*h3)>>11)+32768))>>10+2097152)*h2 + 8192
	y := ((raw<<14 - h4<<20 - h5*x + 16384) >> 15) * (scale >> 14)
	y -= ((((y >> 15) * (y >> 15)) >> 7) * h1) >> 4
	return min(max(y, 0), 419430400) >> 12
}

// invert returns the lowest count in [0, limit) at which reached is true; reached must stay true above it.
func invert(limit int, reached func(raw int32) bool) int32 {
	return int32(sort.Search(limit-1, func(i int) bool { return reached(int32(i)) }))
}

// counts is what the converters of a chip would say to some weather.
func counts(w Weather) (t, p, h int32) {
	want := w.Celsius * 100
	t = invert(1<<20, func(raw int32) bool { c, _ := centi(raw); return float64(c) >= want })
	_, fine := centi(t)
	// More pressure is a smaller count.
	p = invert(1<<20, func(raw int32) bool { return float64(pascal256(raw, fine)) <= w.Pascal*256 })
	h = invert(1<<16, func(raw int32) bool { return float64(percent1024(raw, fine)) >= w.Humidity*1024 })
	return t, p, h
}
