package machine

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/headwater-iot/headwater/agent/internal/sensor"
	"github.com/headwater-iot/headwater/agent/internal/sensor/sysfs"
	"github.com/headwater-iot/headwater/shared/record"
)

// Settings say what of the machine to read. The zero value reads all there is.
type Settings struct {
	// Root is where proc and sys are found; / by default.
	Root string `yaml:"root,omitempty"`
	// Disk is a path on the file system to watch; the root by default.
	Disk string `yaml:"disk,omitempty"`
	// Interfaces are counted one by one; none = all but lo, together.
	Interfaces []string `yaml:"interfaces,omitempty"`
}

// Check reports every problem of the settings.
func (s Settings) Check(report sensor.Report) {
	sysfs.CheckRoot(s.Root, report)
	if s.Disk != "" && !filepath.IsAbs(s.Disk) {
		report("disk", "must be an absolute path, not %q", s.Disk)
	}
	if slices.Contains(s.Interfaces, "") {
		report("interfaces", "has an empty name")
	}
}

// ErrNothing reports a machine on which nothing can be read.
var ErrNothing = errors.New("found none of the kernel's files")

// Machine reads the machine. It implements sensor.Driver.
type Machine struct {
	tree     sysfs.Tree
	disk     string
	nets     []string
	statfs   func(path string) (space, error)
	parts    []func() ([]record.Cell, error)
	announce []record.Cell
}

// space is the room on a file system.
type space struct{ total, free, inodes, inodesFree uint64 }

// New looks at what the machine has.
func New(s Settings) (*Machine, error) { return find(s, statfs) }

func find(s Settings, statfs func(string) (space, error)) (*Machine, error) {
	m := &Machine{tree: sysfs.Tree(s.Root), disk: s.Disk, nets: s.Interfaces, statfs: statfs}
	if m.disk == "" {
		m.disk = "/"
	}
	parts := []func() ([]record.Cell, error){m.load, m.memory, m.uptime, m.network, m.space}
	for _, t := range m.temperatures() {
		parts = append(parts, t.read)
	}
	parts = append(append(parts, m.throttling()...), m.wear()...)
	var errs []error
	for _, part := range parts {
		cells, err := sysfs.Soon(part)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		m.parts = append(m.parts, part)
		for _, c := range cells {
			m.announce = append(m.announce, record.FailedCell(c.Series, c.Unit, c.Kind))
		}
	}
	if len(m.parts) == 0 {
		return nil, fmt.Errorf("look at the machine below %s: %w: %w", m.tree.Path("/"), ErrNothing, errors.Join(errs...))
	}
	return m, nil
}

// Announce returns the series that were there when the agent started.
func (m *Machine) Announce() []record.Cell { return m.announce }

// Read reads all that is still there. The error says what is not.
func (m *Machine) Read(ctx context.Context) ([]record.Cell, error) {
	out := make([]record.Cell, 0, len(m.announce))
	var errs []error
	for _, part := range m.parts {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		cells, err := part()
		if err != nil {
			errs = append(errs, err)
			continue // what stands beside an error is none of the kernel's
		}
		out = append(out, cells...)
	}
	if len(errs) > 0 {
		return out, fmt.Errorf("read the machine: %w", errors.Join(errs...))
	}
	return out, nil
}

func (m *Machine) load() ([]record.Cell, error) {
	text, err := m.tree.Text("proc/loadavg")
	if err != nil {
		return nil, err
	}
	fields := strings.Fields(text)
	if len(fields) < 3 {
		return nil, fmt.Errorf("proc/loadavg says %q", text)
	}
	var out []record.Cell
	for i, series := range []string{"load1", "load5", "load15"} {
		v, err := strconv.ParseFloat(fields[i], 64)
		if err != nil {
			return nil, fmt.Errorf("proc/loadavg: %w", err)
		}
		out = append(out, record.FloatCell(series, "", v))
	}
	return out, nil
}

