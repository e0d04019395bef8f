package machine

import (
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/headwater-iot/headwater/agent/internal/sensor"
	"github.com/headwater-iot/headwater/shared/record"
)

// temperature is one file that holds a temperature in thousandths of a degree.
type temperature struct {
	m      *Machine
	path   string // below the root
	series string
}

func (t temperature) read() ([]record.Cell, error) {
	text, err := t.m.text(t.path)
	if err != nil {
		return nil, err
	}
	v, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", t.path, err)
	}
	return []record.Cell{record.FloatCell(t.series, "Cel", sensor.Decimal(v, 3))}, nil
}

// temperatures finds every thermometer: first hwmon, then the thermal zones, most
// of which the kernel shows in hwmon under the same name as well.
func (m *Machine) temperatures() []temperature {
	var out []temperature
	taken := map[string]int{}
	add := func(path, name string) {
		series := "temperature_" + plain(name)
		if taken[series]++; taken[series] > 1 {
			series += "_" + strconv.Itoa(taken[series])
		}
		out = append(out, temperature{m, path, series})
	}
	chips := map[string]bool{}
	for _, path := range m.glob("sys/class/hwmon/hwmon*/temp*_input") {
		chip, err := m.text(filepath.Join(filepath.Dir(path), "name"))
		if err != nil || chip == "" {
			chip = filepath.Base(filepath.Dir(path))
		}
		chips[plain(chip)] = true
		if label, err := m.text(strings.TrimSuffix(path, "_input") + "_label"); err == nil && label != "" {
			add(path, chip+"_"+label)
		} else {
			add(path, chip)
		}
	}
	for _, path := range m.glob("sys/class/thermal/thermal_zone*/temp") {
		kind, err := m.text(filepath.Join(filepath.Dir(path), "type"))
		if err != nil || kind == "" {
			kind = filepath.Base(filepath.Dir(path))
		}
		if !chips[plain(kind)] {
			add(path, kind)
		}
	}
	return out
}

// glob finds files below the root, hwmon2 before hwmon10.
func (m *Machine) glob(pattern string) []string {
	found, err := filepath.Glob(filepath.Join(m.root, pattern))
	if err != nil {
		panic("machine: pattern " + pattern + ": " + err.Error())
	}
	for i, path := range found {
		if rel, err := filepath.Rel(m.root, path); err == nil {
			found[i] = rel
		}
	}
	slices.SortFunc(found, func(a, b string) int {
		if len(a) != len(b) {
			return len(a) - len(b)
		}
		return strings.Compare(a, b)
	})
	return found
}

// plain makes a name of lower-case letters, digits and single underscores.
func plain(name string) string {
	var b strings.Builder
	gap := false
	for _, c := range strings.ToLower(name) {
		if c < 'a' || c > 'z' {
			if c < '0' || c > '9' {
				gap = b.Len() > 0
				continue
			}
		}
		if gap {
			b.WriteByte('_')
			gap = false
		}
		b.WriteRune(c)
	}
	return b.String()
}
