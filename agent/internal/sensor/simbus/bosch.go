package simbus

import (
	"math"
	"time"
)

// Identities of Bosch's chips, register 0xD0.
const (
	idBMP280 = 0x58
	idBME280 = 0x60
)

// Registers of the chips.
const (
	regCalibration = 0x88 // t1..p9, a gap, h1
	regID          = 0xD0
	regHumCal      = 0xE1 // h2..h6
	regCtrlHum     = 0xF2
	regStatus      = 0xF3
	regCtrlMeas    = 0xF4
	regConfig      = 0xF5
	regData        = 0xF7
)

// bosch is a BME280 or a BMP280.
type bosch struct {
	regs  [256]byte
	ready time.Time // when the measurement that runs will be done
}

func newBosch(id byte) *bosch {
	c := &bosch{}
	c.regs[regID] = id
	words := []int{t1, t2, t3, p1, p2, p3, p4, p5, p6, p7, p8, p9}
	for i, w := range words {
		c.regs[regCalibration+2*i] = byte(w)
		c.regs[regCalibration+2*i+1] = byte(w >> 8)
	}
	if id == idBME280 {
		c.regs[0xA1] = h1
		copy(c.regs[regHumCal:], []byte{h2 & 0xff, h2 >> 8, h3, h4 >> 4, h4&15 | h5&15<<4, h5 >> 4, h6})
	}
	return c
}

func (c *bosch) power(*scene) {
	c.regs[regCtrlHum], c.regs[regCtrlMeas], c.regs[regConfig] = 0, 0, 0
}

func (c *bosch) running(s *scene) bool { return s.busy || s.at.Before(c.ready) }

func (c *bosch) tx(s *scene, w, r []byte) error {
	if len(r) == 0 { // pairs of register and value
		for i := 0; i+1 < len(w); i += 2 {
			c.write(s, w[i], w[i+1])
		}
		return nil
	}
	if len(w) != 1 {
		return ErrNack // the chip takes one register number before a read
	}
	c.regs[regStatus] = 0
	if c.running(s) {
		c.regs[regStatus] = 8
	}
	for i := range r {
		r[i] = c.regs[w[0]+byte(i)]
	}
	return nil
}

func (c *bosch) write(s *scene, reg, v byte) {
	switch reg {
	case regCtrlHum, regConfig:
		c.regs[reg] = v
	case regCtrlMeas:
		c.regs[reg] = v
		if v&3 != 0 { // forced: measure once
			c.measure(s)
			c.ready = s.at.Add(c.duration())
		}
	}
}

// duration is the typical time of a measurement (BME280 data sheet, 9.1).
func (c *bosch) duration() time.Duration {
	t, p, h := c.oversampling()
	us := 1000 + 2000*t
	if p > 0 {
		us += 2000*p + 500
	}
	if h > 0 {
		us += 2000*h + 500
	}
	return time.Duration(us) * time.Microsecond
}

// oversampling returns how often each quantity is converted for one measurement; 0 = not at all.
func (c *bosch) oversampling() (t, p, h int) {
	times := func(code byte) int {
		if code == 0 {
			return 0
		}
		return 1 << (min(code, 5) - 1)
	}
	ctrl := c.regs[regCtrlMeas]
	t, p = times(ctrl>>5), times(ctrl>>2&7)
	if c.regs[regID] == idBME280 {
		h = times(c.regs[regCtrlHum] & 7)
	}
	return t, p, h
}

// measure puts one noisy conversion of the present weather into the data registers.
func (c *bosch) measure(s *scene) {
	if s.stuck {
		return
	}
	tOver, pOver, hOver := c.oversampling()
	w := s.weather()
	// Noise at one conversion (BME280 data sheet, 3.4 and tables 1 to 3); averaging takes it down by the root.
	w.Celsius += s.noise.NormFloat64() * 0.005 / math.Sqrt(float64(max(tOver, 1)))
	w.Pascal += s.noise.NormFloat64() * 3.3 / math.Sqrt(float64(max(pOver, 1)))
	w.Humidity += s.noise.NormFloat64() * 0.07 / math.Sqrt(float64(max(hOver, 1)))
	t, p, h := counts(w)
	c.put20(regData, p, pOver)
	c.put20(regData+3, t, tOver)
	c.regs[regData+6], c.regs[regData+7] = byte(h>>8), byte(h)
	if hOver == 0 {
		c.regs[regData+6], c.regs[regData+7] = 0x80, 0
	}
}

// put20 stores a count of 20 bits, of which 16 and one for each doubling of the
// oversampling are real, and the value after power-up when there was no conversion.
func (c *bosch) put20(reg, count int32, oversampling int) {
	unreal := 4
	for n := oversampling; n > 1; n >>= 1 {
		unreal--
	}
	count &^= 1<<unreal - 1
	if oversampling == 0 {
		count = 0x80000
	}
	c.regs[reg], c.regs[reg+1], c.regs[reg+2] = byte(count>>12), byte(count>>4), byte(count<<4)
}
