package rowfile

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/headwater-iot/headwater/gateway/internal/table"
	"github.com/headwater-iot/headwater/shared/record"
)

// ErrTooManyDays means that runs touch more than MaxDays day partitions.
var ErrTooManyDays = errors.New("too many day partitions in one commit")

// MaxDays bounds the day partitions of one commit: each becomes a file, and a thousand small files help nobody. It has
// room for a year in any order; landing keeps far below it but for an import of one.
const MaxDays = 512

// RowGroupRows bounds a row group, and so the memory of a writer.
const RowGroupRows = 1 << 20

const usPerDay = 24 * 60 * 60 * 1_000_000

// dayOf returns the UTC day of a time in microseconds, days since 1970.
func dayOf(us int64) int32 {
	d := us / usPerDay
	if us%usPerDay < 0 {
		d--
	}
	return int32(d)
}

// piece is a stretch of a run within one day.
type piece struct {
	run      *table.Run
	from, to int
	device   int32 // ranks among the names of the commit: comparing them is comparing names
	series   int32
	number   int32 // of the piece within its day: what is equal else stays in the order of the commit
}

func (p piece) first() int64 { return p.run.EventTime[p.from] }
func (p piece) last() int64  { return p.run.EventTime[p.to-1] }
func (p piece) rows() int    { return p.to - p.from }

// cut sorts runs into days and orders each day by (device, series, first time).
func cut(runs []table.Run) (map[int32][]piece, error) {
	devices, series := ranks(runs)
	days := make(map[int32][]piece)
	for i := range runs {
		run := &runs[i]
		if len(run.EventTime) == 0 {
			continue
		}
		if !slices.IsSorted(run.EventTime) {
			sorted := sortRun(run)
			run = &sorted
		}
		for from := 0; from < len(run.EventTime); {
			d := dayOf(run.EventTime[from])
			to := len(run.EventTime)
			if dayOf(run.EventTime[to-1]) != d {
				to, _ = slices.BinarySearch(run.EventTime, (int64(d)+1)*usPerDay)
			}
			days[d] = append(days[d], piece{run, from, to, devices[run.Device], series[run.Series], int32(len(days[d]))})
			from = to
		}
		if len(days) > MaxDays {
			return nil, fmt.Errorf("%w: more than %d", ErrTooManyDays, MaxDays)
		}
	}
	for _, pieces := range days {
		slices.SortFunc(pieces, inFile)
	}
	return days, nil
}

// inFile compares the places of two pieces of a day. It goes to the runs, which are far apart in memory, only where
// the names are equal; small batches make it a tenth of a commit otherwise.
func inFile(a, b piece) int {
	if c := cmp.Compare(a.device, b.device); c != 0 {
		return c
	}
	if c := cmp.Compare(a.series, b.series); c != 0 {
		return c
	}
	return cmp.Or(cmp.Compare(a.first(), b.first()), cmp.Compare(a.number, b.number))
}

// inOrder reports whether the rows of pieces ascend by (device, series, event_time): runs of one series that overlap
// in time are concatenated, not merged, and the file must not claim an order then.
func inOrder(pieces []piece) bool {
	for i := 1; i < len(pieces); i++ {
		a, b := pieces[i-1], pieces[i]
		if a.device == b.device && a.series == b.series && a.last() > b.first() {
			return false
		}
	}
	return true
}

// ranks numbers the devices and series of runs in the order of their names.
func ranks(runs []table.Run) (devices, series map[string]int32) {
	devices, series = make(map[string]int32), make(map[string]int32)
	for i := range runs {
		devices[runs[i].Device] = 0
		series[runs[i].Series] = 0
	}
	for _, m := range []map[string]int32{devices, series} {
		for rank, name := range slices.Sorted(maps.Keys(m)) {
			m[name] = int32(rank)
		}
	}
	return devices, series
}

// sortRun returns a copy of run in the order of (event time, seq).
func sortRun(run *table.Run) table.Run {
	order := make([]int, len(run.EventTime))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int {
		return cmp.Or(cmp.Compare(run.EventTime[a], run.EventTime[b]), cmp.Compare(run.Seq[a], run.Seq[b]))
	})
	out := *run
	out.EventTime = permute(run.EventTime, order)
	out.Seq = permute(run.Seq, order)
	out.Null = permute(run.Null, order)
	out.Quality = permute[record.Quality](run.Quality, order)
	out.Floats = permute(run.Floats, order)
	out.Ints = permute(run.Ints, order)
	out.Uints = permute(run.Uints, order)
	out.Texts = permute(run.Texts, order)
	out.Bools = permute(run.Bools, order)
	out.Blobs = permute(run.Blobs, order)
	return out
}

// permute returns the elements of s in the given order; a slice that the run does not use stays unused.
func permute[T any](s []T, order []int) []T {
	if len(s) == 0 {
		return s
	}
	out := make([]T, len(order))
	for i, from := range order {
		out[i] = s[from]
	}
	return out
}
