package serialport

import (
	"errors"
	"slices"

	"github.com/headwater-iot/headwater/agent/internal/sensor"
)

// Defaults of a line.
const (
	DefaultParity   = "none"
	DefaultStopBits = 1
)

// ErrBusy means that the line is in use by another sensor or program.
var ErrBusy = errors.New("the line is in use (by another sensor, a terminal program, or gpsd?)")

// Settings are those of the line. Zero values mean the defaults.
type Settings struct {
	// Baud is the speed of a serial line in bits a second; 9600 by default.
	Baud int `yaml:"baud,omitempty"`
	// Parity is none, the default, even or odd.
	Parity string `yaml:"parity,omitempty"`
	// StopBits is 1, the default, or 2.
	StopBits int `yaml:"stop_bits,omitempty"`
}

// Or returns s with the defaults for what is not set.
func (s Settings) Or(baud int) Settings {
	if s.Baud == 0 {
		s.Baud = baud
	}
	if s.Parity == "" {
		s.Parity = DefaultParity
	}
	if s.StopBits == 0 {
		s.StopBits = DefaultStopBits
	}
	return s
}

// Check reports every problem of the settings.
func (s Settings) Check(report sensor.Report) {
	if s.Baud < 0 || s.Baud > 0 && s.Baud < 50 || s.Baud > 4_000_000 {
		report("baud", "must be 50 to 4000000, not %d", s.Baud)
	}
	if !slices.Contains([]string{"", "none", "even", "odd"}, s.Parity) {
		report("parity", "must be none, even or odd, not %q", s.Parity)
	}
	if s.StopBits < 0 || s.StopBits > 2 {
		report("stop_bits", "must be 1 or 2, not %d", s.StopBits)
	}
}
