package bus

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"

	"periph.io/x/conn/v3/i2c"
	"periph.io/x/host/v3/sysfs"
)

// ErrName reports a bus name that names no bus.
var ErrName = errors.New("bus must be sim or an I2C bus such as 1, i2c-1 or /dev/i2c-1")

// Number returns the number of the bus that name stands for.
func Number(name string) (int, error) {
	digits := name
	for _, prefix := range []string{"/dev/i2c-", "i2c-", "I2C"} {
		if rest, ok := strings.CutPrefix(name, prefix); ok {
			digits = rest
			break
		}
	}
	n, err := strconv.ParseUint(digits, 10, 16)
	if err != nil {
		return 0, fmt.Errorf("%w: %q", ErrName, name)
	}
	return int(n), nil
}

// Open opens an I2C bus of this machine. The caller closes it.
func Open(name string) (i2c.BusCloser, error) {
	n, err := Number(name)
	if err != nil {
		return nil, err
	}
	b, err := sysfs.NewI2C(n)
	if err == nil {
		return b, nil
	}
	// periph flattens the cause into text, so look for it again.
	hint := "is the agent's user in group i2c?"
	if _, gone := os.Stat(fmt.Sprintf("/dev/i2c-%d", n)); errors.Is(gone, fs.ErrNotExist) {
		hint = "is I2C enabled, is the module i2c-dev loaded?"
	}
	return nil, fmt.Errorf("open I2C bus %d: %w (%s)", n, err, hint)
}
