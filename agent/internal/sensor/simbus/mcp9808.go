package simbus

import (
	"math"
	"time"
)

// mcp9808 is a thermometer that converts all the time.
type mcp9808 struct {
	words
	ready time.Time // of the first conversion
}

func (c *mcp9808) power(s *scene) {
	c.words = words{regs: [16]uint16{6: 0x0054, 7: 0x0400, 8: 0x03}}
	c.ready = s.at.Add(c.duration())
}

// duration is the typical time of a conversion (MCP9808 data sheet, resolution register).
func (c *mcp9808) duration() time.Duration {
	return []time.Duration{30, 65, 130, 250}[c.regs[8]&3] * time.Millisecond
}

func (c *mcp9808) running(*scene) bool { return false }

func (c *mcp9808) tx(s *scene, w, r []byte) error {
	if asleep := c.regs[1]&0x0100 != 0; !asleep && !s.busy && !s.stuck && !s.at.Before(c.ready) {
		c.measure(s)
	}
	if len(w) == 2 && w[0] == 8 { // the one register of 8 bits
		c.pointer, c.regs[8] = 8, uint16(w[1])
		return nil
	}
	if len(w) == 1 && w[0] == 8 && len(r) == 1 {
		c.pointer, r[0] = 8, byte(c.regs[8])
		return nil
	}
	return c.words.tx(w, r, func(reg byte, v uint16) {
		if reg == 1 && v&0x0100 == 0 && c.regs[1]&0x0100 != 0 { // woken up
			c.ready = s.at.Add(c.duration())
		}
		if reg >= 1 && reg <= 4 {
			c.regs[reg] = v
		}
	})
}

// measure puts the temperature in sixteenths of a degree into register 5, below
// the flags of the three limits.
func (c *mcp9808) measure(s *scene) {
	sixteenths := int(math.Floor((s.weather().Celsius + s.noise.NormFloat64()*0.02) * 16))
	sixteenths &^= 1<<(3-c.regs[8]&3) - 1
	t := uint16(sixteenths) & 0x1FFF
	limit := func(reg int) int { return int(int16(c.regs[reg]<<3)) >> 3 }
	if sixteenths >= limit(4) {
		t |= 0x8000
	}
	if sixteenths > limit(2) {
		t |= 0x4000
	}
	if sixteenths < limit(3) {
		t |= 0x2000
	}
	c.regs[5] = t
}
