package land_test

import (
	"testing"

	"github.com/headwater-iot/headwater/gateway/internal/land"
	"github.com/headwater-iot/headwater/gateway/internal/land/landtest"
	"github.com/headwater-iot/headwater/shared/record"
	"github.com/headwater-iot/headwater/shared/wire"
)

// scattered logs batches of an import, each with one row on each of the given days.
func (r *river) scattered(client string, batches, days int) {
	r.t.Helper()
	for i := range batches {
		h := header(9, uint64(i*days), boot0/1000)
		h.Absolute = true
		r.log.Append(land.KindBatch, client, now, landtest.Readings(r.t, wire.Anchor{}, h, 1, days, -86_400_000))
	}
}

// TestScatteredImportTakesOneGroup lands an import whose every batch has a year of days: together, or the lake would get
// a file for each day and batch. The same from a device (the control) is cut, and so is an import of more days yet.
func TestScatteredImportTakesOneGroup(t *testing.T) {
	for name, c := range map[string]struct {
		client       string
		days, groups int
	}{
		"a year of an import":    {record.ImportClient("probe-1", 9), 366, 1},
		"a year of a device":     {"probe-1", 366, 5 * 6},
		"two years of an import": {record.ImportClient("probe-1", 9), 732, 5 * 2},
		"ten weeks in order":     {record.ImportClient("probe-1", 9), 14, 2},
	} {
		r := newRiver(t, land.Settings{})
		batches := 5
		if c.days < land.MaxDays { // five stretches, one behind the other
			for i := range batches {
				h := header(9, uint64(i*c.days), (boot0-int64(100-i*c.days)*day)/1000)
				h.Absolute = true
				r.log.Append(land.KindBatch, c.client, now, landtest.Readings(t, wire.Anchor{}, h, 1, c.days, 86_400_000))
			}
		} else {
			r.scattered(c.client, batches, c.days)
		}
		if n := r.land(); n != c.groups {
			t.Errorf("%s: %d groups, want %d", name, n, c.groups)
		}
		if got := r.cursor(9); got.Landed != uint64(batches*c.days) || got.Closed.Mark() != got.Landed {
			t.Errorf("%s: %d readings landed, want %d", name, got.Landed, batches*c.days)
		}
	}
}

// TestLiveDataFitsBesideAScatteredImport: the days of one leave room for those of the other.
func TestLiveDataFitsBesideAScatteredImport(t *testing.T) {
	r := newRiver(t, land.Settings{})
	r.scattered(record.ImportClient("probe-1", 9), 2, 366)
	r.batch(landtest.Readings(t, synced(), header(1, 0, at(-10)), 1, 4, 1000))
	r.scattered(record.ImportClient("probe-1", 9), 3, 366)
	if n := r.land(); n != 1 {
		t.Errorf("%d groups, want 1", n)
	}
	if got := r.cursor(1); got.Landed != 4 {
		t.Errorf("%d live readings landed, want 4", got.Landed)
	}
}
