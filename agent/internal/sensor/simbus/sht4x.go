package simbus

import (
	"math"
	"time"
)

// sht4x measures when it is told to, and does not acknowledge before it is done.
type sht4x struct {
	ready  time.Time
	answer []byte // what the next read gives; nil: nothing
	last   []byte
}

func (c *sht4x) power(*scene) { *c = sht4x{} }

func (c *sht4x) running(s *scene) bool { return s.busy || s.at.Before(c.ready) }

func (c *sht4x) tx(s *scene, w, r []byte) error {
	if c.running(s) || len(w) > 1 {
		return ErrNack
	}
	if len(w) == 1 {
		if err := c.command(s, w[0]); err != nil {
			return err
		}
	}
	if len(r) == 0 {
		return nil
	}
	if c.answer == nil || c.running(s) {
		return ErrNack
	}
	copy(r, c.answer)
	if s.damaged {
		r[len(r)/2] ^= 0x10
	}
	c.answer = nil
	return nil
}

func (c *sht4x) command(s *scene, cmd byte) error {
	noise, us := 0.0, 0
	switch cmd {
	case 0xFD: // high precision
		noise, us = 0.04, 8300
	case 0xF6: // medium
		noise, us = 0.07, 4500
	case 0xE0: // low
		noise, us = 0.1, 1600
	case 0x89: // serial number
		c.answer = protected(uint16(s.seed>>16), uint16(s.seed))
		return nil
	case 0x94: // reset
		c.power(s)
		return nil
	default:
		return ErrNack
	}
	c.ready = s.at.Add(time.Duration(us) * time.Microsecond)
	if !s.stuck || c.last == nil {
		c.last = c.measure(s, noise)
	}
	c.answer = c.last
	return nil
}

// measure inverts the formulas of the data sheet (SHT4x, 4.6).
func (c *sht4x) measure(s *scene, noise float64) []byte {
	w := s.weather()
	word := func(share float64) uint16 { return uint16(math.Round(min(max(share, 0), 1) * 65535)) }
	return protected(
		word((w.Celsius+s.noise.NormFloat64()*noise+45)/175),
		word((w.Humidity+s.noise.NormFloat64()*2*noise+6)/125),
	)
}

// protected is two words, each with its checksum: a table of CRC-8 would be longer.
func protected(a, b uint16) (out []byte) {
	for _, w := range []uint16{a, b} {
		crc := w ^ 0xFF00
		for range 16 {
			if crc&0x8000 != 0 {
				crc = crc<<1 ^ 0x3100
			} else {
				crc <<= 1
			}
		}
		out = append(out, byte(w>>8), byte(w), byte(crc>>8))
	}
	return out
}
