package iio

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/big"
	"path"
	"slices"
	"strings"

	"github.com/headwater-iot/headwater/agent/internal/sensor"
	"github.com/headwater-iot/headwater/agent/internal/sensor/sysfs"
	"github.com/headwater-iot/headwater/shared/record"
)

// Settings say which device to read.
type Settings struct {
	// Root is where sys is found; / by default.
	Root string `yaml:"root,omitempty"`
	// Device is its name (bme280), its label, iio:device0 or 0.
	Device string `yaml:"device"`
	// Channels says which to read and what to call them: {temp: air, voltage0: ""}; none = all, under plain names.
	Channels map[string]string `yaml:"channels,omitempty"`
}

// Check reports every problem of the settings.
func (s Settings) Check(report sensor.Report) {
	sysfs.CheckRoot(s.Root, report)
	if s.Device == "" {
		report("device", "names no device; want a name such as bme280, or iio:device0")
	}
	taken := map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(s.Channels)) {
		if name == "" || strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789_-") != "" {
			report("channels", "%q is no channel; of in_voltage0_raw it is voltage0", name)
			continue
		}
		series := newChannel(name, s.Channels[name]).series
		if other := taken[series]; other != "" {
			report("channels", "%s and %s are both called %s", other, name, series)
		}
		taken[series] = name
	}
}

// What stands in the way of reading a device.
var (
	ErrMissing   = errors.New("no such IIO device (is it wired, its module loaded, its overlay enabled?)")
	ErrAmbiguous = errors.New("several IIO devices have this name; use the label or the number of one")
	ErrLate      = errors.New("the device was not there when the agent started; restart the agent, or list its channels in the configuration")
	ErrNoChannel = errors.New("the device has no channel to read")

	errNoScale   = errors.New("the channel has no scale (where it never has one, restart the agent with the device plugged in: it then gives the bare count)")
	errZeroScale = errors.New("the kernel says that the channel's scale is 0")
)

const devices = "sys/bus/iio/devices"

// Sensor is a configured device, there or not.
type Sensor struct {
	tree     sysfs.Tree
	name     string
	channels []channel
}

// channel is one thing that a device measures.
type channel struct {
	name   string // voltage0 of in_voltage0_raw
	series string
	kind
	bare bool // a raw count without a scale
}

func newChannel(name, series string) channel {
	k := kinds()[typeOf(name)]
	if series == "" {
		series = sysfs.Plain(name)
		if k.series != "" {
			series = k.series + strings.TrimPrefix(series, typeOf(name))
		}
	}
	return channel{name: name, series: series, kind: k}
}

// New looks at what the device has. One that is not there is no error: it may come.
func New(s Settings) *Sensor {
	d := &Sensor{tree: sysfs.Tree(s.Root), name: s.Device}
	for _, name := range slices.SortedFunc(maps.Keys(s.Channels), sysfs.Natural) {
		d.channels = append(d.channels, newChannel(name, s.Channels[name]))
	}
	if seen, err := sysfs.Soon(d.look); err == nil {
		d.channels = seen
	}
	return d
}

// look returns the channels, those that are listed or else all, as they are now.
func (d *Sensor) look() ([]channel, error) {
	dir, err := d.find()
	if err != nil {
		return nil, err
	}
	seen := slices.Clone(d.channels)
	if len(seen) == 0 {
		for _, name := range d.list(dir) {
			seen = append(seen, newChannel(name, ""))
		}
	}
	for i := range seen {
		if c := &seen[i]; c.unit != "" && c.unit != "count" && d.counts(dir, c.name) {
			c.bare, c.unit = true, ""
		}
	}
	return seen, nil
}

// Announce returns the channels; none where they are not known yet.
func (d *Sensor) Announce() []record.Cell {
	out := make([]record.Cell, 0, len(d.channels))
	for _, c := range d.channels {
		out = append(out, record.FailedCell(c.series, c.unit, record.Float))
	}
	return out
}

// find returns the directory of the device.
func (d *Sensor) find() (string, error) {
	var found []string
	for _, dir := range d.tree.Glob(devices + "/iio:device*") {
		base := path.Base(dir)
		if d.name == base || d.name == strings.TrimPrefix(base, "iio:device") {
			return dir, nil
		}
		if d.named(dir) {
			found = append(found, dir)
		}
	}
	switch len(found) {
	case 0:
		return "", fmt.Errorf("find %s below %s: %w", d.name, d.tree.Path(devices), ErrMissing)
	case 1:
		return found[0], nil
	}
	return "", fmt.Errorf("find %s: %w: %s", d.name, ErrAmbiguous, strings.Join(found, ", "))
}

