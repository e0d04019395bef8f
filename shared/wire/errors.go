package wire

import "errors"

// Classes of refusal. A gateway turns them into nack reasons.
var (
	// ErrCRC means that the bytes are not those that were written: damage, which sending again may cure.
	ErrCRC = errors.New("CRC mismatch")
	// ErrVersion means a version, kind, codec or dictionary this binary does not know.
	ErrVersion = errors.New("unknown version")
	// ErrTooLarge means a size or number beyond a limit of FORMAT.md or BODY.md.
	ErrTooLarge = errors.New("too large")
	// ErrFormat means bytes that no encoder writes, with a CRC that fits.
	ErrFormat = errors.New("malformed")
)
