package contract

import (
	"slices"
	"strings"
)

// WindowCheck is a quality check over many readings. It waits for the windows to come.
type WindowCheck struct {
	Name, Metric, Severity string
	Unit                   string   // "rows" or "percent"
	Low, High              *float64 // what the metric must lie between; open ends are nil
	OpenLow, OpenHigh      bool     // the bound itself breaks the check
	Outside                bool     // must not lie between, bounds included
	Missing                []string // of missingValues: the texts that mean that there is no value
}

// Holds reports whether a metric with that value passes, in the unit of the check.
func (w *WindowCheck) Holds(value float64) bool {
	above := w.Low == nil || value > *w.Low || value == *w.Low && !w.OpenLow
	below := w.High == nil || value < *w.High || value == *w.High && !w.OpenHigh
	return (above && below) != w.Outside
}

// metrics are the library checks of ODCS that a window can answer. Read only.
var metrics = []string{"nullValues", "missingValues", "invalidValues", "duplicateValues", "rowCount"}

// check reads a quality check into the list of its series or contract. Texts, SQL and other engines are for people and
// other tools.
func (r *reader) check(list *[]WindowCheck, q *quality, at string) {
	metric := q.Metric
	if metric == "" {
		metric = q.Rule
	}
	if metric == "" && q.Type != "" && q.Type != "library" {
		return
	}
	if !slices.Contains(metrics, metric) {
		r.bad(at+".metric", "is %q; want one of %s", metric, strings.Join(metrics, ", "))
		return
	}
	w := WindowCheck{Name: q.Name, Metric: metric, Unit: q.Unit, Severity: q.Severity}
	switch w.Unit {
	case "":
		w.Unit = "rows"
	case "rows", "percent":
	default:
		r.bad(at+".unit", "is %q; want rows or percent", w.Unit)
	}
	if metric == "missingValues" {
		var args struct {
			Missing []*string `yaml:"missingValues"`
		}
		if err := q.Arguments.Decode(&args); err != nil || args.Missing == nil {
			r.bad(at+".arguments", "missingValues needs arguments: {missingValues: [...]}, the texts that mean that there is no value")
		}
		for _, text := range args.Missing {
			if text != nil { // null means null, with or without being named
				w.Missing = append(w.Missing, *text)
			}
		}
	}
	if r.operator(&w, q, at) {
		*list = append(*list, w)
	}
}

// operator reads the one operator that a check has. Both forms of between take their bounds in, as BETWEEN of SQL does.
func (r *reader) operator(w *WindowCheck, q *quality, at string) bool {
	n := 0
	set := func(is bool, low, high *float64, open, outside bool) {
		if is {
			n++
			w.Low, w.High, w.OpenLow, w.OpenHigh, w.Outside = low, high, open && low != nil, open && high != nil, outside
		}
	}
	set(q.MustBe != nil, q.MustBe, q.MustBe, false, false)
	set(q.MustNotBe != nil, q.MustNotBe, q.MustNotBe, false, true)
	set(q.MustBeGreater != nil, q.MustBeGreater, nil, true, false)
	set(q.MustBeAtLeast != nil, q.MustBeAtLeast, nil, false, false)
	set(q.MustBeLess != nil, nil, q.MustBeLess, true, false)
	set(q.MustBeAtMost != nil, nil, q.MustBeAtMost, false, false)
	for i, between := range [][]float64{q.MustBeBetween, q.MustNotBeBetween} {
		if between == nil {
			continue
		}
		if len(between) != 2 || between[0] >= between[1] {
			r.bad(at, "between needs two numbers, the smaller one first")
			return false
		}
		set(true, &between[0], &between[1], false, i == 1)
	}
	if n != 1 {
		r.bad(at, "has %d operators of the kind mustBe...; want exactly one", n)
	}
	return n == 1
}
