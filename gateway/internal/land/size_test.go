package land

import (
	"testing"
	"unsafe"

	"github.com/headwater-iot/headwater/gateway/internal/table"
)

// TestRunsAreCountedAsLargeAsTheyAre: a fleet of small batches is mostly runs, and commit.bytes bounds their memory.
func TestRunsAreCountedAsLargeAsTheyAre(t *testing.T) {
	if size := int(unsafe.Sizeof(table.Run{})); runBytes < 2*size || runBytes > 3*size {
		t.Errorf("a run has %d bytes, so runBytes is to be a little over twice that, not %d", size, runBytes)
	}
}
