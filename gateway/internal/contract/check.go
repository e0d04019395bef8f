package contract

import (
	"math"
	"unicode/utf8"

	"github.com/headwater-iot/headwater/shared/record"
)

// Cells is one column of a batch, and what the rules need to know of it.
type Cells struct {
	*record.Column
	Event    []int64 // us wall, one per row of the group the column is in
	Received int64   // us wall
	Void     []bool  // rows of that group that no other is compared with: they do not land, or their time has not come; nil = none
}

// Fate is what becomes of one cell, and by which rule. The zero Fate lands.
type Fate struct {
	Action Action
	Rule   Rule
}

// Verdict is what the rules say of a column. Nothing of the batch is changed: the same batch gives the same verdict
// again, as long as the state is the same.
type Verdict struct {
	Column  *record.Column   // in the declared unit and impersonal; shares with the batch what did not change
	Quality []record.Quality // bits of contracts, one per present cell; nil = none
	Fates   []Fate           // one per present cell; nil = all land
}

// Judge applies the rules of a series to a column. State is what the stateful rules remember of the series in this
// epoch; it is advanced, and may be nil where no rule of the series needs it.
func (c *Contract) Judge(cells Cells, state *State) Verdict {
	j := judge{contract: c, cells: cells, n: cells.Cells(len(cells.Event)), out: Verdict{Column: cells.Column}}
	s := c.Series[cells.Series]
	if s == nil {
		j.unknown()
		return j.out
	}
	j.series = s
	j.convert()
	j.values()
	if s.Stateful() && state != nil {
		j.stateful(state)
	}
	if s.Personal != Open {
		j.impersonal()
	}
	return j.out
}

// judge is one call of Judge.
type judge struct {
	contract *Contract
	series   *Series
	cells    Cells
	n        int  // present cells
	foreign  bool // the unit is not the declared one, so that no number can be compared
	out      Verdict
}

// breaks notes that a cell breaks a rule. The strongest action counts, and of equal ones the first rule.
func (j *judge) breaks(cell int, r Rule, a Action) {
	if j.out.Quality == nil {
		j.out.Quality = make([]record.Quality, j.n)
	}
	j.out.Quality[cell] |= r.Bit()
	if j.out.Fates == nil {
		j.out.Fates = make([]Fate, j.n)
	}
	if f := &j.out.Fates[cell]; f.Rule == "" || a > f.Action {
		*f = Fate{a, r}
	}
}

func (j *judge) is(cell int, r Rule) { j.breaks(cell, r, j.series.Action(r)) }

// fate returns what is known of a cell so far.
func (j *judge) fate(cell int) Fate {
	if j.out.Fates == nil {
		return Fate{}
	}
	return j.out.Fates[cell]
}

// void reports whether a cell says nothing of its series.
func (j *judge) void(cell int) bool {
	if j.cells.Void == nil {
		return false
	}
	if rows := j.cells.Rows; rows != nil {
		return j.cells.Void[rows[cell]]
	}
	return j.cells.Void[cell]
}

func (j *judge) event(cell int) int64 {
	if rows := j.cells.Rows; rows != nil {
		return j.cells.Event[rows[cell]]
	}
	return j.cells.Event[cell]
}

func (j *judge) null(cell int) bool { return j.cells.Null != nil && j.cells.Null[cell] }

// unknown is the verdict on a series that the contract does not name.
func (j *judge) unknown() {
	if j.contract.LandUnknown {
		j.times()
		return
	}
	for cell := range j.n {
		j.breaks(cell, RuleSeries, j.contract.OnUnknown)
	}
	j.times()
}

// convert brings the column to the declared unit. Where that cannot be done, or not without losing digits, every value
// breaks the rule unit, and stays as it came.
func (j *judge) convert() {
	s, col := j.series, j.cells.Column
	if s.Unit == "" || col.Unit == s.Unit || !numeric(col) {
		return
	}
	if conv, ok := conversion(col.Unit, s.Unit); ok {
		if converted := conv.column(col, s.Unit, j.n); converted != nil {
			j.out.Column = converted
			return
		}
	}
	j.foreign = true
	for cell := range j.n {
		if !j.null(cell) {
			j.is(cell, RuleUnit)
		}
	}
}

