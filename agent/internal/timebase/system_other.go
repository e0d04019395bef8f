//go:build !linux

package timebase

import (
	"crypto/rand"
	"encoding/binary"
	"time"

	"github.com/headwater-iot/headwater/shared/record"
)

// System returns the clock of this machine: a boot that began with the process,
// and a wall clock that is trusted only as far as the gateway confirms it.
func System() (*Clock, error) {
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails
	start := time.Now()
	return New(record.Boot(binary.BigEndian.Uint64(b[:])|1), Source{
		Monotonic: func() int64 { return time.Since(start).Microseconds() },
		Wall:      func() int64 { return time.Now().UnixMicro() },
		Sync:      func() (int64, bool) { return 0, false },
	}), nil
}
