package volatile

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// Existing returns the nearest folder above dir, or dir itself, that exists.
func Existing(dir string) string {
	for {
		if _, err := os.Stat(dir); err == nil || dir == filepath.Dir(dir) {
			return dir
		}
		dir = filepath.Dir(dir)
	}
}

// Why returns in one phrase why a reboot takes what is in dir, "" where nothing says that it does.
func Why(dir string) string {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return ""
	}
	return why(Existing(dir))
}

// mount is a line of /proc/self/mountinfo.
type mount struct {
	id                  int
	point, kind, source string
	options             string // of the file system
}

// mounts reads a mount table (proc(5)). Lines that it does not understand are left out.
func mounts(table string) (all []mount) {
	for line := range strings.Lines(table) {
		place, device, ok := strings.Cut(strings.TrimSpace(line), " - ")
		p, d := strings.Fields(place), strings.Fields(device)
		if !ok || len(p) < 6 || len(d) < 3 {
			continue
		}
		id, err := strconv.Atoi(p[0])
		if err != nil {
			continue
		}
		all = append(all, mount{id: id, point: unescape(p[4]), kind: d[0], source: unescape(d[1]), options: d[2]})
	}
	return all
}

// unescape takes back what the kernel writes for blanks and backslashes: \ and three octal digits.
func unescape(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+3 < len(s) {
			if n, err := strconv.ParseUint(s[i+1:i+4], 8, 8); err == nil {
				b.WriteByte(byte(n))
				i += 3
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// option returns the value of an option, in which an overlay puts a backslash before a comma.
func (m mount) option(name string) string {
	for rest := unescape(m.options); rest != ""; {
		end := 0
		for end < len(rest) && rest[end] != ',' {
			if rest[end] == '\\' {
				end++
			}
			end++
		}
		end = min(end, len(rest))
		if value, ok := strings.CutPrefix(rest[:end], name+"="); ok {
			return strings.ReplaceAll(value, `\`, "")
		}
		rest = strings.TrimPrefix(rest[end:], ",")
	}
	return ""
}

// inMemory says why what is on m is in memory. upper asks the same of the upper directory of an overlay.
func (m mount) inMemory(upper func(dir string) string) string {
	device := filepath.Base(m.source)
	switch {
	case m.kind == "tmpfs", m.kind == "ramfs", m.kind == "devtmpfs", m.kind == "rootfs":
		return fmt.Sprintf("%s is a %s", m.point, m.kind)
	case strings.HasPrefix(m.source, "/dev/") && (numbered(device, "ram") || numbered(device, "zram")):
		return fmt.Sprintf("%s is on the RAM disk %s", m.point, m.source)
	case m.kind == "overlay":
		dir := m.option("upperdir")
		if why := upper(dir); dir != "" && why != "" {
			return fmt.Sprintf("%s is an overlay that writes to %s, and %s", m.point, dir, why)
		}
	}
	return ""
}

// numbered reports whether name is prefix and a number.
func numbered(name, prefix string) bool {
	digits, ok := strings.CutPrefix(name, prefix)
	_, err := strconv.ParseUint(digits, 10, 32)
	return ok && err == nil
}

// Warning is what an operator is told of a data directory, with what Why says of it.
func Warning(dir, why string) string {
	return fmt.Sprintf("WARNING: the data directory %s lies in memory: %s. A reboot or a power cut takes what is in it. "+
		"Choose a directory on flash or disk: data: in the configuration, or --data", dir, why)
}
