package simbus

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"periph.io/x/conn/v3/physic"
)

// Bus is a simulated I2C bus. It is safe for concurrent use.
type Bus struct {
	chips map[uint16]*Chip // not changed after New

	mu     sync.Mutex
	closed bool // guarded by mu
}

// Part is a kind of chip.
type Part int

// What can sit on a bus.
const (
	BME280 Part = iota
	BMP280
	MCP9808
	INA219
	ADS1115
	SHT4x
	DS2482 // with DS18B20s on its 1-wire bus
)

// Config says what sits on a bus.
type Config struct {
	Seed  uint64           // of weather and noise
	Now   func() time.Time // nil: time.Now
	Parts map[uint16]Part  // by address; nil: a BME280 at 0x76
	ROMs  []uint64         // of the DS18B20s behind each DS2482; nil: one
}

// ErrClosed reports a transaction on a bus that was closed.
var ErrClosed = errors.New("simulated bus: closed")

// New returns a bus with its chips, freshly powered.
func New(c Config) *Bus {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Parts == nil {
		c.Parts = map[uint16]Part{0x76: BME280}
	}
	b := &Bus{chips: map[uint16]*Chip{}}
	for addr, kind := range c.Parts {
		b.chips[addr] = newChip(kind.make(c), mix(c.Seed+uint64(addr)), c.Now)
	}
	return b
}

// make returns a new part.
func (k Part) make(c Config) part {
	switch k {
	case BME280:
		return newBosch(idBME280)
	case BMP280:
		return newBosch(idBMP280)
	case MCP9808:
		return &mcp9808{}
	case INA219:
		return &ina219{}
	case ADS1115:
		return &ads1115{}
	case SHT4x:
		return &sht4x{}
	case DS2482:
		if c.ROMs == nil {
			c.ROMs = []uint64{ROM(mix(c.Seed) >> 16)}
		}
		return &ds2482{wire: newWire(c.ROMs)}
	}
	panic(fmt.Sprintf("simbus: no part %d", k))
}

// Chip returns the chip at an address; it panics if New put none there.
func (b *Bus) Chip(addr uint16) *Chip {
	c, ok := b.chips[addr]
	if !ok {
		panic(fmt.Sprintf("simbus: no chip at %#x", addr))
	}
	return c
}

// Open gives the bus a new life after Close, as opening its device file again does, and returns it.
func (b *Bus) Open() *Bus {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = false
	return b
}

// String implements i2c.Bus.
func (b *Bus) String() string { return "sim" }

// Tx implements i2c.Bus.
func (b *Bus) Tx(addr uint16, w, r []byte) error {
	b.mu.Lock()
	closed := b.closed
	b.mu.Unlock()
	if closed {
		return ErrClosed
	}
	c, ok := b.chips[addr]
	if !ok {
		return ErrNack
	}
	return c.tx(w, r)
}

// SetSpeed implements i2c.Bus; the simulation knows no speed.
func (b *Bus) SetSpeed(physic.Frequency) error { return nil }

// Close implements i2c.BusCloser.
func (b *Bus) Close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = true
	return nil
}
