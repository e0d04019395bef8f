//go:build !linux

package serialport

import (
	"errors"
	"os"
)

// Open says that serial lines are opened on Linux only.
func Open(string, Settings) (*os.File, error) { return nil, errors.ErrUnsupported }
