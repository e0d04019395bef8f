package segment

import "errors"

var (
	// ErrNone means that a segment has no more batches.
	ErrNone = errors.New("no more batches")
	// ErrUnreadable means that a segment cannot be opened at all any more.
	ErrUnreadable = errors.New("segment cannot be opened")

	errFault = errors.New("panic while reading") // in bbolt, or a fault of its mapping
)
