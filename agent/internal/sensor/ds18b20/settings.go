package ds18b20

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"periph.io/x/conn/v3/onewire"
	"periph.io/x/devices/v3/ds18b20"

	"github.com/headwater-iot/headwater/agent/internal/sensor"
	"github.com/headwater-iot/headwater/agent/internal/sensor/bus"
	"github.com/headwater-iot/headwater/shared/record"
)

const (
	// DefaultResolution tells sixteenths of a degree apart, and takes 0.75 s.
	DefaultResolution = 12

	defaultSeries = "temperature"
)

// Settings say where the DS2482 is and what is on its wire.
type Settings struct {
	bus.Place `yaml:",inline"`
	// Resolution is 9, 10, 11 or 12 (the default) bits: 94 ms to 0.75 s.
	Resolution int `yaml:"resolution,omitempty"`
	// Probes are the thermometers on the wire; by default the only one, as series temperature.
	Probes []Probe `yaml:"probes,omitempty"`
}

// Probe is one thermometer.
type Probe struct {
	// ROM is the address burnt into it, as Linux writes it: 28-0000013182ab.
	ROM string `yaml:"rom"`
	// Series is the name of its readings; by default temperature- and the ROM.
	Series string `yaml:"series,omitempty"`
}

func (p Probe) series() string {
	if p.Series == "" {
		return defaultSeries + "-" + p.ROM
	}
	return p.Series
}

func (s Settings) bits() int {
	if s.Resolution == 0 {
		return DefaultResolution
	}
	return s.Resolution
}

// Check reports every problem of the settings.
func (s Settings) Check(report sensor.Report) {
	s.Place.Check(Chip(), report)
	if b := s.bits(); b < 9 || b > 12 {
		report("resolution", "must be 9, 10, 11 or 12 bits, not %d", s.Resolution)
	}
	series, roms := map[string]bool{}, map[string]bool{}
	for i, p := range s.Probes {
		at := func(key, format string, args ...any) { report(fmt.Sprintf("probes[%d].%s", i, key), format, args...) }
		if _, err := parseROM(p.ROM); err != nil {
			at("rom", "%v", err)
		}
		if roms[p.ROM] {
			at("rom", "%q is named twice", p.ROM)
		}
		if series[p.series()] {
			at("series", "%q is used twice", p.series())
		}
		if len(p.Series) > record.MaxName {
			at("series", "must be at most %d bytes", record.MaxName)
		}
		series[p.series()], roms[p.ROM] = true, true
	}
}

// Takes returns how long a read takes: a conversion, and the talk with each thermometer.
func (s Settings) Takes() time.Duration {
	return conversion(s.bits()) + time.Duration(max(len(s.Probes), 1))*25*time.Millisecond
}

// Announce returns the series of the thermometers.
func (s Settings) Announce() (cells []record.Cell) {
	if len(s.Probes) == 0 {
		return sensor.Floats(defaultSeries, "Cel")
	}
	for _, p := range s.Probes {
		cells = append(cells, sensor.Floats(p.series(), "Cel")...)
	}
	return cells
}

// ErrROM reports what is not the address of a DS18B20.
var ErrROM = errors.New("must be 28- and 12 hexadecimal digits, as in 28-0000013182ab")

// parseROM reads an address as Linux writes it: without the checksum, which it computes.
func parseROM(text string) (onewire.Address, error) {
	digits, ok := strings.CutPrefix(text, "28-")
	serial, err := strconv.ParseUint(digits, 16, 48)
	if !ok || err != nil || len(digits) != 12 {
		return 0, fmt.Errorf("%w, not %q", ErrROM, text)
	}
	rom := serial<<8 | uint64(ds18b20.DS18B20)
	var b [7]byte
	for i := range b {
		b[i] = byte(rom >> (8 * i))
	}
	return onewire.Address(rom | uint64(onewire.CalcCRC(b[:]))<<56), nil
}

// name writes an address as Linux does.
func name(rom onewire.Address) string {
	return fmt.Sprintf("%02x-%012x", byte(rom), uint64(rom)>>8&(1<<48-1))
}

func names(roms []onewire.Address) (out []string) {
	for _, rom := range roms {
		out = append(out, name(rom))
	}
	return out
}

// ROMs returns the addresses of the probes as the wire has them, or none.
func (s Settings) ROMs() (roms []uint64) {
	for _, p := range s.Probes {
		if rom, err := parseROM(p.ROM); err == nil {
			roms = append(roms, uint64(rom))
		}
	}
	return roms
}
