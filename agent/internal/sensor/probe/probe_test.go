package probe

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"periph.io/x/conn/v3/i2c"
	"periph.io/x/conn/v3/physic"

	"github.com/headwater-iot/headwater/agent/internal/sensor/bme280"
	"github.com/headwater-iot/headwater/agent/internal/sensor/bus"
	"github.com/headwater-iot/headwater/agent/internal/sensor/mcp9808"
	"github.com/headwater-iot/headwater/agent/internal/sensor/simbus"
	"github.com/headwater-iot/headwater/shared/strictyaml"
)

func write(t *testing.T, root, path, text string) {
	t.Helper()
	path = filepath.Join(root, path)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// wires is a bus that notes what is done on it. Its chips are on the simulated bus,
// but for an EEPROM at 0x50, which answers whatever is asked.
type wires struct {
	i2c.BusCloser
	mu      sync.Mutex
	read    map[uint16]bool
	written map[uint16]bool
	hang    map[uint16]chan struct{}
}

func newWires(parts map[uint16]simbus.Part) *wires {
	return &wires{
		BusCloser: simbus.New(simbus.Config{Parts: parts}),
		read:      map[uint16]bool{}, written: map[uint16]bool{}, hang: map[uint16]chan struct{}{},
	}
}

func (w *wires) Tx(addr uint16, out, in []byte) error {
	w.mu.Lock()
	if len(out) > 0 {
		w.written[addr] = true
	}
	w.read[addr] = true
	hang := w.hang[addr]
	w.mu.Unlock()
	if hang != nil {
		<-hang
	}
	if addr == 0x50 {
		return nil
	}
	return w.BusCloser.Tx(addr, out, in)
}

func (w *wires) SetSpeed(physic.Frequency) error { return errors.New("nobody asked for that") }

func (w *wires) open(string) (i2c.BusCloser, error) { return w, nil }

func chips() []bus.Chip { return []bus.Chip{bme280.Chip(), mcp9808.Chip()} }

func TestWhatBelongsToOthersIsLeftAlone(t *testing.T) {
	w, root := newWires(map[uint16]simbus.Part{0x18: simbus.MCP9808, 0x76: simbus.BMP280, 0x77: simbus.BME280}), t.TempDir()
	driver := filepath.Join(root, "sys/bus/i2c/devices/1-0077/driver")
	if err := errors.Join(os.MkdirAll(filepath.Dir(driver), 0o755), os.Symlink("../../drivers/bmp280", driver)); err != nil {
		t.Fatal(err)
	}
	report, err := look(t.Context(), Options{Root: root, Buses: []string{"1"}, Chips: chips()}, w.open)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, f := range report.Found {
		got = append(got, f.Kind+" "+strings.Join(f.Section, " "))
	}
	want := []string{"mcp9808 bus: 1 address: 0x18", "bme280 bus: 1 address: 0x76 model: bmp280"}
	if !slices.Equal(got[:len(got)-1], want) {
		t.Errorf("found %q", got)
	}
	notes := strings.Join(report.Notes, "\n")
	for _, say := range []string{"0x77 belongs to the kernel's driver bmp280", "0x50: something answers"} {
		if !strings.Contains(notes, say) {
			t.Errorf("%q is not in\n%s", say, notes)
		}
	}
	for addr := range uint16(0x80) {
		ours := slices.ContainsFunc(chips(), func(c bus.Chip) bool { return slices.Contains(c.Addresses, addr) }) && addr != 0x77
		reserved := addr < firstAddress || addr > lastAddress || addr == 0x77
		if w.read[addr] == reserved || w.written[addr] != ours {
			t.Errorf("address %#x: asked %v, written to %v", addr, w.read[addr], w.written[addr])
		}
	}
}

func TestForeignBuses(t *testing.T) {
	for adapter, want := range map[string]bool{
		"SMBus I801 adapter at efa0": true, "i915 gmbus dpb": true, "AMDGPU DM i2c hw bus 0": true, "DPDDC-A": true,
		"bcm2835 (i2c@7e804000)": false, "Synopsys DesignWare I2C adapter": false, "i2c-tiny-usb at bus 001": false, "": false,
	} {
		if foreign(adapter) != want {
			t.Errorf("%q", adapter)
		}
	}
}

func TestBusThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWires(map[uint16]simbus.Part{0x18: simbus.MCP9808, 0x76: simbus.BME280})
		w.hang[0x40] = make(chan struct{})
		began := time.Now()
		report, err := look(t.Context(), Options{Root: t.TempDir(), Buses: []string{"1"}, Chips: chips()}, w.open)
		if took := time.Since(began); err != nil || took < BusLimit || took > BusLimit+time.Second {
			t.Errorf("after %v: %v", took, err)
		}
		if report.Found[0].Kind != "mcp9808" || !strings.Contains(strings.Join(report.Notes, "\n"), "I2C bus 1 was given up") {
			t.Errorf("%+v", report)
		}
		close(w.hang[0x40])

		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := look(ctx, Options{Buses: []string{"1"}}, w.open); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
	})
}

