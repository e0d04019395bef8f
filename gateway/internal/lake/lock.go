package lake

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// lockFile holds the lock and the name of its holder. It stays when the lock is released: removing it would let two
// processes lock two files of one name.
const lockFile = "lock"

// dirLock keeps a second writer out of a lake directory. The kernel releases it with the process.
type dirLock struct{ file *os.File }

func lockDir(dir string) (*dirLock, error) {
	f, err := os.OpenFile(filepath.Join(dir, lockFile), os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		holder, _ := io.ReadAll(f)
		if errors.Is(err, unix.EWOULDBLOCK) {
			err = fmt.Errorf("%w by %s", ErrLocked, strings.TrimSpace(string(holder)))
		}
		return nil, errors.Join(err, f.Close())
	}
	host, _ := os.Hostname()
	text := fmt.Sprintf("process %d on %s\n", os.Getpid(), host)
	_, err = f.WriteAt([]byte(text), 0)
	if err := errors.Join(err, f.Truncate(int64(len(text)))); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return &dirLock{file: f}, nil
}

func (d *dirLock) release() error {
	if d == nil || d.file == nil {
		return nil
	}
	err := d.file.Close()
	d.file = nil
	return err
}
