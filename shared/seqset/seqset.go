package seqset

import (
	"cmp"
	"fmt"
	"slices"
	"sort"
)

// Range is [From, To).
type Range struct{ From, To uint64 }

// Len returns the number of seqs in r.
func (r Range) Len() uint64 { return r.To - r.From }

// Set is a set of seqs. The zero value is the empty set. Not safe for concurrent use.
type Set struct{ r []Range }

// Of returns the set of the given ranges, which may overlap and be in any order.
func Of(ranges ...Range) Set {
	var s Set
	for _, r := range ranges {
		s.Add(r.From, r.To)
	}
	return s
}

// Ranges returns the ranges, ascending. The caller must not change them.
func (s *Set) Ranges() []Range { return s.r }

// Empty reports whether the set has no seq.
func (s *Set) Empty() bool { return len(s.r) == 0 }

// Count returns the number of seqs.
func (s *Set) Count() uint64 {
	var n uint64
	for _, r := range s.r {
		n += r.Len()
	}
	return n
}

// Max returns the end of the last range, 0 for the empty set.
func (s *Set) Max() uint64 {
	if len(s.r) == 0 {
		return 0
	}
	return s.r[len(s.r)-1].To
}

// Mark returns the contiguous mark from 0: every seq below it is in the set.
func (s *Set) Mark() uint64 {
	if len(s.r) == 0 || s.r[0].From != 0 {
		return 0
	}
	return s.r[0].To
}

// at returns the index of the first range whose To is beyond from, that is the
// first that could hold or follow it.
func (s *Set) at(from uint64) int {
	return sort.Search(len(s.r), func(i int) bool { return s.r[i].To > from })
}

// Has reports whether seq is in the set.
func (s *Set) Has(seq uint64) bool {
	i := s.at(seq)
	return i < len(s.r) && s.r[i].From <= seq
}

// HasAll reports whether all of [from, to) is in the set. An empty range is.
func (s *Set) HasAll(from, to uint64) bool {
	if from >= to {
		return true
	}
	i := s.at(from)
	return i < len(s.r) && s.r[i].From <= from && to <= s.r[i].To
}

// Add puts [from, to) into the set. An empty range changes nothing.
func (s *Set) Add(from, to uint64) {
	if from >= to {
		return
	}
	// i is the first range that touches or follows from; j is behind the last that touches to.
	i := sort.Search(len(s.r), func(i int) bool { return s.r[i].To >= from })
	j := i
	for j < len(s.r) && s.r[j].From <= to {
		from, to = min(from, s.r[j].From), max(to, s.r[j].To)
		j++
	}
	s.r = slices.Replace(s.r, i, j, Range{from, to})
}

// AddSet puts all of o into the set. Many ranges are merged in one walk: putting each into its place would move those
// behind it every time.
func (s *Set) AddSet(o *Set) {
	if len(o.r) < fewRanges || len(s.r) < fewRanges {
		for _, r := range o.r {
			s.Add(r.From, r.To)
		}
		return
	}
	all := Set{r: make([]Range, 0, len(s.r)+len(o.r))}
	for a, b := s.r, o.r; len(a)+len(b) > 0; {
		if len(b) == 0 || len(a) > 0 && a[0].From <= b[0].From {
			all.Add(a[0].From, a[0].To)
			a = a[1:]
		} else {
			all.Add(b[0].From, b[0].To)
			b = b[1:]
		}
	}
	*s = all
}

// fewRanges are put into their place one by one.
const fewRanges = 32

// Remove takes [from, to) out of the set.
func (s *Set) Remove(from, to uint64) {
	if from >= to {
		return
	}
	i := s.at(from)
	j := i
	var keep []Range
	for j < len(s.r) && s.r[j].From < to {
		if s.r[j].From < from {
			keep = append(keep, Range{s.r[j].From, from})
		}
		if s.r[j].To > to {
			keep = append(keep, Range{to, s.r[j].To})
		}
		j++
	}
	s.r = slices.Replace(s.r, i, j, keep...)
}

// Missing returns the parts of [from, to) that are not in the set, ascending.
func (s *Set) Missing(from, to uint64) []Range {
	var out []Range
	for i := s.at(from); from < to; i++ {
		if i == len(s.r) || s.r[i].From >= to {
			return append(out, Range{from, to})
		}
		if s.r[i].From > from {
			out = append(out, Range{from, s.r[i].From})
		}
		from = s.r[i].To
	}
	return out
}

// Within returns the parts of [from, to) that are in the set, ascending.
func (s *Set) Within(from, to uint64) []Range {
	var out []Range
	for i := s.at(from); i < len(s.r) && s.r[i].From < to; i++ {
		if r := (Range{max(from, s.r[i].From), min(to, s.r[i].To)}); r.From < r.To {
			out = append(out, r)
		}
	}
	return out
}

// Clone returns a copy that shares nothing.
func (s *Set) Clone() Set { return Set{r: slices.Clone(s.r)} }

// Equal reports whether both sets hold the same seqs.
func (s *Set) Equal(o *Set) bool { return slices.Equal(s.r, o.r) }

// Flat returns the set as [from, to, from, to, ...], the form messages and tables carry.
func (s *Set) Flat() []uint64 {
	out := make([]uint64, 0, 2*len(s.r))
	for _, r := range s.r {
		out = append(out, r.From, r.To)
	}
	return out
}

// FromFlat is the inverse of Flat. It refuses what Flat would not have written.
func FromFlat(flat []uint64) (Set, error) {
	if len(flat)%2 != 0 {
		return Set{}, fmt.Errorf("read seq set: %d numbers, want pairs", len(flat))
	}
	s := Set{r: make([]Range, 0, len(flat)/2)}
	for i := 0; i < len(flat); i += 2 {
		r := Range{flat[i], flat[i+1]}
		if r.From >= r.To || len(s.r) > 0 && s.r[len(s.r)-1].To >= r.From {
			return Set{}, fmt.Errorf("read seq set: range [%d, %d) is empty or out of order", r.From, r.To)
		}
		s.r = append(s.r, r)
	}
	if len(s.r) == 0 {
		s.r = nil
	}
	return s, nil
}

// Coarsen joins the closest ranges until at most n (>= 1) remain. The result holds
// every seq of s and perhaps more.
func (s *Set) Coarsen(n int) Set {
	excess := len(s.r) - max(n, 1)
	if excess <= 0 {
		return s.Clone()
	}
	// Joining two neighbours leaves the other distances as they are, so the smallest ones can be picked at once.
	type gap struct {
		at   int // index of the range behind it
		size uint64
	}
	gaps := make([]gap, 0, len(s.r)-1)
	for i := 1; i < len(s.r); i++ {
		gaps = append(gaps, gap{i, s.r[i].From - s.r[i-1].To})
	}
	slices.SortStableFunc(gaps, func(a, b gap) int { return cmp.Compare(a.size, b.size) })
	joined := make([]bool, len(s.r))
	for _, g := range gaps[:excess] {
		joined[g.at] = true
	}
	out := Set{r: make([]Range, 0, max(n, 1))}
	for i, r := range s.r {
		if joined[i] {
			out.r[len(out.r)-1].To = r.To
			continue
		}
		out.r = append(out.r, r)
	}
	return out
}
