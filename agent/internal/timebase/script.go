package timebase

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/headwater-iot/headwater/shared/record"
)

// ErrScript reports a script that describes no clock.
var ErrScript = errors.New("not a clock script")

// script is a clock that a test of the whole program asks for.
type script struct {
	boot  record.Boot
	began int64         // machine's monotonic us when the boot began
	unset bool          // the wall clock begins in 1970
	wall  time.Duration // what it is off by
	set   time.Duration // after the begin of the boot somebody sets it right; 0 = nobody does
	sync  time.Duration // the bound the kernel states once it is right; 0 = nobody disciplines it
}

// Scripted returns the machine's clock as a device would have it that was wrong in the way the text says, for tests of
// the whole program: `boot=7,began=81000000,wall=unset,set=5s,sync=5ms`. boot is in hexadecimal; began is the
// machine's CLOCK_BOOTTIME in us at which that boot began; wall is `unset` for a clock that begins in 1970, or how far
// it is off; set is when it is stepped to the true time; sync is the error that the kernel then states.
func Scripted(text string) (*Clock, error) {
	s, err := parseScript(text)
	if err != nil {
		return nil, err
	}
	machine, err := System()
	if err != nil {
		return nil, err
	}
	device := machine.src
	monotonic := func() int64 { return device.Monotonic() - s.began }
	right := func() bool {
		return s.set > 0 && monotonic() >= s.set.Microseconds() || s.set == 0 && s.wall == 0 && !s.unset
	}
	return New(s.boot, Source{
		Monotonic: monotonic,
		Wall: func() int64 {
			switch {
			case right():
				return device.Wall()
			case s.unset:
				return monotonic()
			}
			return device.Wall() + s.wall.Microseconds()
		},
		Sync: func() (int64, bool) { return s.sync.Microseconds(), s.sync > 0 && right() },
	}), nil
}

func parseScript(text string) (s script, err error) {
	for _, part := range strings.Split(text, ",") {
		key, value, _ := strings.Cut(part, "=")
		switch {
		case key == "boot":
			var n uint64
			n, err = strconv.ParseUint(value, 16, 64)
			s.boot = record.Boot(n)
		case key == "began":
			s.began, err = strconv.ParseInt(value, 10, 64)
		case key == "wall" && value == "unset":
			s.unset = true
		case key == "wall":
			s.wall, err = time.ParseDuration(value)
		case key == "set":
			s.set, err = time.ParseDuration(value)
		case key == "sync":
			s.sync, err = time.ParseDuration(value)
		default:
			err = errors.New("no such key")
		}
		if err != nil {
			return s, fmt.Errorf("%w: %q in %q: %w", ErrScript, part, text, err)
		}
	}
	if s.boot == 0 {
		return s, fmt.Errorf("%w: %q names no boot", ErrScript, text)
	}
	return s, nil
}
