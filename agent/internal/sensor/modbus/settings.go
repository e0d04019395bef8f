package modbus

import (
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/headwater-iot/headwater/agent/internal/sensor"
	"github.com/headwater-iot/headwater/agent/internal/sensor/serialport"
	"github.com/headwater-iot/headwater/shared/record"
)

const (
	// DefaultBaud is what the standard for Modbus over serial lines asks for.
	DefaultBaud = 19200
	// DefaultAnswer is how long a device may take to begin its answer; slow meters take 200 ms.
	DefaultAnswer = 500 * time.Millisecond
	// MostRegisters and MostBits are what one request can ask for, by the standard.
	MostRegisters, MostBits = 125, 2000
	// MostSeries keeps a row well below what a batch can carry.
	MostSeries = 1000
)

// Settings say which device to ask, and for what.
type Settings struct {
	// URL is tcp://host:port, rtu:///dev/ttyUSB0 or rtu+tcp://host:port (a transparent serial server).
	URL string `yaml:"url"`
	// Settings are those of a serial line; 19200 baud by default.
	serialport.Settings `yaml:",inline"`
	// UnitID is the address of the device on its line, 1 by default; 0 to 247, or 255 for a TCP device itself.
	UnitID *int `yaml:"unit_id,omitempty"`
	// Answer is how long the device may take to answer; 500ms by default.
	Answer time.Duration `yaml:"answer,omitempty"`
	// Order is that of the bytes of a value, ABCD by default; a register may have its own.
	Order Order `yaml:"order,omitempty"`
	// Bridge is how many registers that nobody asked for may be read to make one request of two; 0 by default,
	// because some devices refuse a request that touches an address they do not have.
	Bridge int `yaml:"bridge,omitempty"`
	// MaxRequest is the most registers of one request, 125 by default; some devices take fewer.
	MaxRequest int `yaml:"max_request,omitempty"`
	// Registers are the series to read.
	Registers []Register `yaml:"registers"`
}

// Register is one series.
type Register struct {
	// Series is the name to give.
	Series string `yaml:"series"`
	// Unit is the SenML unit, after scaling.
	Unit string `yaml:"unit,omitempty"`
	// Function is holding, the default, input, coil or discrete.
	Function Function `yaml:"function,omitempty"`
	// Address is that of the first register on the wire, from 0; a manual's 40001 is holding 0, its 30001 input 0.
	Address int `yaml:"address"`
	// Type is int16, uint16 (the default), int32, uint32, float32, int64, uint64, float64, or bit; coils have none.
	Type Type `yaml:"type,omitempty"`
	// Bit is which bit of the register, 0 (the lowest) to 15, for type bit.
	Bit int `yaml:"bit,omitempty"`
	// Order is that of the bytes, for this register.
	Order Order `yaml:"order,omitempty"`
	// Scale is what to multiply by, as a decimal such as 0.1; the result is the float nearest to the exact product.
	Scale string `yaml:"scale,omitempty"`
	// Offset is what to add after scaling, as a decimal.
	Offset string `yaml:"offset,omitempty"`
	// Missing is the raw value, such as 0x8000, by which the device says that it has none: a null reading.
	Missing *uint64 `yaml:"missing,omitempty"`
}

// Function is a table of the device.
type Function string

// The tables. Holding is the default.
const (
	Holding  Function = "holding"
	Input    Function = "input"
	Coil     Function = "coil"
	Discrete Function = "discrete"
)

// code is the number of the function on the wire.
func (f Function) code() byte {
	switch f {
	case Coil:
		return 1
	case Discrete:
		return 2
	case Input:
		return 4
	default:
		return 3
	}
}

// bits tells whether the table holds single bits.
func (f Function) bits() bool { return f == Coil || f == Discrete }

// Order is how the bytes of a value lie on the wire: ABCD from the highest byte down, as the standard has it;
// CDAB with the lowest register first; BADC with the bytes of each register swapped; DCBA with both.
// Values of four registers go by the same rule, those of one register by the order of bytes alone.
type Order string

// DefaultOrder is that of the standard.
const DefaultOrder Order = "ABCD"

// Unit returns the unit id with its default.
func (s Settings) unit() byte {
	if s.UnitID == nil {
		return 1
	}
	return byte(*s.UnitID)
}

// scheme splits the URL. The address is empty when the URL is none.
func (s Settings) scheme() (scheme, address string) {
	scheme, address, _ = strings.Cut(s.URL, "://")
	return scheme, address
}