// config is a configuration as far as these tests go.
type config struct {
	Sensors []struct {
		Name    string   `yaml:"name"`
		Prefix  string   `yaml:"prefix"`
		IIO     *section `yaml:"iio"`
		Power   *section `yaml:"power_supply"`
		Machine *section `yaml:"machine"`
	} `yaml:"sensors"`
}

type section struct {
	Root   string `yaml:"root"`
	Device string `yaml:"device"`
}

func decode(t *testing.T, report Report) config {
	t.Helper()
	var c config
	if err := strictyaml.Decode("probe.yaml", []byte(report.YAML()), &c); err != nil {
		t.Fatalf("%v\n%s", err, report.YAML())
	}
	return c
}

func TestNothingIsAConfigurationToo(t *testing.T) {
	root := t.TempDir()
	report, err := Scan(t.Context(), Options{Root: root})
	if err != nil {
		t.Fatal(err)
	}
	if got := decode(t, report); len(got.Sensors) != 1 || got.Sensors[0].Machine == nil || got.Sensors[0].Machine.Root != root {
		t.Errorf("%+v", got)
	}
	if report.Notes[0] != "no sensor was found but the machine itself" {
		t.Errorf("%q", report.Notes)
	}
}

// TestNamesAreTakenAsTheyAre: a device may be called anything, and two may be called the same.
func TestNamesAreTakenAsTheyAre(t *testing.T) {
	root := filepath.Join(t.TempDir(), "a b, {c}: #d")
	names := []string{"null", "1e5", "yes", "a: b", "x#y", "}, {", `back\slash "quote"`, "Größe", "two\nlines", "~", "lps25h", "- a", "°"}
	for i, name := range names {
		write(t, root, filepath.Join("sys/bus/iio/devices", "iio:device"+string(rune('a'+i)), "name"), name)
		write(t, root, filepath.Join("sys/bus/iio/devices", "iio:device"+string(rune('a'+i)), "in_temp_input"), "1")
	}
	for _, twin := range []string{"iio:device98", "iio:device99"} {
		write(t, root, "sys/bus/iio/devices/"+twin+"/name", "twin")
		write(t, root, "sys/bus/iio/devices/"+twin+"/in_temp_input", "1")
	}
	write(t, root, "sys/bus/iio/devices/iio:device97/name", "empty")
	write(t, root, "sys/class/power_supply/b a:t/voltage_now", "1")
	write(t, root, "sys/class/power_supply/none/type", "Mains")
	report, err := Scan(t.Context(), Options{Root: root})
	if err != nil {
		t.Fatal(err)
	}
	var devices []string
	seen := map[string]bool{}
	for _, s := range decode(t, report).Sensors {
		if seen[s.Name] || seen[s.Prefix] {
			t.Errorf("%q and %q are used twice", s.Name, s.Prefix)
		}
		seen[s.Name], seen[s.Prefix] = true, true
		if s.IIO != nil {
			if s.IIO.Root != root {
				t.Errorf("root %q", s.IIO.Root)
			}
			devices = append(devices, s.IIO.Device)
		}
		if s.Power != nil && s.Power.Device != "b a:t" {
			t.Errorf("supply %q", s.Power.Device)
		}
	}
	want := append([]string{"iio:device98", "iio:device99"}, names...)
	slices.Sort(want)
	slices.Sort(devices)
	if !slices.Equal(devices, want) {
		t.Errorf("devices\n%q, want\n%q", devices, want)
	}
	if notes := strings.Join(report.Notes, "\n"); !strings.Contains(notes, "(empty) has no channel") || !strings.Contains(notes, "supply none has no value") {
		t.Errorf("notes %s", notes)
	}
}

func TestSerialPorts(t *testing.T) {
	root := t.TempDir()
	for _, port := range []string{"ttyUSB0", "ttyS0", "ttyS1", "ttyAMA0"} {
		write(t, root, "sys/class/tty/"+port+"/device/driver", "")
	}
	write(t, root, "sys/class/tty/ttyS0/type", "4")
	write(t, root, "sys/class/tty/ttyS1/type", "0")
	write(t, root, "sys/class/tty/tty1/dev", "4:1")
	ports := func() string {
		report, err := Scan(t.Context(), Options{Root: root})
		if err != nil {
			t.Fatal(err)
		}
		var found []string
		for _, note := range report.Notes {
			if port, ok := strings.CutPrefix(note, "serial port "); ok {
				found = append(found, strings.TrimSuffix(port, ", for what speaks Modbus RTU or NMEA"))
			}
		}
		return strings.Join(found, " ")
	}
	if got := ports(); got != "/dev/ttyAMA0 /dev/ttyS0 /dev/ttyUSB0" {
		t.Errorf("%s", got)
	}
	write(t, root, "dev/serial/by-id/usb-FTDI_A1-if00-port0", "")
	if got := ports(); got != "/dev/serial/by-id/usb-FTDI_A1-if00-port0 /dev/ttyAMA0 /dev/ttyS0" {
		t.Errorf("%s", got)
	}
}
