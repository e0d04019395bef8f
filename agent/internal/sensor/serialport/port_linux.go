package serialport

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// Open opens and locks a line. The settings have passed Check and are complete (see Or).
func Open(path string, s Settings) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|unix.O_NOCTTY|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("open serial line: %w (is the adapter plugged in, and this user in the group dialout?)", err)
	}
	if err := setUp(f, s); err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("open serial line %s: %w", path, err)
	}
	return f, nil
}

func setUp(f *os.File, s Settings) error {
	conn, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var inner error
	err = conn.Control(func(fd uintptr) { inner = claim(int(fd), s) })
	return errors.Join(err, inner)
}

// claim locks the line, sets it up and discards what it had received before.
func claim(fd int, s Settings) error {
	if err := unix.Flock(fd, unix.LOCK_EX|unix.LOCK_NB); err != nil {
		if errors.Is(err, unix.EWOULDBLOCK) {
			return ErrBusy
		}
		return fmt.Errorf("lock: %w", err)
	}
	if err := unix.IoctlSetTermios(fd, unix.TCSETS2, raw(s)); err != nil {
		return fmt.Errorf("set %d baud, parity %s, %d stop bits: %w (is it a serial line?)", s.Baud, s.Parity, s.StopBits, err)
	}
	if err := unix.IoctlSetInt(fd, unix.TCFLSH, unix.TCIFLUSH); err != nil {
		return fmt.Errorf("discard old input: %w", err)
	}
	return nil
}

// raw says how the line is to be: eight bits, nothing interpreted, one byte ends a read.
func raw(s Settings) *unix.Termios {
	t := &unix.Termios{
		Cflag:  unix.CS8 | unix.CREAD | unix.CLOCAL | unix.BOTHER,
		Ispeed: uint32(s.Baud), Ospeed: uint32(s.Baud),
	}
	switch s.Parity {
	case "even":
		t.Cflag |= unix.PARENB
		t.Iflag |= unix.INPCK
	case "odd":
		t.Cflag |= unix.PARENB | unix.PARODD
		t.Iflag |= unix.INPCK
	}
	if s.StopBits == 2 {
		t.Cflag |= unix.CSTOPB
	}
	t.Cc[unix.VMIN] = 1
	return t
}
