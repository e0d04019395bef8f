package seqset

import (
	"math"
	"testing"

	"pgregory.net/rapid"
)

// span keeps the model small; the set itself is tried at the ends of uint64 below.
const span = 60

// model is a set of seqs without any cleverness.
type model [span]bool

func (m *model) runs(from, to uint64, want bool) []Range {
	var out []Range
	for i := from; i < to; i++ {
		if m[i] != want {
			continue
		}
		if n := len(out); n > 0 && out[n-1].To == i {
			out[n-1].To++
			continue
		}
		out = append(out, Range{i, i + 1})
	}
	return out
}

func same(a, b []Range) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

func TestSetBehavesLikeAMapOfNumbers(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var s Set
		var m model
		draw := func() (from, to uint64) {
			return rapid.Uint64Range(0, span-1).Draw(t, "from"), rapid.Uint64Range(0, span).Draw(t, "to")
		}
		for range rapid.IntRange(1, 40).Draw(t, "steps") {
			from, to := draw()
			switch rapid.IntRange(0, 2).Draw(t, "what") {
			case 0, 1:
				s.Add(from, to)
				for i := from; i < to; i++ {
					m[i] = true
				}
			default:
				s.Remove(from, to)
				for i := from; i < to; i++ {
					m[i] = false
				}
			}
			compare(t, &s, &m)
			from, to = draw()
			compareRange(t, &s, &m, from, to)
		}
	})
}

func compare(t *rapid.T, s *Set, m *model) {
	want := m.runs(0, span, true)
	if !same(s.Ranges(), want) {
		t.Fatalf("ranges %v, want %v", s.Ranges(), want)
	}
	var count, mark, end uint64
	for _, r := range want {
		count += r.To - r.From
		end = r.To
	}
	for mark < span && m[mark] {
		mark++
	}
	if s.Count() != count || s.Mark() != mark || s.Max() != end || s.Empty() != (count == 0) {
		t.Fatalf("count %d mark %d max %d empty %v of %v", s.Count(), s.Mark(), s.Max(), s.Empty(), want)
	}
	for i := range uint64(span) {
		if s.Has(i) != m[i] {
			t.Fatalf("has %d: %v in %v", i, s.Has(i), want)
		}
	}
	back, err := FromFlat(s.Flat())
	if err != nil || !back.Equal(s) {
		t.Fatalf("flat %v came back as %v: %v", s.Flat(), back, err)
	}
	twin := Of(want...)
	if !twin.Equal(s) {
		t.Fatalf("of %v gave %v", want, twin)
	}
}

func compareRange(t *rapid.T, s *Set, m *model, from, to uint64) {
	if got, want := s.Missing(from, to), m.runs(from, max(from, to), false); !same(got, want) {
		t.Fatalf("missing of [%d, %d) in %v: %v, want %v", from, to, s.Ranges(), got, want)
	}
	if got, want := s.Within(from, to), m.runs(from, max(from, to), true); !same(got, want) {
		t.Fatalf("within [%d, %d) of %v: %v, want %v", from, to, s.Ranges(), got, want)
	}
	if got, want := s.HasAll(from, to), len(m.runs(from, max(from, to), false)) == 0; got != want {
		t.Fatalf("has all of [%d, %d) in %v: %v", from, to, s.Ranges(), got)
	}
}

func TestCoarsenOnlyAdds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var s Set
		for range rapid.IntRange(0, 30).Draw(t, "ranges") {
			from := rapid.Uint64Range(0, 1000).Draw(t, "from")
			s.Add(from, from+rapid.Uint64Range(0, 20).Draw(t, "length"))
		}
		before := s.Clone()
		n := rapid.IntRange(-1, 12).Draw(t, "n")
		c := s.Coarsen(n)
		if len(c.Ranges()) > max(n, 1) {
			t.Fatalf("%d ranges, want at most %d", len(c.Ranges()), max(n, 1))
		}
		if !s.Equal(&before) {
			t.Fatalf("coarsen changed its receiver")
		}
		for _, r := range s.Ranges() {
			if !c.HasAll(r.From, r.To) {
				t.Fatalf("%v lost %v", c.Ranges(), r)
			}
		}
		again := c.Clone()
		again.AddSet(&s)
		if !again.Equal(&c) || c.Mark() < s.Mark() || c.Max() != s.Max() {
			t.Fatalf("%v is not a coarser %v", c.Ranges(), s.Ranges())
		}
	})
}

func TestSetReachesTheEndsOfUint64(t *testing.T) {
	const last = math.MaxUint64
	s := Of(Range{last - 1, last}, Range{0, 1})
	if s.Has(last) || !s.Has(last-1) || s.Count() != 2 || s.Max() != last || s.Mark() != 1 {
		t.Fatalf("set at the ends: %v", s.Ranges())
	}
	if got := s.Missing(0, last); !same(got, []Range{{1, last - 1}}) {
		t.Fatalf("missing: %v", got)
	}
	s.Remove(1, last)
	if !same(s.Ranges(), []Range{{0, 1}}) {
		t.Fatalf("after remove: %v", s.Ranges())
	}
}

func TestFlatFormIsStrict(t *testing.T) {
	for name, flat := range map[string][]uint64{
		"odd":       {1},
		"empty":     {3, 3},
		"backward":  {5, 4},
		"touching":  {0, 2, 2, 3},
		"overlap":   {0, 5, 3, 8},
		"unordered": {5, 6, 0, 1},
	} {
		if s, err := FromFlat(flat); err == nil {
			t.Errorf("%s: %v was read as %v", name, flat, s.Ranges())
		}
	}
}

func FuzzFromFlat(f *testing.F) {
	f.Add([]byte{0, 1, 3, 5})
	f.Add([]byte{0, 1, 1, 5})
	f.Fuzz(func(t *testing.T, b []byte) {
		flat := make([]uint64, len(b))
		for i, x := range b {
			flat[i] = uint64(x)
		}
		s, err := FromFlat(flat)
		if err != nil {
			return
		}
		back := s.Flat()
		if len(back) != len(flat) {
			t.Fatalf("%v came back as %v", flat, back)
		}
		for i := range flat {
			if back[i] != flat[i] {
				t.Fatalf("%v came back as %v", flat, back)
			}
		}
	})
}

// TestManyRangesAreMerged as if each had been put into its place.
func TestManyRangesAreMerged(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		draw := func(label string) (s Set) {
			for _, from := range rapid.SliceOfN(rapid.Uint64Range(0, 1000), 0, 300).Draw(t, label) {
				s.Add(from, from+1+from%3)
			}
			return s
		}
		s, o := draw("s"), draw("o")
		want := s.Clone()
		for _, r := range o.Ranges() {
			want.Add(r.From, r.To)
		}
		was := o.Clone()
		s.AddSet(&o)
		s.Add(2000, 2001)
		want.Add(2000, 2001)
		if !s.Equal(&want) || !o.Equal(&was) {
			t.Fatalf("%v, want %v; the other is %v, was %v", s.Ranges(), want.Ranges(), o.Ranges(), was.Ranges())
		}
	})
}
