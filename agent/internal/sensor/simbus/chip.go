package simbus

import (
	"errors"
	"math"
	"math/rand/v2"
	"sync"
	"time"
)

// Identities of the chips, register 0xD0.
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

// ErrNack is what the bus says when a chip does not acknowledge: it is not there, or it refuses.
var ErrNack = errors.New("simulated bus: no acknowledge")

// Chip is one simulated BME280 or BMP280. Its methods are for tests and are safe for concurrent use.
type Chip struct {
	seed uint64
	now  func() time.Time

	wire sync.Mutex // one transaction at a time; taken before mu and held while hanging

	mu     sync.Mutex
	regs   [256]byte       // guarded by mu
	noise  *rand.Rand      // guarded by mu
	ready  time.Time       // guarded by mu: when the measurement that runs will be done
	absent bool            // guarded by mu
	nacks  int             // guarded by mu: transactions to refuse
	stuck  bool            // guarded by mu
	busy   bool            // guarded by mu
	hang   <-chan struct{} // guarded by mu: transactions wait until it is closed; nil: they do not
}

func newChip(id byte, seed uint64, now func() time.Time) *Chip {
	c := &Chip{seed: seed, now: now, noise: rand.New(rand.NewPCG(seed, mix(seed)))}
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

// Unplug takes the chip off the bus, or puts it back, freshly powered.
func (c *Chip) Unplug(off bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.absent = off
	c.regs[regCtrlHum], c.regs[regCtrlMeas], c.regs[regConfig] = 0, 0, 0
}

// Nack makes the chip refuse the next n transactions.
func (c *Chip) Nack(n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.nacks = n
}

// Stick makes the chip repeat its last measurement for ever, or no longer.
func (c *Chip) Stick(on bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stuck = on
}

// Busy makes every measurement last for ever, or no longer.
func (c *Chip) Busy(on bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.busy = on
}

// Hang makes transactions of this chip wait until release is called, as a kernel does with a held clock line.
func (c *Chip) Hang() (release func()) {
	released := make(chan struct{})
	c.mu.Lock()
	defer c.mu.Unlock()
	c.hang = released
	return sync.OnceFunc(func() { close(released) })
}

// tx is one transaction: what is written, then what is read.
func (c *Chip) tx(w, r []byte) error {
	c.wire.Lock()
	defer c.wire.Unlock()
	c.wait()

	c.mu.Lock()
	defer c.mu.Unlock()
	if c.absent {
		return ErrNack
	}
	if c.nacks > 0 {
		c.nacks--
		return ErrNack
	}
	if len(r) == 0 { // pairs of register and value
		for i := 0; i+1 < len(w); i += 2 {
			c.write(w[i], w[i+1])
		}
		return nil
	}
	if len(w) != 1 {
		return ErrNack // the chip takes one register number before a read
	}
	c.status()
	for i := range r {
		r[i] = c.regs[w[0]+byte(i)]
	}
	return nil
}

// wait holds the transaction up: for ever while hanging, for a moment while a
// measurement runs, as asking on a real wire would.
func (c *Chip) wait() {
	c.mu.Lock()
	hang := c.hang
	running := c.busy || c.now().Before(c.ready)
	c.mu.Unlock()
	if hang != nil {
		<-hang
	}
	if running {
		time.Sleep(time.Millisecond)
	}
}

func (c *Chip) write(reg, v byte) {
	switch reg {
	case regCtrlHum, regConfig:
		c.regs[reg] = v
	case regCtrlMeas:
		c.regs[reg] = v
		if v&3 != 0 { // forced: measure once
			c.measure(c.now())
			c.ready = c.now().Add(c.duration())
		}
	}
}

// status sets the bit that says whether a measurement runs.
func (c *Chip) status() {
	c.regs[regStatus] = 0
	if c.busy || c.now().Before(c.ready) {
		c.regs[regStatus] = 8
	}
}

// duration is the typical time of a measurement (BME280 data sheet, 9.1).
func (c *Chip) duration() time.Duration {
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
func (c *Chip) oversampling() (t, p, h int) {
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
func (c *Chip) measure(at time.Time) {
	if c.stuck {
		return
	}
	tOver, pOver, hOver := c.oversampling()
	w := WeatherAt(c.seed, float64(at.UnixMicro())/1e6)
	// Noise at one conversion (BME280 data sheet, 3.4 and tables 1 to 3); averaging takes it down by the root.
	w.Celsius += c.noise.NormFloat64() * 0.005 / math.Sqrt(float64(max(tOver, 1)))
	w.Pascal += c.noise.NormFloat64() * 3.3 / math.Sqrt(float64(max(pOver, 1)))
	w.Humidity += c.noise.NormFloat64() * 0.07 / math.Sqrt(float64(max(hOver, 1)))
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
func (c *Chip) put20(reg, count int32, oversampling int) {
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
