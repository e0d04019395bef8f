package probe

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"strings"
	"time"

	"periph.io/x/conn/v3/i2c"

	"github.com/headwater-iot/headwater/agent/internal/sensor/bus"
	"github.com/headwater-iot/headwater/agent/internal/sensor/simbus"
)

// BusLimit is how long one bus may take: 112 addresses of a bus at 100 kHz take 0.1 s,
// but a bus whose wires are held down makes the kernel wait at each.
const BusLimit = 20 * time.Second

// The addresses of I2C that are not reserved.
const firstAddress, lastAddress = 0x08, 0x77

// foreign are parts of the names of adapters that are not for sensors: those of
// mainboards, with memory and power chips behind them, and of screens.
func foreign(adapter string) bool {
	for _, part := range []string{"smbus", "gmbus", "aux", "ddc", "hdmi", "nvidia", "amdgpu", "radeon"} {
		if strings.Contains(strings.ToLower(adapter), part) {
			return true
		}
	}
	return false
}

// buses scans all buses that were asked for, or else all that are there.
func (s *scan) buses(ctx context.Context) error {
	var errs []error
	for _, name := range s.Buses {
		if err := s.bus(ctx, name); err != nil {
			errs = append(errs, err)
		}
	}
	if s.Buses != nil || s.Root != "" { // a bus is a device, which no tree of files has
		return errors.Join(errs...)
	}
	for _, dev := range s.tree.Glob("dev/i2c-*") {
		name := strings.TrimPrefix(dev, "dev/i2c-")
		adapter, _ := s.tree.Text("sys/bus/i2c/devices/i2c-" + name + "/name") // "": it does not say
		if foreign(adapter) {
			s.note("I2C bus %s (%s) is not for sensors and was not scanned; --bus %s does it all the same", name, adapter, name)
			continue
		}
		if err := s.bus(ctx, name); err != nil {
			s.note("%v", err)
		}
	}
	return nil
}

// answer is what is at one address.
type answer struct {
	addr uint16
	kind string // "": unknown
	more string // what its section needs besides
}

// bus scans one bus.
func (s *scan) bus(ctx context.Context, name string) error {
	b, err := s.open(name)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, BusLimit)
	defer cancel()
	var free []uint16
	for addr := uint16(firstAddress); addr <= lastAddress; addr++ {
		if driver := s.driver(name, addr); driver != "" {
			s.note("I2C bus %s, address %#x belongs to the kernel's driver %s and was not touched", name, addr, driver)
			continue
		}
		free = append(free, addr)
	}
	answers := make(chan answer, len(free)) // room for all, so that a scan that nobody waits for ends
	go func() {
		defer close(answers)
		defer func() { _ = b.Close() }() // it was only read
		for _, addr := range free {
			if a, ok := s.ask(ctx, b, addr); ok {
				answers <- a
			}
		}
	}()
	for {
		select {
		case a, more := <-answers:
			if more {
				s.tell(name, a)
				continue
			}
			if ctx.Err() == nil {
				return nil
			}
		case <-ctx.Done():
			if len(answers) > 0 {
				continue // what was said in time counts
			}
		}
		s.note("I2C bus %s was given up after %v (is a wire held down, a chip without power?)", name, BusLimit)
		return nil
	}
}

func (s *scan) tell(name string, a answer) {
	where := fmt.Sprintf("I2C bus %s, address %#x", name, a.addr)
	if a.kind == "" {
		s.note("%s: something answers that is not known", where)
		return
	}
	section := []string{"bus: " + name, fmt.Sprintf("address: %#x", a.addr)}
	if a.more != "" {
		section = append(section, a.more)
	}
	s.add(Found{a.kind, a.kind, where, section})
}

// ask finds out what is at an address. Only what a driver declares harmless is written.
func (s *scan) ask(ctx context.Context, b i2c.Bus, addr uint16) (answer, bool) {
	for _, chip := range s.Chips {
		for _, a := range chip.Addresses {
			if a != addr {
				continue
			}
			if more, ok := chip.Identify(ctx, b, addr); ok {
				return answer{addr, chip.Kind, more}, true
			}
		}
	}
	var r [1]byte
	return answer{addr: addr}, ctx.Err() == nil && b.Tx(addr, nil, r[:]) == nil
}

// driver returns the kernel driver that an address belongs to, "" where none.
func (s *scan) driver(name string, addr uint16) string {
	n, err := bus.Number(name)
	if err != nil {
		return ""
	}
	link, err := os.Readlink(s.tree.Path(fmt.Sprintf("sys/bus/i2c/devices/%d-%04x/driver", n, addr)))
	if err != nil {
		return ""
	}
	return path.Base(link)
}

// open opens a bus of this machine, or the simulated one with a chip of every kind.
func open(name string) (i2c.BusCloser, error) {
	if name != "sim" {
		return bus.Open(name)
	}
	return simbus.New(simbus.Config{Parts: map[uint16]simbus.Part{
		0x18: simbus.DS2482, 0x1A: simbus.MCP9808, 0x40: simbus.INA219, 0x44: simbus.SHT4x,
		0x48: simbus.ADS1115, 0x76: simbus.BME280, 0x77: simbus.BMP280,
	}}), nil
}
