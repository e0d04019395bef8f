package segment

import "errors"

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
