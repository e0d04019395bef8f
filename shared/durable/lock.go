package durable

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// ErrLocked is returned by LockFile when another process, or this one, holds the lock.
var ErrLocked = errors.New("locked by another process")

// Lock is a held lock file.
type Lock struct{ file *os.File }

// LockFile takes the lock file at path, and writes this process's id into it for people to read.
// What counts is the kernel's lock: it ends with the process, however that ends, and a leftover file
// locks nothing.
func LockFile(path string) (*Lock, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, fmt.Errorf("open lock file: %w", err)
	}
	err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		err = fmt.Errorf("%w%s; stop it, or choose another directory", ErrLocked, holder(f))
	}
	if err == nil {
		err = writePid(f)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("lock %s: %w", path, err), f.Close())
	}
	return &Lock{f}, nil
}

// writePid replaces the content of f. It is not synced: after a power cut nobody holds the lock.
func writePid(f *os.File) error {
	if err := f.Truncate(0); err != nil {
		return err
	}
	_, err := f.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
	return err
}

// holder names the process that wrote its id into f, if it did already.
func holder(f *os.File) string {
	text, err := io.ReadAll(io.LimitReader(f, 32))
	pid, parse := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil || parse != nil {
		return ""
	}
	return " with id " + strconv.Itoa(pid)
}

// Close gives the lock back. The file stays: removing it could take the name from under another
// process that has opened it and is about to lock it.
func (l *Lock) Close() error { return l.file.Close() }
