package w1

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/headwater-iot/headwater/agent/internal/sensor"
	"github.com/headwater-iot/headwater/agent/internal/sensor/sysfs"
	"github.com/headwater-iot/headwater/shared/record"
)

// Settings say which thermometers to read. The zero value reads all there are.
type Settings struct {
	// Root is where sys is found; / by default.
	Root string `yaml:"root,omitempty"`
	// ID is the one to read, such as 28-0316a2794fff.
	ID string `yaml:"id,omitempty"`
	// IDs are several, with the series each one gives.
	IDs map[string]string `yaml:"ids,omitempty"`
}

// Check reports every problem of the settings.
func (s Settings) Check(report sensor.Report) {
	sysfs.CheckRoot(s.Root, report)
	if s.ID != "" && !isThermometer(s.ID) {
		report("id", "%q is no thermometer; want such as 28-0316a2794fff", s.ID)
	}
	if s.ID != "" && len(s.IDs) > 0 {
		report("ids", "stand beside id; use one of the two")
	}
	taken := map[string]string{}
	for _, id := range slices.Sorted(maps.Keys(s.IDs)) {
		if !isThermometer(id) {
			report("ids", "%q is no thermometer; want such as 28-0316a2794fff", id)
		}
		series := s.IDs[id]
		if other, ok := taken[series]; ok || series == "" {
			report("ids", "%s needs a series of its own, not %q (%s)", id, series, other)
		}
		taken[series] = id
	}
}

// isThermometer knows the families of the kernel's w1_therm.
func isThermometer(id string) bool {
	return regexp.MustCompile(`^(10|22|28|3b|42)-[0-9a-f]{12}$`).MatchString(id)
}

// What comes in place of a temperature.
var (
	ErrNone    = errors.New("no 1-wire thermometer is there (is it wired, is the overlay w1-gpio enabled, the module w1-therm loaded?)")
	ErrLate    = errors.New("there was no thermometer when the agent started; restart the agent, or name the ids in the configuration")
	ErrCRC     = errors.New("wrong CRC (long wires, or a pull-up too weak?)")
	ErrShorted = errors.New("nothing but zeros: the data wire is shorted to ground")
	ErrPowerOn = errors.New("85.000 of a chip that had no power to convert")
	ErrRange   = errors.New("no temperature that the chip can have")
)

const devices = "sys/bus/w1/devices"

// Sensor is the configured thermometers, there or not.
type Sensor struct {
	tree  sysfs.Tree
	chips []chip
}

type chip struct{ id, series string }

// New lists the thermometers. One that is not there is no error: it may come.
func New(s Settings) *Sensor {
	d := &Sensor{tree: sysfs.Tree(s.Root)}
	switch {
	case s.ID != "":
		d.chips = []chip{{s.ID, "temperature"}}
	case len(s.IDs) > 0:
		for _, id := range slices.Sorted(maps.Keys(s.IDs)) {
			d.chips = append(d.chips, chip{id, s.IDs[id]})
		}
	default:
		for _, id := range Find(d.tree) {
			d.chips = append(d.chips, chip{id, "temperature_" + sysfs.Plain(id)})
		}
	}
	return d
}

// Find returns the ids of the thermometers that the kernel has found.
func Find(tree sysfs.Tree) (ids []string) {
	for _, dir := range tree.Glob(devices + "/*-*") {
		if id := path.Base(dir); isThermometer(id) {
			ids = append(ids, id)
		}
	}
	return ids
}

// Announce returns a series for each chip; none where they are not known yet.
func (d *Sensor) Announce() []record.Cell {
	out := make([]record.Cell, 0, len(d.chips))
	for _, c := range d.chips {
		out = append(out, record.FailedCell(c.series, "Cel", record.Float))
	}
	return out
}

// Open makes the sensor ready; no file stays open between reads.
func (d *Sensor) Open(context.Context) (sensor.Driver, error) {
	switch {
	case len(d.chips) > 0:
		return &Device{d}, nil
	case len(Find(d.tree)) > 0:
		return nil, fmt.Errorf("open 1-wire: %w", ErrLate)
	}
	return nil, fmt.Errorf("open 1-wire below %s: %w", d.tree.Path(devices), ErrNone)
}

// Device reads the thermometers.
type Device struct{ *Sensor }

// Read reads every thermometer once. What cannot be read is left out.
func (d *Device) Read(ctx context.Context) ([]record.Cell, error) {
	out := make([]record.Cell, 0, len(d.chips))
	var errs []error
	for _, c := range d.chips {
		if ctx.Err() != nil { // those read so far stand
			errs = append(errs, ctx.Err())
			break
		}
		milli, quality, err := d.temperature(c.id)
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", c.id, err))
			continue
		}
		cell := record.FloatCell(c.series, "Cel", sensor.Decimal(milli, 3))
		cell.Quality = quality
		out = append(out, cell)
	}
	if len(errs) > 0 {
		return out, fmt.Errorf("read 1-wire: %w", errors.Join(errs...))
	}
	return out, nil
}

// What a chip says that has lost power since it was told to convert, in thousandths of a degree.
const powerOn = 85_000

// temperature reads one chip, in thousandths of a degree.
func (d *Device) temperature(id string) (int64, record.Quality, error) {
	dir := path.Join(devices, id)
	slave := path.Join(dir, "w1_slave")
	if d.tree.Has(slave) || !d.tree.Has(path.Join(dir, "temperature")) {
		text, err := d.tree.Text(slave)
		if err != nil {
			return 0, 0, err
		}
		return parse(id, text)
	}
	milli, err := d.tree.Int(path.Join(dir, "temperature"))
	switch {
	case err != nil:
		return 0, 0, err
	case milli == powerOn:
		return milli, record.Suspect, nil // the scratchpad would tell, and is not shown
	}
	return inRange(milli)
}

// parse understands what w1_slave shows: the scratchpad twice, the verdict on its CRC, the temperature.
func parse(id, text string) (int64, record.Quality, error) {
	first, second, _ := strings.Cut(text, "\n")
	bytes := strings.Fields(first)
	_, t, ok := strings.Cut(second, "t=")
	if len(bytes) < 9 || !ok {
		return 0, 0, fmt.Errorf("w1_slave says %.80q", text)
	}
	if !strings.HasSuffix(first, " YES") {
		return 0, 0, ErrCRC
	}
	if !slices.ContainsFunc(bytes[:9], func(b string) bool { return b != "00" }) {
		return 0, 0, ErrShorted
	}
	milli, err := strconv.ParseInt(strings.TrimSpace(t), 10, 64)
	switch reserved := bytes[6]; {
	case err != nil:
		return 0, 0, fmt.Errorf("w1_slave: %w", err)
	case milli == powerOn && reserved == "0c" && !strings.HasPrefix(id, "10-"):
		return 0, 0, ErrPowerOn
	case milli == powerOn && reserved != "10":
		return milli, record.Suspect, nil
	}
	return inRange(milli)
}

func inRange(milli int64) (int64, record.Quality, error) {
	if milli < -55_000 || milli > 125_000 {
		return 0, 0, fmt.Errorf("%w: %v", ErrRange, sensor.Decimal(milli, 3))
	}
	return milli, 0, nil
}
