package lake

import (
	"sync/atomic"
	"testing"

	"golang.org/x/sync/errgroup"

	"github.com/headwater-iot/headwater/gateway/internal/table"
)

// TestConcurrent commits, maintains and reads at the same time. Every look at the lake is at one moment: the cursor
// says how many readings landed, and so many are there.
func TestConcurrent(t *testing.T) {
	l := openLake(t, t.TempDir(), nil)
	l.keep = 2
	m := takeOver(t, l, logA)
	r := openReader(t, l.cfg.Dir)
	var done atomic.Bool
	var group errgroup.Group
	group.Go(func() error {
		defer done.Store(true)
		for range 40 {
			c := fullCommit(m)
			c.Regap = []table.Key{{Device: "dev-1", Epoch: 7}}
			if err := l.Commit(t.Context(), c); err != nil {
				return err
			}
			m = c.Marks
		}
		return nil
	})
	group.Go(func() error {
		for !done.Load() {
			if err := l.Maintain(t.Context()); err != nil {
				return err
			}
		}
		return nil
	})
	looks := 0
	group.Go(func() error {
		for !done.Load() {
			devices, err := r.Ledger(t.Context(), LedgerRequest{Device: "dev-1", Unique: true})
			if err != nil {
				return err
			}
			for _, d := range devices {
				looks++
				if len(d.Cursors) != 1 || d.Cursors[0].Landed != d.Counts.Readings || d.Counts.Duplicates != 0 || d.Counts.Presumed != 5 {
					t.Errorf("%+v", d)
				}
			}
		}
		return nil
	})
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
	if looks == 0 {
		t.Error("nobody looked")
	}
}
