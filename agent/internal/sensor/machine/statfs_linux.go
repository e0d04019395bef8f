package machine

import "golang.org/x/sys/unix"

func statfs(path string) (space, error) {
	var s unix.Statfs_t
	if err := unix.Statfs(path, &s); err != nil {
		return space{}, err
	}
	block := uint64(s.Bsize)
	return space{total: s.Blocks * block, free: s.Bavail * block, inodes: s.Files, inodesFree: s.Ffree}, nil
}
