package simbus

import (
	"math"
	"time"
)

// ads1115 converts one of four inputs when it is told to. The inputs follow the
// air: 0 its temperature, 1 its humidity, 2 its pressure; 3 is at ground.
type ads1115 struct {
	words
	ready time.Time // of the conversion that runs
	next  uint16    // what it will say
}

func (c *ads1115) power(*scene) {
	*c = ads1115{words: words{regs: [16]uint16{1: 0x8583, 2: 0x8000, 3: 0x7FFF}}}
}

func (c *ads1115) running(s *scene) bool { return s.busy || s.at.Before(c.ready) }

func (c *ads1115) tx(s *scene, w, r []byte) error {
	if c.running(s) {
		c.regs[1] &^= 0x8000
	} else {
		c.regs[1] |= 0x8000
		c.regs[0] = c.next
	}
	return c.words.tx(w, r, func(reg byte, v uint16) {
		if reg != 0 {
			c.regs[reg] = v
		}
		if reg == 1 && v&0x8000 != 0 {
			c.start(s)
		}
	})
}

// start begins a conversion. It takes a tenth longer than the rate says, which the
// data sheet allows.
func (c *ads1115) start(s *scene) {
	rate := []int{8, 16, 32, 64, 128, 250, 475, 860}[c.regs[1]>>5&7]
	c.ready = s.at.Add(time.Second / time.Duration(rate) * 11 / 10)
	if s.stuck {
		return
	}
	full := []float64{6.144, 4.096, 2.048, 1.024, 0.512, 0.256, 0.256, 0.256}[c.regs[1]>>9&7]
	raw := math.Round(c.volts(s)/full*32768 + s.noise.NormFloat64()*0.4)
	c.next = uint16(int16(min(max(raw, -32768), 32767)))
}

// volts is the difference that the multiplexer is set to.
func (c *ads1115) volts(s *scene) float64 {
	w := s.weather()
	in := [4]float64{1.1 + 0.02*(w.Celsius-21.5), 0.9 + 0.004*w.Humidity, 0.5 + (w.Pascal-100_000)/100_000, 0}
	mux := c.regs[1] >> 12 & 7
	if mux >= 4 {
		return in[mux-4]
	}
	pair := [4][2]int{{0, 1}, {0, 3}, {1, 3}, {2, 3}}[mux]
	return in[pair[0]] - in[pair[1]]
}
