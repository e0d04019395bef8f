package machine

import (
	"path/filepath"
	"strconv"
	"strings"

	"github.com/headwater-iot/headwater/agent/internal/sensor"
	"github.com/headwater-iot/headwater/agent/internal/sensor/sysfs"
	"github.com/headwater-iot/headwater/shared/record"
)

// temperature is one file that holds a temperature in thousandths of a degree.
type temperature struct {
	m      *Machine
	path   string // below the root
	series string
}

func (t temperature) read() ([]record.Cell, error) {
	v, err := t.m.tree.Int(t.path)
	if err != nil {
		return nil, err
	}
	return []record.Cell{record.FloatCell(t.series, "Cel", sensor.Decimal(v, 3))}, nil
}

// temperatures finds every thermometer: first hwmon, then the thermal zones, most
// of which the kernel shows in hwmon under the same name as well.
func (m *Machine) temperatures() []temperature {
	var out []temperature
	taken := map[string]int{}
	add := func(path, name string) {
		series := "temperature_" + sysfs.Plain(name)
		if taken[series]++; taken[series] > 1 {
			series += "_" + strconv.Itoa(taken[series])
		}
		out = append(out, temperature{m, path, series})
	}
	chips := map[string]bool{}
	for _, path := range m.tree.Glob("sys/class/hwmon/hwmon*/temp*_input") {
		chip, err := m.tree.Text(filepath.Join(filepath.Dir(path), "name"))
		if err != nil || chip == "" {
			chip = filepath.Base(filepath.Dir(path))
		}
		if chip == "w1_slave_temp" {
			continue // takes 0.75 s, and is a sensor of kind w1
		}
		chips[sysfs.Plain(chip)] = true
		if label, err := m.tree.Text(strings.TrimSuffix(path, "_input") + "_label"); err == nil && label != "" {
			add(path, chip+"_"+label)
		} else {
			add(path, chip)
		}
	}
	for _, path := range m.tree.Glob("sys/class/thermal/thermal_zone*/temp") {
		kind, err := m.tree.Text(filepath.Join(filepath.Dir(path), "type"))
		if err != nil || kind == "" {
			kind = filepath.Base(filepath.Dir(path))
		}
		if !chips[sysfs.Plain(kind)] {
			add(path, kind)
		}
	}
	return out
}
