package segment

import (
	"errors"
	"fmt"
	"strings"
	"syscall"
)

var (
	// ErrNone means that a segment has no more batches.
	ErrNone = errors.New("no more batches")
	// ErrUnreadable means that a segment cannot be opened at all any more.
	ErrUnreadable = errors.New("segment cannot be opened")
	// ErrScarce means that a segment cannot be opened now, for want of file descriptors or memory. It says
	// nothing of what is in it.
	ErrScarce = errors.New("segment cannot be opened now")

	errFault = errors.New("panic while reading") // in bbolt, or a fault of its mapping
)

// orErrno gives an error the errno of a card that takes nothing if its text alone has it: bbolt writes that of growing a
// file into a text. Whoever branches on it asks errors.Is.
func orErrno(err error) error {
	for _, errno := range []syscall.Errno{syscall.ENOSPC, syscall.EDQUOT, syscall.EROFS, syscall.EIO} {
		if err != nil && !errors.Is(err, errno) && strings.HasSuffix(err.Error(), errno.Error()) {
			return fmt.Errorf("%w: %w", errno, err)
		}
	}
	return err
}

// orScarce marks an error that says nothing of the file: its owner tries again, and calls nothing damaged.
func orScarce(err error) error {
	for _, scarce := range []error{syscall.EMFILE, syscall.ENFILE, syscall.ENOMEM} {
		if errors.Is(err, scarce) {
			return fmt.Errorf("%w: %w", ErrScarce, err)
		}
	}
	return err
}
