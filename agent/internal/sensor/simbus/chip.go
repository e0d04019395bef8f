package simbus

import (
	"errors"
	"math/rand/v2"
	"sync"
	"time"
)

// ErrNack is what the bus says when a chip does not acknowledge: it is not there, or it refuses.
var ErrNack = errors.New("simulated bus: no acknowledge")

// part is one kind of chip: its registers, and what the weather does to them. The
// Chip around it has the faults that chips have in common, and serialises calls.
type part interface {
	// power puts everything into its state after power-up.
	power(s *scene)
	// running tells whether a measurement runs that a driver may be waiting for.
	running(s *scene) bool
	// tx is one transaction: what is written, then what is read.
	tx(s *scene, w, r []byte) error
}

// scene is what a part finds around it in a transaction.
type scene struct {
	at      time.Time
	seed    uint64
	noise   *rand.Rand
	stuck   bool // measurements repeat the last one
	busy    bool // measurements do not end
	damaged bool // checksums are wrong
}

// weather is the air of the moment.
func (s *scene) weather() Weather { return WeatherAt(s.seed, float64(s.at.UnixMicro())/1e6) }

// Chip is one simulated chip. Its methods are for tests and are safe for concurrent use.
type Chip struct {
	now func() time.Time

	wire sync.Mutex // one transaction at a time; taken before mu and held while hanging

	mu     sync.Mutex
	part   part            // guarded by mu
	scene  scene           // guarded by mu
	absent bool            // guarded by mu
	ones   bool            // guarded by mu
	nacks  int             // guarded by mu: transactions to refuse
	hang   <-chan struct{} // guarded by mu: transactions wait until it is closed; nil: they do not
}

func newChip(p part, seed uint64, now func() time.Time) *Chip {
	c := &Chip{part: p, now: now, scene: scene{seed: seed, noise: rand.New(rand.NewPCG(seed, mix(seed)))}}
	c.scene.at = now()
	p.power(&c.scene)
	return c
}

// set changes the chip's faults under its lock.
func (c *Chip) set(change func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	change()
}

// Weather returns the air around the chip now.
func (c *Chip) Weather() (w Weather) {
	c.set(func() {
		c.scene.at = c.now()
		w = c.scene.weather()
	})
	return w
}

// Unplug takes the chip off the bus, or puts it back, freshly powered.
func (c *Chip) Unplug(off bool) {
	c.set(func() {
		c.absent = off
		c.scene.at = c.now()
		c.part.power(&c.scene)
	})
}

// Nack makes the chip refuse the next n transactions.
func (c *Chip) Nack(n int) { c.set(func() { c.nacks = n }) }

// Stick makes the chip repeat its last measurement for ever, or no longer.
func (c *Chip) Stick(on bool) { c.set(func() { c.scene.stuck = on }) }

// Busy makes every measurement last for ever, or no longer.
func (c *Chip) Busy(on bool) { c.set(func() { c.scene.busy = on }) }

// Damage makes the checksums of a chip that has some wrong, or no longer.
func (c *Chip) Damage(on bool) { c.set(func() { c.scene.damaged = on }) }

// Ones makes every bit read a one and everything written go nowhere, as with a
// data line that is held high while something acknowledges; or no longer.
func (c *Chip) Ones(on bool) { c.set(func() { c.ones = on }) }

// Hang makes transactions of this chip wait until release is called, as a kernel does with a held clock line.
func (c *Chip) Hang() (release func()) {
	released := make(chan struct{})
	c.set(func() { c.hang = released })
	return sync.OnceFunc(func() { close(released) })
}

// tx is one transaction: what is written, then what is read.
func (c *Chip) tx(w, r []byte) error {
	c.wire.Lock()
	defer c.wire.Unlock()
	c.wait()

	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.absent:
		return ErrNack
	case c.nacks > 0:
		c.nacks--
		return ErrNack
	case c.ones:
		for i := range r {
			r[i] = 0xFF
		}
		return nil
	}
	c.scene.at = c.now()
	return c.part.tx(&c.scene, w, r)
}

// wait holds the transaction up: for ever while hanging, for a moment while a
// measurement runs, as asking on a real wire would.
func (c *Chip) wait() {
	c.mu.Lock()
	hang := c.hang
	c.scene.at = c.now()
	moment := c.ones || c.part.running(&c.scene)
	c.mu.Unlock()
	if hang != nil {
		<-hang
	}
	if moment {
		time.Sleep(time.Millisecond)
	}
}
