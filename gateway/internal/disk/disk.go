package disk

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// Space returns the free and all bytes of the file system of a directory. Free is what is left to a process that is not
// root.
func Space(dir string) (free, total uint64, err error) {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return 0, 0, fmt.Errorf("ask for the free space of %s: %w", dir, err)
	}
	return st.Bavail * uint64(st.Bsize), st.Blocks * uint64(st.Bsize), nil
}

// Reserve is what is left free of a file system, and what is missing to it.
type Reserve struct {
	Dir                        string
	Free, Total, Kept, Missing uint64 // bytes
}

// ReserveOf measures the reserve of percent of the file system of a directory. space is Space but in tests.
func ReserveOf(dir string, percent int, space func(string) (free, total uint64, err error)) (Reserve, error) {
	free, total, err := space(dir)
	if err != nil {
		return Reserve{}, err
	}
	kept := total / 100 * uint64(percent)
	return Reserve{Dir: dir, Free: free, Total: total, Kept: kept, Missing: kept - min(kept, free)}, nil
}

// String says what to do.
func (r Reserve) String() string {
	if r.Missing == 0 {
		return fmt.Sprintf("%s has %d bytes free (of %d), more than its reserve: look for a quota, for inodes that are used up, and for what fills it at times",
			r.Dir, r.Free, r.Total)
	}
	return fmt.Sprintf("%s has %d bytes free and keeps %d (of %d) in reserve: free %d bytes, or enlarge it", r.Dir, r.Free, r.Kept, r.Total, r.Missing)
}
