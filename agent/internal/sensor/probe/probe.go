package probe

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"periph.io/x/conn/v3/i2c"

	"github.com/headwater-iot/headwater/agent/internal/sensor/bus"
	"github.com/headwater-iot/headwater/agent/internal/sensor/iio"
	"github.com/headwater-iot/headwater/agent/internal/sensor/machine"
	"github.com/headwater-iot/headwater/agent/internal/sensor/power"
	"github.com/headwater-iot/headwater/agent/internal/sensor/sysfs"
	"github.com/headwater-iot/headwater/agent/internal/sensor/w1"
	"github.com/headwater-iot/headwater/shared/record"
)

// Options say where to look.
type Options struct {
	Root  string     // where sys, proc and dev are found; "" is /
	Buses []string   // I2C buses, sim for the simulated one; nil: all that are the machine's own
	Chips []bus.Chip // what can be on them, the surest first
}

// Found is one sensor.
type Found struct {
	Kind    string   `json:"kind"` // the name of its section
	Name    string   `json:"name"`
	Where   string   `json:"where"`
	Section []string `json:"section"` // key: value, in YAML
}

// Report is all that was found.
type Report struct {
	Found []Found  `json:"found"`
	Notes []string `json:"notes"` // what is there and was not made a sensor of, and why
}

// scan is a look that is under way.
type scan struct {
	Options
	tree  sysfs.Tree
	open  func(bus string) (i2c.BusCloser, error)
	names map[string]int // how often each was given
	Report
}

// Scan looks at everything. The error is that of a bus that was asked for and cannot be opened.
func Scan(ctx context.Context, o Options) (Report, error) { return look(ctx, o, open) }

func look(ctx context.Context, o Options, open func(bus string) (i2c.BusCloser, error)) (Report, error) {
	s := &scan{Options: o, tree: sysfs.Tree(o.Root), open: open, names: map[string]int{}}
	s.Found, s.Notes = []Found{}, []string{}
	err := s.buses(ctx)
	s.iio()
	s.w1()
	s.power()
	if len(s.Found) == 0 {
		s.note("no sensor was found but the machine itself")
	}
	s.machine()
	s.serial()
	return s.Report, errors.Join(err, ctx.Err())
}

func (s *scan) note(format string, args ...any) {
	s.Notes = append(s.Notes, fmt.Sprintf(format, args...))
}

// add gives what was found a name of its own.
func (s *scan) add(f Found) {
	if s.names[f.Name]++; s.names[f.Name] > 1 {
		f.Name = fmt.Sprintf("%s-%d", f.Name, s.names[f.Name])
	}
	s.Found = append(s.Found, f)
}

// file adds what is read from files of the kernel.
func (s *scan) file(kind, name, where string, section ...string) {
	all := []string{}
	if s.Root != "" {
		all = append(all, "root: "+quoted(s.Root))
	}
	s.add(Found{kind, name, where, append(all, section...)})
}

func (s *scan) iio() {
	dirs, bearers := s.tree.Glob("sys/bus/iio/devices/iio:device*"), map[string]int{}
	for _, dir := range dirs {
		if name, err := s.tree.Text(dir + "/name"); err == nil {
			bearers[name]++
		}
	}
	for _, dir := range dirs {
		device := path.Base(dir)
		name, err := s.tree.Text(dir + "/name")
		if err != nil || bearers[name] > 1 {
			name = device // numbers change, but two of one name have nothing better
		}
		channels := series(iio.New(iio.Settings{Root: s.Root, Device: name}).Announce())
		if channels == "" {
			s.note("IIO device %s (%s) has no channel to read", device, name)
			continue
		}
		s.file("iio", nameOf(name, "iio"), fmt.Sprintf("IIO device %s: %s", device, channels), "device: "+quoted(name))
	}
}

func (s *scan) w1() {
	ids := w1.Find(s.tree)
	for _, dir := range s.tree.Glob("sys/bus/w1/devices/??-*") {
		if id := path.Base(dir); !slices.Contains(ids, id) {
			s.note("1-wire device %s is no thermometer", id)
		}
	}
	if len(ids) == 0 {
		return
	}
	var named []string
	for _, id := range ids {
		named = append(named, id+": temperature_"+sysfs.Plain(id))
	}
	s.file("w1", "w1", fmt.Sprintf("1-wire thermometers, %d", len(ids)), "ids: {"+strings.Join(named, ", ")+"}")
}

func (s *scan) power() {
	for _, name := range power.Find(s.tree) {
		values := series(power.New(power.Settings{Root: s.Root, Device: name}).Announce())
		if values == "" {
			s.note("power supply %s has no value to read", name)
			continue
		}
		s.file("power_supply", nameOf(name, "power"), fmt.Sprintf("power supply: %s", values), "device: "+quoted(name))
	}
}

func (s *scan) machine() {
	m, err := machine.New(machine.Settings{Root: s.Root})
	if err != nil {
		s.note("nothing of the machine itself can be read: %v", err)
		s.file("machine", "machine", "the machine itself, of which nothing can be read now")
		return
	}
	s.file("machine", "machine", "the machine itself: "+series(m.Announce()))
}

// serial names the ports that have hardware behind them.
func (s *scan) serial() {
	stable := s.tree.Glob("dev/serial/by-id/*")
	for _, port := range stable {
		s.note("serial port /%s, for what speaks Modbus RTU or NMEA", port)
	}
	for _, dir := range s.tree.Glob("sys/class/tty/tty*/device") {
		tty := path.Base(path.Dir(dir))
		usb := strings.HasPrefix(tty, "ttyUSB") || strings.HasPrefix(tty, "ttyACM")
		if uart, err := s.tree.Int(path.Join(path.Dir(dir), "type")); err == nil && uart == 0 || usb && len(stable) > 0 {
			continue // a port of the board's design that is not there, or one that was named above
		}
		s.note("serial port /dev/%s, for what speaks Modbus RTU or NMEA", tty)
	}
}

// series lists names.
func series(cells []record.Cell) string {
	names := make([]string, 0, len(cells))
	for _, c := range cells {
		names = append(names, c.Series)
	}
	return strings.Join(names, " ")
}

// nameOf makes the name of a sensor of that of a device.
func nameOf(device, otherwise string) string {
	if name := sysfs.Plain(device); name != "" {
		return name[:min(len(name), 32)]
	}
	return otherwise
}
