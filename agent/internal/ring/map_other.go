//go:build !linux

package ring

import "fmt"

// Open always fails with ErrNotTmpfs: only Linux has one.
func Open(path string, _ int) (*Ring, error) {
	return nil, fmt.Errorf("open ring %s: %w", path, ErrNotTmpfs)
}

// Remove does nothing: there is no file.
func (r *Ring) Remove() error { return nil }
