package power

import (
	"context"
	"errors"
	"fmt"
	"path"
	"strings"
	"unicode/utf8"

	"github.com/headwater-iot/headwater/agent/internal/sensor"
	"github.com/headwater-iot/headwater/agent/internal/sensor/sysfs"
	"github.com/headwater-iot/headwater/shared/record"
)

// Settings say which supply to read. The zero value reads all there are.
type Settings struct {
	// Root is where sys is found; / by default.
	Root string `yaml:"root,omitempty"`
	// Device is one supply, such as BAT0; none = all, each with its name in front of its series.
	Device string `yaml:"device,omitempty"`
}

// Check reports every problem of the settings.
func (s Settings) Check(report sensor.Report) {
	sysfs.CheckRoot(s.Root, report)
	if s.Device != "" && (strings.ContainsAny(s.Device, `/*?[\`) || s.Device[0] == '.') {
		report("device", "%q is no name of a power supply; want such as BAT0", s.Device)
	}
}

// What stands in the way of reading a supply.
var (
	ErrMissing = errors.New("no such power supply (is its driver loaded?)")
	ErrLate    = errors.New("the power supply was not there when the agent started; restart the agent")
)

const devices = "sys/class/power_supply"

// Sensor is the configured supplies, there or not. It is its own driver: no file stays open between reads.
type Sensor struct {
	tree   sysfs.Tree
	device string
	values []value
}

// value is one file of one supply.
type value struct {
	path   string // below the root
	series string // with the name of the supply, where there may be several
	quantity
}

// quantity is what a file of the class holds.
type quantity struct {
	file, series, unit string
	kind               record.ValueKind
	places             int // decimals of the unit that the kernel's integer counts
}

func quantities() []quantity {
	return []quantity{
		{"voltage_now", "voltage", "V", record.Float, 6},
		{"current_now", "current", "A", record.Float, 6},
		{"power_now", "power", "W", record.Float, 6},
		{"capacity", "charge_level", "%EL", record.Int, 0},
		{"energy_now", "energy", "Wh", record.Float, 6},
		{"energy_full", "energy_full", "Wh", record.Float, 6},
		{"charge_now", "charge", "Ah", record.Float, 6},
		{"charge_full", "charge_full", "Ah", record.Float, 6},
		{"temp", "temperature", "Cel", record.Float, 1},
		{"cycle_count", "cycles", "count", record.Int, 0},
		{"online", "online", "", record.Int, 0},
		{"present", "present", "", record.Int, 0},
		{"status", "status", "", record.Text, 0},
		{"health", "health", "", record.Text, 0},
	}
}

// New looks at what the supplies have. One that is not there is no error: it may come.
func New(s Settings) *Sensor {
	d := &Sensor{tree: sysfs.Tree(s.Root), device: s.Device}
	d.values = d.look()
	return d
}

// Find returns the names of the supplies that the kernel knows.
func Find(tree sysfs.Tree) (names []string) {
	for _, dir := range tree.Glob(devices + "/*") {
		names = append(names, path.Base(dir))
	}
	return names
}

// look returns the files that hold a value now.
func (d *Sensor) look() (values []value) {
	names := []string{d.device}
	if d.device == "" {
		names = Find(d.tree)
	}
	for _, name := range names {
		prefix := ""
		if d.device == "" {
			prefix = sysfs.Plain(name) + "_"
		}
		for _, q := range quantities() {
			v := value{path.Join(devices, name, q.file), prefix + q.series, q}
			if _, err := sysfs.Soon(func() (record.Cell, error) { return d.read(v) }); err == nil {
				values = append(values, v)
			}
		}
	}
	return values
}

// Announce returns what the supplies measured when the agent started; none where that is not known yet.
func (d *Sensor) Announce() []record.Cell {
	out := make([]record.Cell, 0, len(d.values))
	for _, v := range d.values {
		out = append(out, record.FailedCell(v.series, v.unit, v.kind))
	}
	return out
}

// Open looks again for a supply that was not there.
func (d *Sensor) Open(context.Context) (sensor.Driver, error) {
	switch {
	case len(d.values) > 0:
		return d, nil
	case len(d.look()) > 0:
		return nil, fmt.Errorf("open power supply: %w", ErrLate)
	}
	return nil, fmt.Errorf("open power supply %q below %s: %w", d.device, d.tree.Path(devices), ErrMissing)
}

// Read reads every value once. What cannot be read is left out.
func (d *Sensor) Read(ctx context.Context) ([]record.Cell, error) {
	out := make([]record.Cell, 0, len(d.values))
	var errs []error
	for _, v := range d.values {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		cell, err := d.read(v)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		out = append(out, cell)
	}
	if len(errs) > 0 {
		return out, fmt.Errorf("read power supply: %w", errors.Join(errs...))
	}
	return out, nil
}

func (d *Sensor) read(v value) (record.Cell, error) {
	if v.kind == record.Text {
		text, err := d.tree.Text(v.path)
		if err == nil && !utf8.ValidString(text) {
			err = fmt.Errorf("%s is not text", v.path)
		}
		return record.Cell{Series: v.series, Kind: record.Text, Text: text}, err
	}
	n, err := d.tree.Int(v.path)
	if v.kind == record.Int {
		return record.IntCell(v.series, v.unit, n), err
	}
	return record.FloatCell(v.series, v.unit, sensor.Decimal(n, v.places)), err
}
