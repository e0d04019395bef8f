package contract

import "math"

// State is what the stateful rules remember of one series in one epoch. It is moved by readings that land and are
// newer than it, in the order of the log; so it is a function of the log.
type State struct {
	Event int64   `cbor:"1,keyasint"` // us wall, of the newest reading that counted; 0 with Seen false
	Seen  bool    `cbor:"2,keyasint"`
	Value float64 `cbor:"3,keyasint"`
	Since int64   `cbor:"4,keyasint"` // us wall, since when Value has not moved

	Interval int64 `cbor:"5,keyasint"` // us wall, begin of the interval that is counted
	Count    int   `cbor:"6,keyasint"` // readings in it

	Mean     float64 `cbor:"7,keyasint"` // of the differences between neighbours, exponentially weighted
	Variance float64 `cbor:"8,keyasint"`
	Learned  int     `cbor:"9,keyasint"` // readings they were learned from
}

// stateful applies the rules that need the readings before. A reading that is older than the state, because a backlog
// comes behind what is live, is judged by those of its own batch alone.
func (j *judge) stateful(state *State) {
	var old State
	for cell := range j.n {
		if j.null(cell) || j.fate(cell).Action > Flag {
			continue // it does not land, so nothing is compared with it
		}
		v, at := number(j.out.Column, cell), j.event(cell)
		if math.IsNaN(v) || math.IsInf(v, 0) {
			continue
		}
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

// against judges a value by the one before.
func (j *judge) against(cell int, s *State, v float64, at int64) {
	r := j.series
	if r.AtMost > 0 && s.Seen && s.Interval == begin(at, r) && s.Count >= r.AtMost {
		j.is(cell, RuleExcess)
	}
	if !s.Seen {
		return
	}
	if seconds := float64(at-s.Event) / 1e6; r.MaxRate > 0 && math.Abs(v-s.Value) > r.MaxRate*seconds {
		j.is(cell, RuleRate)
	}
	if r.Stuck > 0 && v == s.Value && at-s.Since >= r.Stuck.Microseconds() {
		j.is(cell, RuleStuck)
	}
	if r.Anomaly > 0 && s.unlikely(v-s.Value, r.Anomaly) {
		j.is(cell, RuleAnomaly)
	}
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
	if r.AtMost > 0 {
		if b := begin(at, r); !s.Seen || s.Interval != b {
			s.Interval, s.Count = b, 0
		}
		s.Count++
	}
	if s.Seen && r.Anomaly > 0 {
		s.learn(v-s.Value, r.Anomaly)
	}
	if !s.Seen || v != s.Value {
		s.Since = at
	}
	s.Seen, s.Event, s.Value = true, at, v
}
