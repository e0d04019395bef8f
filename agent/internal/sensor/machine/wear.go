package machine

import (
	"fmt"
	"path"
	"strconv"
	"strings"

	"github.com/headwater-iot/headwater/agent/internal/sensor/sysfs"
	"github.com/headwater-iot/headwater/shared/record"
)

// wear finds the eMMC chips that tell how worn they are. SD cards do not.
func (m *Machine) wear() (parts []part) {
	for _, dir := range m.tree.Glob("sys/block/mmcblk*/device") {
		name := sysfs.Plain(path.Base(path.Dir(dir))) + "_"
		parts = append(parts,
			func() ([]record.Cell, error) { return m.lifeUsed(name, dir+"/life_time") },
			func() ([]record.Cell, error) { return m.preEOL(name, dir+"/pre_eol_info") })
	}
	return parts
}

// lifeUsed reads the two estimates of the chip, of its cells of type A and B, in
// tenths of its life: 3 is 20 to 30 % used, 11 is beyond the end. The upper end is given.
func (m *Machine) lifeUsed(name, file string) (cells []record.Cell, err error) {
	text, err := m.tree.Text(file)
	if err != nil {
		return nil, err
	}
	for i, field := range strings.Fields(text) {
		tenths, err := strconv.ParseUint(field, 0, 8)
		if err != nil || i > 1 {
			return nil, fmt.Errorf("%s says %.40q", file, text)
		}
		if tenths >= 1 && tenths <= 11 { // 0: the chip does not say
			cells = append(cells, record.IntCell(name+"life_used_"+string("ab"[i]), "%", int64(tenths)*10))
		}
	}
	if len(cells) == 0 {
		return nil, fmt.Errorf("%s says %q: not defined", file, text)
	}
	return cells, nil
}

// preEOL reads how many of the reserve blocks are used: 1 few, 2 80 %, 3 90 %.
func (m *Machine) preEOL(name, file string) ([]record.Cell, error) {
	text, err := m.tree.Text(file)
	if err != nil {
		return nil, err
	}
	level, err := strconv.ParseUint(text, 0, 8)
	if err != nil || level < 1 || level > 3 {
		return nil, fmt.Errorf("%s says %.40q: not defined", file, text)
	}
	return []record.Cell{record.IntCell(name+"pre_eol", "", int64(level))}, nil
}
