//go:build !linux

package machine

import "errors"

func statfs(string) (space, error) { return space{}, errors.ErrUnsupported }