// Check reports every problem of the settings.
func (s Settings) Check(report sensor.Report) {
	s.checkLine(report)
	if s.UnitID != nil && (*s.UnitID < 0 || *s.UnitID > 247 && *s.UnitID != 255) {
		report("unit_id", "must be 0 to 247 or 255, not %d", *s.UnitID)
	}
	if s.Answer < 0 {
		report("answer", "must not be negative")
	}
	s.Order.check("order", report)
	if s.Bridge < 0 || s.Bridge > MostRegisters {
		report("bridge", "must be 0 to %d, not %d", MostRegisters, s.Bridge)
	}
	if s.MaxRequest < 0 || s.MaxRequest > MostRegisters {
		report("max_request", "must be 1 to %d, not %d", MostRegisters, s.MaxRequest)
	}
	if n := len(s.Registers); n == 0 || n > MostSeries {
		report("registers", "must be 1 to %d, not %d", MostSeries, n)
	}
	seen := map[string]bool{}
	for i := range s.Registers {
		r := &s.Registers[i]
		at := func(path, format string, args ...any) {
			report(fmt.Sprintf("registers[%d].%s", i, path), format, args...)
		}
		if r.Series == "" || seen[r.Series] {
			at("series", "%q is empty or used twice", r.Series)
		}
		seen[r.Series] = true
		r.check(at)
	}
}

func (s Settings) checkLine(report sensor.Report) {
	scheme, address := s.scheme()
	switch scheme {
	case "rtu":
		if !strings.HasPrefix(address, "/") {
			report("url", "must name a serial line, such as rtu:///dev/ttyUSB0, not %q", s.URL)
		}
		s.Settings.Check(report)
		return
	case "tcp", "rtu+tcp":
		if _, port, err := net.SplitHostPort(address); err != nil || port == "" {
			report("url", "must end in host:port (502 is usual), not %q", s.URL)
		}
	default:
		report("url", "must be tcp://host:port, rtu:///dev/ttyUSB0 or rtu+tcp://host:port, not %q", s.URL)
	}
	if s.Settings != (serialport.Settings{}) {
		report("url", "is no serial line: baud, parity and stop_bits mean nothing there")
	}
}

func (o Order) check(path string, report sensor.Report) {
	if !slices.Contains([]Order{"", "ABCD", "CDAB", "BADC", "DCBA"}, o) {
		report(path, "must be ABCD, CDAB, BADC or DCBA, not %q", string(o))
	}
}

func (r *Register) check(report sensor.Report) {
	if !slices.Contains([]Function{"", Holding, Input, Coil, Discrete}, r.Function) {
		report("function", "must be holding, input, coil or discrete, not %q", string(r.Function))
	}
	r.Order.check("order", report)
	if r.Function.bits() && r.Type != "" {
		report("type", "means nothing for a %s: it is one bit", r.Function)
	}
	if r.Type.registers() == 0 {
		report("type", "must be int16, uint16, int32, uint32, float32, int64, uint64, float64 or bit, not %q", string(r.Type))
	}
	if r.Address < 0 || r.Address+r.size() > 1<<16 {
		report("address", "must be 0 to 65535 on the wire (a manual's 40001 is holding 0), not %d", r.Address)
	}
	if r.Bit < 0 || r.Bit > 15 || r.Bit != 0 && r.Type != Bit {
		report("bit", "must be 0 to 15, for type bit only")
	}
	if r.Missing != nil && (r.kind() == record.Bool || *r.Missing>>(16*r.size()-1)>>1 != 0) {
		report("missing", "must be the bits of a value of this type, and means nothing for a bit")
	}
	for path, text := range map[string]string{"scale": r.Scale, "offset": r.Offset} {
		n, err := decimal(text)
		switch {
		case err != nil:
			report(path, "must be a decimal such as 0.1 or 1e-3, not %q", text)
		case text != "" && r.kind() == record.Bool:
			report(path, "means nothing for a bit")
		case path == "scale" && text != "" && n.Sign() == 0:
			report(path, "must not be 0")
		}
	}
}

// size is how many registers, or bits of a table of bits, the series takes.
func (r *Register) size() int {
	if r.Function.bits() {
		return 1
	}
	return r.Type.registers()
}

// Announce returns the series, in the order of the configuration.
func (s Settings) Announce() []record.Cell {
	cells := make([]record.Cell, 0, len(s.Registers))
	for i := range s.Registers {
		r := &s.Registers[i]
		cells = append(cells, record.FailedCell(r.Series, r.Unit, r.kind()))
	}
	return cells
}
