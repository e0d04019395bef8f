package simbus

// Commands of the DS2482, and the registers its read pointer may point to.
const (
	bridgeReset   = 0xF0
	bridgePointer = 0xE1
	bridgeConfig  = 0xD2
	wireReset     = 0xB4
	wireWrite     = 0xA5
	wireRead      = 0x96
	wireTriplet   = 0x78

	pointStatus = 0xF0
	pointData   = 0xE1
	pointConfig = 0xC3
)

// Bits of the bridge's status.
const (
	statusBusy     = 1 << 0
	statusPresence = 1 << 1
	statusHigh     = 1 << 3
	statusReset    = 1 << 4
	statusSingle   = 1 << 5 // the bit read
	statusTriplet  = 1 << 6 // its complement, as read
	statusTaken    = 1 << 7
)

// ds2482 is a bridge from I2C to a 1-wire bus (DS2482-100). What it does on the
// wire is done at once; the driver waits as long as the wire would take.
type ds2482 struct {
	wire    wire
	pointer byte
	status  byte
	config  byte
	data    byte
}

func (c *ds2482) power(s *scene) {
	c.pointer, c.status, c.config = pointStatus, statusHigh|statusReset, 0
	c.wire.power(s)
}

func (c *ds2482) running(s *scene) bool { return s.busy }

func (c *ds2482) tx(s *scene, w, r []byte) error {
	if len(w) > 0 {
		if err := c.command(s, w); err != nil {
			return err
		}
	}
	for i := range r {
		r[i] = c.read(s)
	}
	return nil
}

func (c *ds2482) read(s *scene) byte {
	switch c.pointer {
	case pointData:
		return c.data
	case pointConfig:
		return c.config
	}
	if s.busy {
		return c.status | statusBusy
	}
	return c.status
}

func (c *ds2482) command(s *scene, w []byte) error {
	arg := w[len(w)-1]
	if needs := w[0] != bridgeReset && w[0] != wireReset && w[0] != wireRead; needs != (len(w) == 2) {
		return ErrNack
	}
	switch w[0] {
	case bridgeReset:
		c.pointer, c.status, c.config = pointStatus, statusHigh|statusReset, 0
	case bridgePointer:
		if arg != pointStatus && arg != pointData && arg != pointConfig {
			return ErrNack // other chips of the family have more registers
		}
		c.pointer = arg
	case bridgeConfig:
		if arg>>4 != ^arg&15 {
			return ErrNack // the high half is the complement of the low one
		}
		c.pointer, c.config = pointConfig, arg&15
		c.status &^= statusReset
	default:
		c.pointer = pointStatus
		return c.slot(s, w[0], arg)
	}
	return nil
}

// slot is what happens on the 1-wire bus.
func (c *ds2482) slot(s *scene, cmd, arg byte) error {
	switch cmd {
	case wireReset:
		c.status &^= statusPresence
		if c.wire.reset() {
			c.status |= statusPresence
		}
	case wireWrite:
		c.wire.write(s, arg)
	case wireRead:
		c.data = c.wire.read(s)
	case wireTriplet:
		zero, one, taken := c.wire.triplet(arg>>7 != 0)
		c.status &^= statusSingle | statusTriplet | statusTaken
		if !zero {
			c.status |= statusSingle
		}
		if !one {
			c.status |= statusTriplet
		}
		if taken {
			c.status |= statusTaken
		}
	default:
		return ErrNack
	}
	return nil
}
