//go:build chaos

package lake

import (
	"runtime"
	"testing"
	"time"

	"github.com/headwater-iot/headwater/gateway/internal/lake/schema"
	"github.com/headwater-iot/headwater/gateway/internal/table"
)

// TestThousandCommits commits a thousand times with maintenance every 60, as a gateway does in a quarter of an hour,
// with the clock an hour and more ahead each time. Metadata and the files of everything but data level off; the time
// of a commit is printed, not asserted.
func TestThousandCommits(t *testing.T) {
	l, clock := openTimed(t, t.TempDir())
	_, pin, err := l.LoadCursors(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	m := table.Marks{Log: logA, Next: []uint64{0, 0}}
	if err := l.TakeOver(t.Context(), pin, m); err != nil {
		t.Fatal(err)
	}
	type size struct{ metadata, files, cursors int }
	var sizes []size
	for range 10 {
		var took time.Duration
		for i := range 100 {
			started := time.Now()
			m = churn(t, l, m, 1)
			took += time.Since(started)
			if i%50 == 49 {
				clock.now = clock.now.Add(2 * graceTime)
				if err := l.Maintain(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
		}
		clock.now = clock.now.Add(2 * graceTime)
		if err := l.Maintain(t.Context()); err != nil {
			t.Fatal(err)
		}
		s := size{files: len(onDisk(t, l)), cursors: int(rowCount(t, l, table.Cursors))}
		for _, name := range schema.Primary() {
			tbl, err := l.load(t.Context(), name)
			if err != nil {
				t.Fatal(err)
			}
			text, err := tbl.Metadata().(interface{ MarshalJSON() ([]byte, error) }).MarshalJSON()
			if err != nil {
				t.Fatal(err)
			}
			s.metadata += len(text)
		}
		var mem runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&mem)
		t.Logf("%v: %v a commit, %d bytes of metadata, %d files, %d rows of cursors, %d bytes of heap",
			m.Next[1], took/100, s.metadata, s.files, s.cursors, mem.HeapAlloc)
		sizes = append(sizes, s)
	}
	// Two data files come with every commit and stay: one each of readings and quarantine. All else levels off.
	mid, last := sizes[4], sizes[9]
	if last.metadata > mid.metadata*11/10 || last.files-mid.files > 2*500+100 || last.cursors > mid.cursors+100 {
		t.Errorf("after 500 commits %+v, after 1000 %+v", mid, last)
	}
}