func numeric(c *record.Column) bool {
	return c.Kind == record.Float || c.Kind == record.Int || c.Kind == record.Uint
}

// number returns a cell as a number, true as 1; NaN for kinds that are none. An integer beyond 2^53 is the nearest
// double: the rules compare with it, what lands is exact.
func number(c *record.Column, cell int) float64 {
	switch c.Kind {
	case record.Float:
		return c.Floats[cell]
	case record.Int:
		return float64(c.Ints[cell])
	case record.Uint:
		return float64(c.Uints[cell])
	case record.Bool:
		if c.Bools[cell] {
			return 1
		}
		return 0
	}
	return math.NaN()
}

// values applies the rules that look at one cell.
func (j *judge) values() {
	s, col := j.series, j.out.Column
	kind := s.takes(col)
	for cell := range j.n {
		switch {
		case j.null(cell):
			if s.Required {
				j.is(cell, RuleNull)
			}
		case !kind || s.Kind == Integer && col.Kind == record.Float && !whole(col.Floats[cell]):
			j.is(cell, RuleType)
		default:
			j.value(cell)
		}
	}
	j.times()
}

// takes reports whether a column has a kind of value that the series may have. A number may be written as an integer.
func (s *Series) takes(c *record.Column) bool {
	switch s.Kind {
	case Number, Integer:
		return numeric(c)
	case Text:
		return c.Kind == record.Text
	case Boolean:
		return c.Kind == record.Bool
	}
	return true
}

func whole(v float64) bool { return v == math.Trunc(v) && !math.IsInf(v, 0) }

// value judges a value of the declared kind.
func (j *judge) value(cell int) {
	s, col := j.series, j.out.Column
	switch s.Kind {
	case Text:
		j.text(cell, col.Texts[cell])
	case Number, Integer:
		if j.foreign {
			return
		}
		if s.bounded && !s.inside(number(col, cell)) {
			j.is(cell, RuleRange)
		}
	}
	if s.enum != nil && !s.enum.has(col, cell) {
		j.is(cell, RuleEnum)
	}
}

// inside reports whether a number is in the declared range. NaN and infinity are inside no range.
func (s *Series) inside(v float64) bool {
	switch {
	case v-v != 0: // NaN, infinite
		return false
	case s.Minimum != nil && (v < *s.Minimum || s.OpenMin && v == *s.Minimum):
		return false
	case s.Maximum != nil && (v > *s.Maximum || s.OpenMax && v == *s.Maximum):
		return false
	}
	return s.MultipleOf == 0 || multiple(v, s.MultipleOf)
}

// multiple reports whether v is the float64 of a multiple of step, or a neighbour of it.
func multiple(v, step float64) bool {
	return math.Abs(math.Round(v/step)*step-v) <= math.Abs(v)*0x1p-51
}

func (j *judge) text(cell int, v string) {
	s := j.series
	n := utf8.RuneCountInString(v)
	if n < s.MinLength || s.MaxLength > 0 && n > s.MaxLength || s.Pattern != nil && !s.Pattern.MatchString(v) {
		j.is(cell, RulePattern)
	}
}

// times applies the rules on when a reading came.
func (j *judge) times() {
	c := j.contract
	onLate, onFuture := c.OnLate, c.OnFuture
	if s := j.series; s != nil { // a series may say otherwise
		onLate, onFuture = s.own(RuleLate, onLate), s.own(RuleFuture, onFuture)
	}
	if j.n == 0 {
		return
	}
	oldest, newest := j.cells.Event[0], j.cells.Event[0]
	for _, at := range j.cells.Event {
		oldest, newest = min(oldest, at), max(newest, at)
	}
	if late := j.cells.Received - c.AllowedLateness.Microseconds(); c.AllowedLateness > 0 && oldest < late {
		j.outside(RuleLate, onLate, late, math.MaxInt64)
	}
	if ahead := j.cells.Received + c.FutureSkew.Microseconds(); c.FutureSkew > 0 && newest > ahead {
		j.outside(RuleFuture, onFuture, math.MinInt64, ahead)
	}
}

// outside applies a rule to the readings of other times.
func (j *judge) outside(r Rule, a Action, first, last int64) {
	for cell := range j.n {
		if at := j.event(cell); at < first || at > last {
			j.breaks(cell, r, a)
		}
	}
}
