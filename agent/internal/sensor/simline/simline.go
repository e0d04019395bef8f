// Package simline is a simulated serial line for tests and demonstrations: a pty
// under a name of its own, which can be unplugged and plugged in again as a USB
// adapter is. That it carries bytes unchanged both ways is shown in package
// serialport (TestPort).
package simline

import (
	"errors"
	"fmt"
	"os"

	"github.com/creack/pty"
	"golang.org/x/sys/unix"

	"github.com/headwater-iot/headwater/agent/internal/sensor/serialport"
)

// Line is the far end of a serial line: what is written here is read under its name.
type Line struct {
	*os.File          // the far end
	At       string   // its name
	near     *os.File // keeps the line up while nobody else has it open
}

// Plug makes name a serial line, in place of an older one. Close unplugs it, and wakes a Read.
func Plug(name string) (*Line, error) {
	far, near, err := pty.Open()
	if err != nil {
		return nil, fmt.Errorf("open a pty: %w", err)
	}
	_ = os.Remove(name) // what cannot be removed fails the next line
	err = os.Symlink(near.Name(), name)
	l := &Line{At: name, near: near}
	if err == nil {
		l.File, err = pollable(far)
	}
	if err == nil {
		err = quiet(near.Name())
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("plug %s in: %w", name, err), near.Close())
	}
	return l, nil
}

// Close unplugs the line.
func (l *Line) Close() error { return errors.Join(l.File.Close(), l.near.Close()) }

// quiet makes the line raw before its first user comes, so that nothing is echoed meanwhile.
func quiet(path string) error {
	p, err := serialport.Open(path, serialport.Settings{}.Or(9600))
	if err != nil {
		return err
	}
	return p.Close()
}

// pollable returns the file such that Close wakes a Read. Package pty leaves it blocking.
func pollable(f *os.File) (*os.File, error) {
	fd, err := unix.FcntlInt(f.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	if err := errors.Join(unix.SetNonblock(fd, true), f.Close()); err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), f.Name()), nil
}
