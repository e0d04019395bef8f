package contract

import (
	"math"

	"github.com/headwater-iot/headwater/shared/record"
)

// State is what the stateful rules remember of one series in one epoch. It is moved by readings that land, break no
// rule on their value and are newer than it, in the order of the log; so it is a function of the log.
type State struct {
	Event int64   `cbor:"1,keyasint"` // us wall, of the newest reading that counted; 0 with Seen false
	Seen  bool    `cbor:"2,keyasint"`
	Value float64 `cbor:"3,keyasint"`
	Since int64   `cbor:"4,keyasint"` // us wall, since when Value has not moved

	Interval int64 `cbor:"5,keyasint"` // us wall, begin of the interval that is counted
	Count    int   `cbor:"6,keyasint"` // readings in it; 0 = none was counted yet

	Mean     float64 `cbor:"7,keyasint"` // of the differences between neighbours, exponentially weighted
	Variance float64 `cbor:"8,keyasint"`
	Learned  int     `cbor:"9,keyasint"`  // readings they were learned from
	Restless int     `cbor:"10,keyasint"` // readings until an unlikely step is a new event
}

// stateful applies the rules that need the readings before. A reading that is older than the state, because a backlog
// comes behind what is live, is judged by those of its own batch alone.
func (j *judge) stateful(state *State) {
	var old State
	for cell := range j.n {
		if j.void(cell) {
			continue
		}
		if j.series.AtMost > 0 {
			j.count(cell, state, &old)
		}
		v, ok := j.comparable(cell)
		if !ok {
			continue
		}
		at := j.event(cell)
		s := state
		if s.Seen && at <= s.Event {
			if s = &old; s.Seen && at <= s.Event {
				continue
			}
		}
		if j.against(cell, s, v, at); j.fate(cell).Action <= Flag {
			s.move(j.series, v, at)
		}
	}
}

// astray are the bits of a value that no other may be compared with: not in its unit, not possible, or of a time that
// has not come, behind which every reading would be an old one.
const astray = record.ContractType | record.ContractUnit | record.ContractRange | record.ContractEnum | record.FutureTime

// comparable returns the number of a cell, if it lands and has one that says how the series goes on.
func (j *judge) comparable(cell int) (v float64, ok bool) {
	if j.null(cell) || j.out.Fates != nil && (j.out.Fates[cell].Action > Flag || j.out.Quality[cell]&astray != 0) {
		return 0, false
	}
	v = number(j.out.Column, cell)
	return v, v-v == 0 // neither NaN nor infinite
}

// count applies atMost to readings of any kind, null and repeated times too. Of several intervals the newest counts.
func (j *judge) count(cell int, state, old *State) {
	if j.fate(cell).Action > Flag || j.out.Quality != nil && j.out.Quality[cell]&record.FutureTime != 0 {
		return // it does not land here
	}
	s, from := state, begin(j.event(cell), j.series)
	if s.Count > 0 && from < s.Interval {
		if s = old; s.Count > 0 && from < s.Interval {
			return
		}
	}
	if s.Count > 0 && from == s.Interval && s.Count >= j.series.AtMost {
		j.is(cell, RuleExcess) // the count stands: it is known to be full
		return
	}
	if s.Count == 0 || from != s.Interval {
		s.Interval, s.Count = from, 0
	}
	s.Count++
}

// against judges a value by the one before.
func (j *judge) against(cell int, s *State, v float64, at int64) {
	if !s.Seen {
		return
	}
	r := j.series
	if r.MaxRate > 0 && s.fast(r, v, at) {
		j.is(cell, RuleRate)
	}
	if r.Stuck > 0 && v == s.Value && at-s.Since >= r.Stuck.Microseconds() {
		j.is(cell, RuleStuck)
	}
	if r.Anomaly > 0 && s.strange(v-s.Value, r.Anomaly) {
		j.is(cell, RuleAnomaly)
	}
}

// fast reports whether a value moved faster than maxRate, by more than the last bits of both values can make up.
func (s *State) fast(r *Series, v float64, at int64) bool {
	moved, allowed := math.Abs(v-s.Value), r.MaxRate*(float64(at-s.Event)/1e6)
	if moved <= allowed { // nearly always
		return false
	}
	slack := max(math.Abs(v), math.Abs(s.Value)) * 0x1p-51
	return moved-slack > allowed
}

// begin returns the begin of the interval of atMost that a time lies in.
func begin(at int64, r *Series) int64 {
	width := r.Interval.Microseconds()
	into := at % width
	if into < 0 {
		into += width
	}
	return at - into
}

// move makes a reading the one that the next is judged by.
func (s *State) move(r *Series, v float64, at int64) {
	if s.Seen && r.Anomaly > 0 {
		s.learn(v-s.Value, r.Anomaly)
	}
	if !s.Seen || v != s.Value {
		s.Since = at
	}
	s.Seen, s.Event, s.Value = true, at, v
}
