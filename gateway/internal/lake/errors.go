package lake

import (
	"errors"

	"github.com/headwater-iot/headwater/gateway/internal/lake/rowfile"
)

var (
	// ErrForeign means that another log owns the lake: a second gateway is alive, or this one lost its state.
	// The caller stops; only a takeover changes the owner.
	ErrForeign = errors.New("another log owns the lake")
	// ErrStale means that the lake's marks are not those the commit expects: it has landed before, or the caller
	// missed a commit. The caller reads Marks and goes on from there.
	ErrStale = errors.New("marks of the lake are not the expected ones")
	// ErrConflict means that a table moved between load and transaction. Nothing has changed; load again.
	ErrConflict = errors.New("a table of the lake moved")
	// ErrUnknown means that the transaction may or may not have happened. The caller reads Marks before anything
	// else, and nobody deletes a file of the attempt.
	ErrUnknown = errors.New("outcome of the commit is unknown")
	// ErrFull means that the disk has no room beyond its reserve. Nothing has changed; the commit is worth another try
	// when there is room.
	ErrFull = errors.New("the lake's disk is full")
	// ErrTooManyDays means that a commit touches more than MaxDays day partitions of readings. The caller splits it.
	ErrTooManyDays = rowfile.ErrTooManyDays
	// ErrLocked means that another process holds the lake directory.
	ErrLocked = errors.New("the lake is locked")
	// ErrPartitions means that the lake was born with another number of log partitions.
	ErrPartitions = errors.New("the lake has another number of partitions")
	// ErrWhere means a filter that cannot be understood; the text says where it goes wrong.
	ErrWhere = errors.New("filter")
)

// MaxDays bounds the day partitions of readings in one commit: each is a file.
const MaxDays = rowfile.MaxDays
