package segment

import (
	"errors"
	"fmt"
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

// orScarce marks an error that says nothing of the file: its owner tries again, and calls nothing damaged.
func orScarce(err error) error {
	for _, scarce := range []error{syscall.EMFILE, syscall.ENFILE, syscall.ENOMEM} {
		if errors.Is(err, scarce) {
			return fmt.Errorf("%w: %w", ErrScarce, err)
		}
	}
	return err
}
