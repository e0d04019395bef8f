package ring

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// Open maps the ring at path, which is made when it is not there. The error wraps ErrNotTmpfs when path
// is not on a tmpfs: writing there would wear flash out at every row.
func Open(path string, bytes int) (*Ring, error) {
	r, err := open(path, max(bytes, MinBytes)&^7)
	if err != nil {
		return nil, fmt.Errorf("open ring %s: %w", path, err)
	}
	return r, nil
}

func open(path string, bytes int) (*Ring, error) {
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNotTmpfs, err)
	}
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return nil, err
	}
	if uint32(st.Type) != unix.TMPFS_MAGIC {
		return nil, ErrNotTmpfs
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	r, err := mapFile(f, bytes)
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	r.path = path
	return r, nil
}

func mapFile(f *os.File, bytes int) (*Ring, error) {
	// Two processes with one ring would write over each other.
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		return nil, fmt.Errorf("lock: %w", err)
	}
	size, err := fileSize(f, headerBytes+bytes)
	if err != nil {
		return nil, err
	}
	// Reserved, not sparse: a tmpfs that runs full would end us by SIGBUS.
	if err := unix.Fallocate(int(f.Fd()), 0, 0, int64(size)); err != nil {
		return nil, fmt.Errorf("reserve %d bytes: %w", size, err)
	}
	mem, err := unix.Mmap(int(f.Fd()), 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return nil, fmt.Errorf("map %d bytes: %w", size, err)
	}
	r := newRing(mem)
	r.unmap = func() error { return errors.Join(unix.Munmap(mem), f.Close()) }
	return r, nil
}

// fileSize returns the size that the ring in f was made with, or want when there is none. A new size
// in the configuration holds once the old ring has been emptied.
func fileSize(f *os.File, want int) (int, error) {
	var b [headerBytes]byte
	if n, err := f.ReadAt(b[:2*slotBytes], 0); n < 2*slotBytes {
		if err != nil && n == 0 {
			return want, nil // empty: a new one
		}
	}
	s, ok := newest(b[:])
	if ok && s.capacity >= MinBytes && s.capacity <= 1<<30 && s.capacity%8 == 0 {
		return headerBytes + int(s.capacity), nil
	}
	st, err := f.Stat()
	if err != nil {
		return 0, err
	}
	// Both slots are damaged: the size is all that says what the capacity was.
	if n := st.Size() - headerBytes; n >= MinBytes && n <= 1<<30 && n%8 == 0 {
		return int(st.Size()), nil
	}
	return want, nil
}

// Remove removes the file of an emptied ring.
func (r *Ring) Remove() error {
	if r.path == "" {
		return nil
	}
	if err := os.Remove(r.path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove ring: %w", err)
	}
	return nil
}
