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

// Config says what sits on a bus.
type Config struct {
	Seed    uint64           // of weather and noise
	BMP280  bool             // chips without humidity
	Now     func() time.Time // nil: time.Now
	Address []uint16         // of the chips; nil: 0x76
}

// ErrClosed reports a transaction on a bus that was closed.
var ErrClosed = errors.New("simulated bus: closed")

// New returns a bus with its chips, freshly powered.
func New(c Config) *Bus {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Address == nil {
		c.Address = []uint16{0x76}
	}
	id := byte(idBME280)
	if c.BMP280 {
		id = idBMP280
	}
	b := &Bus{chips: map[uint16]*Chip{}}
	for _, addr := range c.Address {
		b.chips[addr] = newChip(id, mix(c.Seed+uint64(addr)), c.Now)
	}
	return b
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
