package volatile

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// The kernel's magic numbers (linux/magic.h); the field is wider or narrower by architecture.
const (
	tmpfsMagic = 0x01021994
	ramfsMagic = 0x858458f6
)

// openPath is O_PATH, which package syscall does not name: the directory need not be readable.
const openPath = 0x200000

// Tmpfs reports whether an existing directory is on tmpfs or ramfs itself.
func Tmpfs(dir string) bool {
	var s syscall.Statfs_t
	if syscall.Statfs(dir, &s) != nil {
		return false
	}
	return uint32(s.Type) == tmpfsMagic || uint32(s.Type) == ramfsMagic
}

// why answers for an existing directory.
func why(dir string) string {
	if m, ok := mountOf(dir); ok {
		upper := func(dir string) string {
			if !filepath.IsAbs(dir) || Existing(dir) != dir {
				return "" // not to be seen from here
			}
			return why(dir)
		}
		if because := m.inMemory(upper); because != "" {
			return because
		}
	}
	if Tmpfs(dir) { // without /proc
		return dir + " is on tmpfs"
	}
	return ""
}

// mountOf returns the mount that a directory is on. The kernel names it for an open file; its path would not, where one mount
// hides another.
func mountOf(dir string) (mount, bool) {
	fd, err := syscall.Open(dir, openPath|syscall.O_CLOEXEC, 0)
	if err != nil {
		return mount{}, false
	}
	defer func() { _ = syscall.Close(fd) }()
	info, err := os.ReadFile(fmt.Sprintf("/proc/self/fdinfo/%d", fd))
	if err != nil {
		return mount{}, false
	}
	table, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return mount{}, false
	}
	for line := range strings.Lines(string(info)) {
		text, ok := strings.CutPrefix(line, "mnt_id:")
		if !ok {
			continue
		}
		id, err := strconv.Atoi(strings.TrimSpace(text))
		if err != nil {
			return mount{}, false
		}
		for _, m := range mounts(string(table)) {
			if m.id == id {
				return m, true
			}
		}
	}
	return mount{}, false
}
