package simbus

import (
	"fmt"
	"math"
	"time"

	"periph.io/x/conn/v3/onewire"
)

// Commands that follow a reset of the 1-wire bus, and those of a selected DS18B20.
const (
	romSearch = 0xF0
	romMatch  = 0x55
	romSkip   = 0xCC

	probeConvert = 0x44
	probeRead    = 0xBE
	probeWrite   = 0x4E
	probeCopy    = 0x48
)

// wire is a 1-wire bus with DS18B20s.
type wire struct {
	probes []*probe
	state  byte   // the command that what is written belongs to; 0: a command is awaited
	taken  int    // bytes or bits written since
	rom    uint64 // collected by romMatch
}

// probe is a DS18B20.
type probe struct {
	rom      uint64
	absent   bool
	starved  bool // it has no power to convert
	damaged  bool // its scratchpad does not fit its checksum
	selected bool
	pad      [8]byte // the scratchpad without its checksum
	eeprom   [3]byte
	ready    time.Time // of the conversion that runs; zero: none
	measured bool      // since power-up
}

// ROM returns the address of a DS18B20 with a serial number of 48 bits.
func ROM(serial uint64) uint64 {
	b := [8]byte{0: 0x28}
	for i := range 6 {
		b[1+i] = byte(serial >> (8 * i))
	}
	return serial<<8&(1<<56-1) | 0x28 | uint64(onewire.CalcCRC(b[:7]))<<56
}

func newWire(roms []uint64) wire {
	var w wire
	for _, rom := range roms {
		w.probes = append(w.probes, &probe{rom: rom, eeprom: [3]byte{0x4B, 0x46, 0x7F}})
	}
	return w
}

func (w *wire) power(*scene) {
	for _, p := range w.probes {
		p.power()
	}
}

// power gives the value after power-up, 85 degrees (DS18B20 data sheet, table 1).
func (p *probe) power() {
	p.pad = [8]byte{0x50, 0x05, p.eeprom[0], p.eeprom[1], p.eeprom[2], 0xFF, 0x0C, 0x10}
	p.ready, p.measured = time.Time{}, false
}

// reset makes every probe listen again, and tells whether there is one.
func (w *wire) reset() (presence bool) {
	w.state, w.taken = 0, 0
	for _, p := range w.probes {
		p.selected = !p.absent
		presence = presence || p.selected
	}
	return presence
}

// each does something with every probe that was selected.
func (w *wire) each(do func(*probe)) {
	for _, p := range w.probes {
		if p.selected && !p.absent {
			do(p)
		}
	}
}

func (w *wire) write(s *scene, b byte) {
	switch w.state {
	case 0:
		w.state, w.taken, w.rom = b, 0, 0
		switch b {
		case romSkip:
			w.state = 0
		case probeConvert:
			w.each(func(p *probe) { p.convert(s) })
		case probeCopy:
			w.each(func(p *probe) { copy(p.eeprom[:], p.pad[2:5]) })
		}
	case romMatch:
		w.rom |= uint64(b) << (8 * w.taken)
		if w.taken++; w.taken == 8 {
			w.each(func(p *probe) { p.selected = p.rom == w.rom })
			w.state = 0
		}
	case probeWrite:
		if w.taken < 3 {
			w.each(func(p *probe) { p.pad[2+w.taken] = b })
			w.taken++
		}
	}
}

// read gives what all selected probes say at once: a zero wins.
func (w *wire) read(s *scene) byte {
	out := byte(0xFF)
	if w.state != probeRead || w.taken > 8 {
		return out
	}
	w.each(func(p *probe) {
		p.finish(s)
		b := onewire.CalcCRC(p.pad[:])
		if w.taken < 8 {
			b = p.pad[w.taken]
		} else if s.damaged || p.damaged {
			b ^= 0x04
		}
		out &= b
	})
	w.taken++
	return out
}

// convert begins a conversion.
func (p *probe) convert(s *scene) {
	if p.starved {
		p.power()
		return
	}
	p.ready = s.at.Add(750 * time.Millisecond >> (3 - p.pad[4]>>5&3))
}

// finish puts the temperature into the scratchpad when the conversion is over.
func (p *probe) finish(s *scene) {
	if p.ready.IsZero() || s.at.Before(p.ready) {
		return
	}
	p.ready = time.Time{}
	if s.stuck && p.measured {
		return
	}
	p.measured = true
	celsius := WeatherAt(s.seed+p.rom, float64(s.at.UnixMicro())/1e6).Celsius + s.noise.NormFloat64()*0.03
	raw := int(math.Round(celsius*16)) &^ (1<<(3-p.pad[4]>>5&3) - 1)
	p.pad[0], p.pad[1], p.pad[6] = byte(raw), byte(raw>>8), 0x10-byte(raw)&0x0F
}

// triplet is one step of a search: the bit of all that take part, its complement,
// and the direction taken, after which those that differ fall silent.
func (w *wire) triplet(direction bool) (zero, one, taken bool) {
	if w.state != romSearch {
		return false, false, true
	}
	w.each(func(p *probe) {
		if p.rom>>w.taken&1 == 0 {
			zero = true
		} else {
			one = true
		}
	})
	taken = direction
	if zero != one {
		taken = one
	}
	w.each(func(p *probe) { p.selected = (p.rom>>w.taken&1 == 1) == taken })
	w.taken++
	return zero, one, taken || !zero && !one
}

// Probe is a DS18B20 behind a simulated DS2482. Its methods are for tests.
type Probe struct {
	chip  *Chip
	probe *probe
}

// Probe returns a thermometer by its address; it panics if the chip is no DS2482 or New put none there.
func (c *Chip) Probe(rom uint64) Probe {
	if bridge, ok := c.part.(*ds2482); ok {
		for _, p := range bridge.wire.probes {
			if p.rom == rom {
				return Probe{c, p}
			}
		}
	}
	panic(fmt.Sprintf("simbus: no probe %#x", rom))
}

// Unplug takes the probe off the wire, or puts it back, freshly powered.
func (p Probe) Unplug(off bool) {
	p.chip.set(func() { p.probe.absent = off; p.probe.power() })
}

// Damage makes the checksum of its scratchpad wrong, or no longer.
func (p Probe) Damage(on bool) { p.chip.set(func() { p.probe.damaged = on }) }

// Starve lets the probe lose its power at every conversion, as on a wire without a strong pull-up; or no longer.
func (p Probe) Starve(on bool) { p.chip.set(func() { p.probe.starved = on }) }
