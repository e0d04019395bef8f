package wire

import "errors"

// Classes of refusal. A gateway turns them into nack reasons.
var (
	// ErrCRC means that the bytes are not those that were written.
	ErrCRC = errors.New("CRC mismatch")
	// ErrVersion means a version, kind, codec or dictionary this binary does not know.
	ErrVersion = errors.New("unknown version")
	// ErrTooLarge means a size beyond MaxSealed or MaxBody.
	ErrTooLarge = errors.New("too large")
	// ErrFormat means bytes that no encoder writes, with a CRC that fits.
	ErrFormat = errors.New("malformed")
)