// named tells whether the device in a directory has the name, or the label, that is asked for.
func (d *Sensor) named(dir string) bool {
	for _, file := range []string{"name", "label"} {
		if text, err := d.tree.Text(path.Join(dir, file)); err == nil && text == d.name {
			return true
		}
	}
	return false
}

// list returns the channels of a device that one number is the value of.
func (d *Sensor) list(dir string) (names []string) {
	for _, file := range append(d.tree.Glob(dir+"/in_*_input"), d.tree.Glob(dir+"/in_*_raw")...) {
		name := strings.TrimPrefix(path.Base(file), "in_")
		name = strings.TrimSuffix(strings.TrimSuffix(name, "_input"), "_raw")
		statistic := strings.HasSuffix(name, "_mean") || strings.HasSuffix(name, "_peak")
		if typeOf(name) != "rot" && !statistic && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	slices.SortFunc(names, sysfs.Natural)
	return names
}

// counts tells whether a channel is a raw count that no scale makes a measurement of.
func (d *Sensor) counts(dir, name string) bool {
	if d.tree.Has(path.Join(dir, "in_"+name+"_input")) || !d.tree.Has(path.Join(dir, "in_"+name+"_raw")) {
		return false
	}
	_, found, err := d.factor(dir, name, "scale")
	return !found && err == nil
}

// factor returns a channel's scale or offset, and whether it has one.
func (d *Sensor) factor(dir, name, what string) (*big.Rat, bool, error) {
	for _, file := range shared(name, what) {
		if p := path.Join(dir, file); d.tree.Has(p) {
			v, _, err := d.number(p)
			return v, err == nil, err
		}
	}
	return nil, false, nil
}

func (d *Sensor) number(file string) (v *big.Rat, places int, err error) {
	text, err := d.tree.Text(file)
	if err != nil {
		return nil, 0, err
	}
	if v, places, err = decimal(text); err != nil {
		return nil, 0, fmt.Errorf("%s: %w", d.tree.Path(file), err)
	}
	return v, places, nil
}

// Open finds the device as it is plugged in now.
func (d *Sensor) Open(context.Context) (sensor.Driver, error) {
	dir, err := d.find()
	switch {
	case err != nil:
		return nil, fmt.Errorf("open IIO device: %w", err)
	case len(d.channels) > 0:
		return &Device{d, dir, d.named(dir)}, nil
	case len(d.list(dir)) > 0:
		return nil, fmt.Errorf("open IIO device %s: %w", d.name, ErrLate)
	}
	return nil, fmt.Errorf("open IIO device %s: %w", d.name, ErrNoChannel)
}

// Device is an open device. It holds no file open between reads.
type Device struct {
	*Sensor
	dir    string
	byName bool // it was found by its name, and not by its number
}

// Read reads every channel once. What cannot be read is left out.
func (d *Device) Read(ctx context.Context) ([]record.Cell, error) {
	if d.byName && !d.named(d.dir) {
		return nil, fmt.Errorf("read IIO device %s: %w: its number is gone, or another device has it", d.name, ErrMissing)
	}
	out := make([]record.Cell, 0, len(d.channels))
	var errs []error
	for _, c := range d.channels {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		v, err := d.value(c)
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", c.name, err))
			continue
		}
		out = append(out, record.FloatCell(c.series, c.unit, v))
	}
	if len(errs) > 0 {
		return out, fmt.Errorf("read IIO device %s: %w", d.name, errors.Join(errs...))
	}
	return out, nil
}

// value reads one channel, in its unit.
func (d *Device) value(c channel) (float64, error) {
	unit := power(c.shift)
	input := path.Join(d.dir, "in_"+c.name+"_input")
	if d.tree.Has(input) {
		v, places, err := d.number(input)
		if err != nil {
			return 0, err
		}
		return short(v.Mul(v, unit), power(c.shift-places))
	}
	v, _, err := d.number(path.Join(d.dir, "in_"+c.name+"_raw"))
	if err != nil {
		return 0, err
	}
	if c.bare {
		return short(v, power(0))
	}
	offset, found, err := d.factor(d.dir, c.name, "offset")
	if err != nil {
		return 0, err
	}
	if found {
		v.Add(v, offset)
	}
	scale, found, err := d.factor(d.dir, c.name, "scale")
	switch {
	case err != nil:
		return 0, err
	case !found && c.unit != "" && c.unit != "count":
		return 0, errNoScale
	case !found:
		scale = power(0)
	case scale.Sign() == 0: // some drivers print fewer decimals than theirs has
		return 0, errZeroScale
	}
	step := scale.Mul(scale, unit)
	return short(v.Mul(v, step), step)
}
