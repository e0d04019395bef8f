//go:build !linux

package segment

import (
	"errors"
	"fmt"
	"math"
	"os"
)

// ErrLocked means that another process works in the directory.
var ErrLocked = errors.New("in use by another process")

// Lock makes dir. Outside Linux nothing keeps two agents apart.
func Lock(dir string) (unlock func() error, err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make data directory: %w", err)
	}
	return func() error { return nil }, nil
}

// Space knows no bound outside Linux.
func Space(string) (bytes int64, inodes uint64, err error) { return math.MaxInt64, math.MaxUint64, nil }
