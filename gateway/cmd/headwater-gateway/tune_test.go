package main

import (
	"runtime/debug"
	"testing"

	"github.com/headwater-iot/headwater/gateway/internal/settings"
)

// TestMemoryIsTheSetting: without a limit, garbage may take as much as all that is alive.
func TestMemoryIsTheSetting(t *testing.T) {
	before := debug.SetMemoryLimit(-1)
	defer debug.SetMemoryLimit(before)
	s := settings.Default()
	t.Setenv("GOMEMLIMIT", "1GiB")
	tune(s)
	if now := debug.SetMemoryLimit(-1); now != before {
		t.Errorf("with GOMEMLIMIT the limit went from %d to %d", before, now)
	}
	t.Setenv("GOMEMLIMIT", "")
	tune(s)
	if now := debug.SetMemoryLimit(-1); now != int64(s.Memory) {
		t.Errorf("the limit is %d, want %d", now, s.Memory)
	}
}
