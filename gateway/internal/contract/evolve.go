package contract

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// series compares two versions of one series.
func (c *comparison) series(at string, old, next *Series) {
	c.kind(at+"logicalType", old.Kind, next.Kind)
	c.unit(at+"unit", old.Unit, next.Unit)
	switch {
	case next.Required && !old.Required:
		c.add(Breaking, at+"required", "false -> true", "devices that send null, or not at all, were right")
	case old.Required && !next.Required:
		c.add(Compatible, at+"required", "true -> false", "null is no longer a fault; it could stand there, flagged, before")
	}
	if o, n := (span{old.Minimum, old.Maximum, old.OpenMin, old.OpenMax}), (span{next.Minimum, next.Maximum, next.OpenMin, next.OpenMax}); o.String() != n.String() {
		c.either(at+"range", o.within(n), o.String(), n.String())
	}
	if o, n := old.MultipleOf, next.MultipleOf; o != n {
		c.either(at+"multipleOf", n == 0 || o != 0 && multiple(o, n), o, n)
	}
	if o, n := form(old), form(next); o != n {
		c.either(at+"pattern", n == "", o, n)
	}
	c.tighter(at+"maxLength", float64(old.MaxLength), float64(next.MaxLength), old.MaxLength, next.MaxLength)
	if o, n := old.MinLength, next.MinLength; o != n {
		c.either(at+"minLength", n < o, o, n)
	}
	if o, n := old.Enum, next.Enum; !slices.Equal(o, n) {
		wider := len(n) == 0 || len(o) > 0 && !slices.ContainsFunc(o, func(w string) bool { return !slices.Contains(n, w) })
		c.either(at+"enum", wider, strings.Join(o, "|"), strings.Join(n, "|"))
	}
	c.tighter(at+"maxRate", old.MaxRate, next.MaxRate, old.MaxRate, next.MaxRate)
	c.tighter(at+"stuck", float64(old.Stuck), float64(next.Stuck), Span(old.Stuck), Span(next.Stuck))
	c.tighter(at+"anomaly", old.Anomaly, next.Anomaly, old.Anomaly, next.Anomaly)
	c.counts(at, old, next)
	c.rest(at, old, next)
}

// either notes a rule that either only got wider or may hold back what was good.
func (c *comparison) either(path string, wider bool, old, next any) {
	if wider {
		c.add(Compatible, path, change(old, next), "what was good is good still")
	} else {
		c.add(Migration, path, change(old, next), "readings break it that were good; rows that landed are not judged again")
	}
}

func form(s *Series) string {
	if s.Pattern == nil {
		return ""
	}
	return s.Pattern.String()
}

func (c *comparison) kind(at string, old, next Kind) {
	what := change(old, next)
	switch {
	case old == next:
	case old == Integer && next == Number:
		c.add(Migration, at, what, "readers of integers meet fractions, in the column of floats")
	case old == Any:
		c.add(Migration, at, what, "other kinds of value break it from now on")
	case next == Any:
		c.add(Migration, at, what, "readers may meet other kinds of value")
	default:
		c.add(Breaking, at, what, "the values move to another column")
	}
}

func (c *comparison) unit(at, old, next string) {
	if old == next {
		return
	}
	_, scale := conversion(old, next)
	switch what := change(old, next); {
	case scale, old == "":
		c.add(Migration, at, what, "rows before and after have different units; the column unit tells which")
	case next == "":
		c.add(Breaking, at, what, "values come in any unit")
	default:
		c.add(Breaking, at, what, "the values mean something else")
	}
}

// counts compares how often readings may and should come.
func (c *comparison) counts(at string, old, next *Series) {
	if old.AtMost != next.AtMost || old.Interval != next.Interval {
		wider := next.AtMost == 0 || old.AtMost > 0 && next.AtMost >= old.AtMost && next.Interval == old.Interval
		c.either(at+"atMost", wider, perSpan(old), perSpan(next))
	}
	if o, n := old.Every, next.Every; o != n {
		if o == 0 {
			c.add(Compatible, at+"every", change("none", n), "windows learn what to expect")
		} else {
			c.add(Migration, at+"every", change(o, n), "windows before and after expect different counts")
		}
	}
}

func perSpan(s *Series) string {
	if s.AtMost == 0 {
		return "any"
	}
	return fmt.Sprintf("%d per %s", s.AtMost, Span(s.Interval))
}

// rest compares persons, actions and checks.
func (c *comparison) rest(at string, old, next *Series) {
	if old.Personal != next.Personal {
		c.add(Breaking, at+"pii", change(old.Personal, next.Personal), "values before and after cannot be joined, and rows that landed stay as they are")
	}
	for _, rule := range Rules() {
		if rule == RuleSeries || rule == RuleLate || rule == RuleFuture {
			continue // the product's own, but for the exceptions below
		}
		c.action(at+"actions."+string(rule), old.Action(rule), next.Action(rule))
	}
	for _, rule := range []Rule{RuleLate, RuleFuture} {
		o, was := old.Actions[rule]
		n, is := next.Actions[rule]
		if was && is {
			c.action(at+"actions."+string(rule), o, n)
		} else if was != is {
			c.add(Migration, at+"actions."+string(rule), "exception", "the action is no longer that of the version before")
		}
	}
	if !reflect.DeepEqual(old.Checks, next.Checks) {
		c.add(Compatible, at+"quality", "changed", "windows to come are judged by it, rows are not")
	}
}

// String returns the word of ODCS.
func (k Kind) String() string {
	return [...]string{"any", "number", "integer", "string", "boolean"}[k]
}

// String returns the word that contracts use.
func (p Personal) String() string { return [...]string{"open", "hash", "mask"}[p] }
