package land_test

import (
	"testing"

	"github.com/headwater-iot/headwater/gateway/internal/land"
	"github.com/headwater-iot/headwater/shared/record"
	"github.com/headwater-iot/headwater/shared/wire"
)

// TestInventedEpochsAreBounded lets a device name new epochs in every hello: those beyond what one device may have are
// not heard, and its own is heard all the same.
func TestInventedEpochsAreBounded(t *testing.T) {
	r := newRiver(t, land.Settings{})
	next := record.Epoch(100)
	for i := range 10 {
		h := current(wire.HelloEpoch{Epoch: 1, Next: uint64(i + 1)})
		for range 200 {
			next++
			h.Epochs = append(h.Epochs, wire.HelloEpoch{Epoch: next, Boot: 7, State: wire.EpochLost, Next: 1})
		}
		r.hello(h)
		r.land()
	}
	if n := len(r.lake.Tables().Cursors); n > 1100 || n < 900 {
		t.Errorf("2000 invented epochs have left %d cursors", n)
	}
	if c := r.cursor(1); c.Accepted != 10 {
		t.Errorf("the epoch that speaks is heard to %d, want 10", c.Accepted)
	}
}
