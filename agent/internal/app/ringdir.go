package app

import (
	"fmt"
	"hash/fnv"
	"os"
	"path/filepath"

	"github.com/headwater-iot/headwater/shared/volatile"
)

// ringDir returns a directory on tmpfs for the ring of one agent, "" where the machine has none. Its name keeps two agents of one machine apart, and brings an agent that
// starts again to its own ring.
func ringDir(runDir, device, data string) string {
	if abs, err := filepath.Abs(data); err == nil {
		data = abs
	}
	h := fnv.New64a()
	_, _ = h.Write([]byte(data))
	name := fmt.Sprintf("%s-%016x", device, h.Sum64())
	for _, base := range []string{runDir, fmt.Sprintf("/dev/shm/headwater-%d", os.Getuid())} {
		dir := filepath.Join(base, name)
		if volatile.Tmpfs(volatile.Existing(dir)) && os.MkdirAll(dir, 0o700) == nil && ours(base) && ours(dir) && writable(dir) {
			return dir
		}
	}
	return ""
}

// writable reports whether a file can be made in dir.
func writable(dir string) bool {
	f, err := os.CreateTemp(dir, "try-*")
	if err != nil {
		return false
	}
	return f.Close() == nil && os.Remove(f.Name()) == nil
}
