package machine

import (
	"fmt"
	"path"
	"strconv"
	"strings"

	"github.com/headwater-iot/headwater/shared/record"
)

// part reads some of the machine's series.
type part = func() ([]record.Cell, error)

// throttling finds what tells that the machine is slowed down by heat or a weak supply.
func (m *Machine) throttling() []part {
	parts := []part{m.frequency, m.throttleCount}
	if found := m.tree.Glob("sys/devices/platform/soc*/soc*:firmware/get_throttled"); len(found) > 0 {
		return append(parts, func() ([]record.Cell, error) { return m.firmware(found[0]) })
	}
	for _, file := range m.tree.Glob("sys/class/hwmon/hwmon*/in0_lcrit_alarm") {
		if chip, err := m.tree.Text(path.Join(path.Dir(file), "name")); err == nil && chip == "rpi_volt" {
			parts = append(parts, func() ([]record.Cell, error) {
				alarm, err := m.tree.Int(file)
				return []record.Cell{record.IntCell("under_voltage", "", alarm)}, err
			})
		}
	}
	return parts
}

// firmware reads what the firmware of a Raspberry Pi holds against its supply and
// its temperature: bits 0 to 3 are of now, the same 16 higher are of some time since
// boot, or since a driver of the kernel has cleared them.
func (m *Machine) firmware(file string) ([]record.Cell, error) {
	text, err := m.tree.Text(file)
	if err != nil {
		return nil, err
	}
	bits, err := strconv.ParseUint(strings.TrimPrefix(text, "0x"), 16, 32)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	var now, before []record.Cell
	for i, series := range []string{"under_voltage", "frequency_capped", "throttled", "temperature_limited"} {
		now = append(now, record.IntCell(series, "", int64(bits>>i&1)))
		before = append(before, record.IntCell(series+"_occurred", "", int64(bits>>(i+16)&1)))
	}
	return append(now, before...), nil
}

// frequency reads the fastest core: how fast it is, and how fast it may be. Heat lowers the second.
func (m *Machine) frequency() ([]record.Cell, error) {
	now, err := m.highest("sys/devices/system/cpu/cpufreq/policy*/scaling_cur_freq")
	if err != nil {
		return nil, err
	}
	limit, err := m.highest("sys/devices/system/cpu/cpufreq/policy*/scaling_max_freq")
	if err != nil {
		return nil, err
	}
	return []record.Cell{record.IntCell("cpu_frequency", "Hz", now*1000), record.IntCell("cpu_frequency_limit", "Hz", limit*1000)}, nil
}

func (m *Machine) highest(pattern string) (highest int64, err error) {
	err = m.each(pattern, func(v int64) { highest = max(highest, v) })
	return highest, err
}

// throttleCount sums how often the cores were slowed down since boot.
func (m *Machine) throttleCount() ([]record.Cell, error) {
	sum := int64(0)
	err := m.each("sys/devices/system/cpu/cpu*/thermal_throttle/core_throttle_count", func(v int64) { sum += v })
	return []record.Cell{record.IntCell("cpu_throttle_events", "count", sum)}, err
}

// each uses the number in each file of a pattern. No file, or one that cannot be
// read, is an error: a sum without it would fall and rise again.
func (m *Machine) each(pattern string, use func(int64)) error {
	files := m.tree.Glob(pattern)
	if len(files) == 0 {
		return fmt.Errorf("no file is %s", pattern)
	}
	for _, file := range files {
		v, err := m.tree.Int(file)
		if err != nil {
			return err
		}
		use(v)
	}
	return nil
}