func (m *Machine) uptime() ([]record.Cell, error) {
	text, err := m.tree.Text("proc/uptime")
	if err != nil {
		return nil, err
	}
	first, _, _ := strings.Cut(text, " ")
	v, err := strconv.ParseFloat(first, 64)
	if err != nil {
		return nil, fmt.Errorf("proc/uptime: %w", err)
	}
	return []record.Cell{record.FloatCell("uptime", "s", v)}, nil
}

func (m *Machine) memory() ([]record.Cell, error) {
	text, err := m.tree.Text("proc/meminfo")
	if err != nil {
		return nil, err
	}
	kib := map[string]int64{}
	for line := range strings.Lines(text) {
		name, rest, _ := strings.Cut(line, ":")
		number, _, _ := strings.Cut(strings.TrimSpace(rest), " ")
		if v, err := strconv.ParseInt(number, 10, 64); err == nil {
			kib[name] = v
		}
	}
	total, ok := kib["MemTotal"]
	available, known := kib["MemAvailable"]
	if !ok || !known { // both since Linux 3.14
		return nil, errors.New("proc/meminfo has no MemTotal or no MemAvailable")
	}
	out := []record.Cell{record.IntCell("memory_total", "B", total*1024), record.IntCell("memory_available", "B", available*1024)}
	if kib["SwapTotal"] > 0 {
		out = append(out, record.IntCell("swap_free", "B", kib["SwapFree"]*1024))
	}
	return out, nil
}

// traffic is what an interface has carried since boot.
type traffic struct{ rx, tx int64 }

// network sums all interfaces but lo, or gives those that were asked for one by one.
func (m *Machine) network() ([]record.Cell, error) {
	text, err := m.tree.Text("proc/net/dev")
	if err != nil {
		return nil, err
	}
	var sum traffic
	seen := map[string]traffic{}
	for line := range strings.Lines(text) {
		name, rest, ok := strings.Cut(strings.TrimSpace(line), ":")
		fields := strings.Fields(rest)
		if !ok || len(fields) < 9 {
			continue // the two lines of the heading
		}
		rx, err1 := strconv.ParseInt(fields[0], 10, 64)
		tx, err2 := strconv.ParseInt(fields[8], 10, 64)
		if err := errors.Join(err1, err2); err != nil {
			return nil, fmt.Errorf("proc/net/dev: %s: %w", name, err)
		}
		seen[name] = traffic{rx, tx}
		if name != "lo" {
			sum.rx, sum.tx = sum.rx+rx, sum.tx+tx
		}
	}
	if len(m.nets) == 0 {
		return sum.cells("net_"), nil
	}
	var out []record.Cell
	for _, name := range m.nets {
		if t, ok := seen[name]; ok {
			out = append(out, t.cells("net_"+sysfs.Plain(name)+"_")...)
			continue
		}
		// It was asked for, so it is due even while it is not there.
		for _, c := range (traffic{}).cells("net_" + sysfs.Plain(name) + "_") {
			out = append(out, record.FailedCell(c.Series, c.Unit, c.Kind))
		}
	}
	return out, nil
}

func (t traffic) cells(prefix string) []record.Cell {
	return []record.Cell{record.IntCell(prefix+"rx_bytes", "B", t.rx), record.IntCell(prefix+"tx_bytes", "B", t.tx)}
}

func (m *Machine) space() ([]record.Cell, error) {
	s, err := m.statfs(m.tree.Path(m.disk))
	if err != nil {
		return nil, fmt.Errorf("room on %s: %w", m.disk, err)
	}
	out := []record.Cell{record.IntCell("disk_total", "B", int64(s.total)), record.IntCell("disk_free", "B", int64(s.free))}
	if s.inodes > 0 { // some file systems count none
		out = append(out, record.IntCell("disk_inodes_free", "", int64(s.inodesFree)))
	}
	return out, nil
}
