package nmea

import (
	"fmt"
	"time"

	"github.com/headwater-iot/headwater/shared/record"
)

// kinds is a set of sentence types.
type kinds uint8

const (
	gga kinds = 1 << iota
	rmc
)

// fix is what the sentences of one moment say.
type fix struct {
	clock  string // time of day, as it was sent
	kinds  kinds
	at     time.Time // when its moment was first spoken of
	void   bool      // a sentence said that there is no fix
	rough  bool      // the position was estimated, or told
	values map[string]decimal
}

// read adds a sentence. It changes nothing when a field cannot be read.
func (f *fix) read(s Sentence) error {
	var err error
	values := map[string]decimal{}
	take := func(name string, d decimal, e error) {
		if e != nil && err == nil {
			err = fmt.Errorf("%s of %s: %w", name, s.Type, e)
		}
		values[name] = d
	}
	place := func(first int) {
		latitude, e := s.degrees(first, 90, "N", "S")
		take(latitudeSeries, latitude, e)
		longitude, e := s.degrees(first+2, 180, "E", "W")
		take(longitudeSeries, longitude, e)
	}
	number := func(name string, i int) {
		d, e := s.number(i)
		take(name, d, e)
	}
	var kind kinds
	var void, rough bool
	switch s.Type {
	case "GGA":
		kind = gga
		place(1)
		number(qualitySeries, 5)
		number(satellitesSeries, 6)
		number(hdopSeries, 7)
		number(altitudeSeries, 8)
		quality := values[qualitySeries]
		void, rough = quality.n == 0, quality.n >= 6
	case "RMC":
		kind = rmc
		place(2)
		number(courseSeries, 7)
		knots, e := s.number(6)
		take(speedSeries, knots.speed(), e)
		moment, e := s.moment(0, 8)
		take(timeSeries, moment, e)
		void = s.field(1) != "A"
	}
	if err != nil {
		return err
	}
	f.kinds |= kind
	f.void, f.rough = f.void || void, f.rough || rough
	for name, d := range values {
		f.values[name] = d
	}
	return nil
}

// cells returns the readings among those that are announced. What no sentence was to carry is left out.
func (f *fix) cells(announced []record.Cell) []record.Cell {
	out := make([]record.Cell, 0, len(announced))
	for _, cell := range announced {
		d, sent := f.values[cell.Series]
		if !sent {
			continue
		}
		cell.Null, cell.Quality = d.none, 0
		about := cell.Series != satellitesSeries && cell.Series != qualitySeries // what needs a fix
		switch {
		case f.void && about:
			cell.Null = true
		case cell.Null:
		case cell.Kind == record.Int:
			cell.Int = d.n
		default:
			cell.Float = d.float()
		}
		if f.rough && about && !cell.Null {
			cell.Quality |= record.Suspect
		}
		out = append(out, cell)
	}
	return out
}

// track puts sentences together to fixes.
type track struct {
	current, before fix
}

// add takes a sentence that came at a time. Others than GGA and RMC are passed over.
func (t *track) add(s Sentence, at time.Time) error {
	kind := map[string]kinds{"GGA": gga, "RMC": rmc}[s.Type]
	if kind == 0 {
		return nil
	}
	next, clock := t.current, s.field(0)
	if clock == "" || clock != next.clock {
		next.at = at // and not later: a receiver that is stuck says one moment again and again
	}
	if next.values == nil || next.clock != clock || next.kinds&kind != 0 {
		next = fix{clock: clock, at: next.at, values: map[string]decimal{}}
	}
	if err := next.read(s); err != nil {
		return err
	}
	if t.current.kinds&kind != 0 || next.clock != t.current.clock {
		t.before = t.current
	}
	t.current = next
	return nil
}

// latest returns the newest complete fix: one is complete when it has all that the one before had.
func (t *track) latest() (fix, bool) {
	switch {
	case t.before.kinds == 0:
		return fix{}, false
	case t.before.kinds&^t.current.kinds != 0:
		return t.before, true
	default:
		return t.current, true
	}
}
