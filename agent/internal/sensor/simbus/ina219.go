package simbus

import (
	"math"
	"time"
)

// ina219 watches a battery of 12 V through a shunt of 0.1 Ohm, all the time.
type ina219 struct {
	words
	ready time.Time // of the first conversion
}

func (c *ina219) power(s *scene) {
	c.words = words{regs: [16]uint16{0: 0x399F}}
	c.ready = s.at.Add(c.duration())
}

// duration is the time of a conversion of both voltages (INA219 data sheet, configuration register).
func (c *ina219) duration() time.Duration {
	one := func(code uint16) time.Duration {
		if code >= 8 {
			return 532 * time.Microsecond << (code - 8)
		}
		return []time.Duration{84, 148, 276, 532}[code&3] * time.Microsecond
	}
	return one(c.regs[0]>>7&15) + one(c.regs[0]>>3&15)
}

func (c *ina219) running(*scene) bool { return false }

func (c *ina219) tx(s *scene, w, r []byte) error {
	if !s.busy && !s.stuck && !s.at.Before(c.ready) {
		c.measure(s)
	}
	return c.words.tx(w, r, func(reg byte, v uint16) {
		switch reg {
		case 0:
			c.regs[0] = v
			c.regs[2] &^= 2
			c.ready = s.at.Add(c.duration())
		case 5:
			c.regs[5] = v &^ 1
		}
	})
}

// measure fills the registers: shunt in 10 uV, bus in 4 mV above two flags, and
// current and power by the calibration register, as the data sheet says.
func (c *ina219) measure(s *scene) {
	w := s.weather()
	amps := 0.42 + 0.05*(w.Celsius-21.5) + s.noise.NormFloat64()*1e-4
	volts := 12.6 - 0.05*(w.Celsius-21.5) + s.noise.NormFloat64()*2e-3

	limit := 4000.0 * float64(int(1)<<(c.regs[0]>>11&3))
	shunt := int(math.Round(min(max(amps*0.1/10e-6, -limit), limit)))
	most := 4000.0
	if c.regs[0]&0x2000 != 0 {
		most = 8000
	}
	bus := int(math.Round(min(max(volts/4e-3, 0), most)))
	current := shunt * int(c.regs[5]) / 4096
	c.regs[1] = uint16(shunt)
	c.regs[2] = uint16(bus)<<3 | 2
	c.regs[4] = uint16(current)
	c.regs[3] = uint16(max(current, -current) * bus / 5000)
}
