package contract

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Observed is what was seen of landed readings, for a first contract.
type Observed struct {
	series  map[string]*observed
	devices map[string]bool
}

// observed is what was seen of one series, over all devices.
type observed struct {
	texts, numbers, integers int
	units                    map[string]*bounds
	fell                     bool // a later value was smaller
	last                     map[string]reading
	steps                    []int64 // us, between neighbours
}

// bounds are those of the values in one unit.
type bounds struct {
	count     int
	low, high float64
}

// reading is the newest one of a device.
type reading struct {
	at    int64
	value float64
	known bool
}

// Value is one landed value: the one that is set.
type Value struct {
	Number  *float64
	Text    *string
	Integer bool // beyond what Number can hold: it is certainly one
}

// enough is how many values say what is usual.
const enough = 10

// maxSteps bounds what is kept of a series to find its interval.
const maxSteps = 10_000

// See takes in one reading. Event is us wall.
func (o *Observed) See(device, series, unit string, event int64, v Value) {
	if o.series == nil {
		o.series, o.devices = map[string]*observed{}, map[string]bool{}
	}
	o.devices[device] = true
	s := o.series[series]
	if s == nil {
		s = &observed{units: map[string]*bounds{}, last: map[string]reading{}}
		o.series[series] = s
	}
	s.see(device, canonical(unit), event, v)
}

func (s *observed) see(device, unit string, event int64, v Value) {
	before, now := s.last[device], reading{at: event}
	switch {
	case v.Text != nil:
		s.texts++
	case v.Number != nil && *v.Number-*v.Number == 0: // neither NaN nor infinite
		s.numbers++
		if s.units[unit] == nil {
			s.units[unit] = &bounds{low: *v.Number, high: *v.Number}
		}
		u := s.units[unit]
		u.count, u.low, u.high = u.count+1, min(u.low, *v.Number), max(u.high, *v.Number)
		now.value, now.known = *v.Number, true
	}
	if v.Integer {
		s.integers++
	}
	if before.at != 0 && event > before.at && len(s.steps) < maxSteps {
		s.steps = append(s.steps, event-before.at)
	}
	if before.known && !now.known {
		now.value, now.known = before.value, true
	}
	if event > before.at || before.at == 0 {
		s.fell = s.fell || before.known && now.value < before.value
		s.last[device] = now
	}
}

// Empty reports whether nothing was seen.
func (o *Observed) Empty() bool { return len(o.series) == 0 }

// Draft writes a first contract for the devices that match the patterns, or for those that were seen.
func (o *Observed) Draft(id string, patterns []string) []byte {
	if len(patterns) == 0 {
		patterns = slices.Sorted(maps.Keys(o.devices))
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, `# Drafted from what has landed. Ranges are what was seen, and as much again on either side: read
# every line, say what a series is, and set actions (flag, quarantine, drop_with_gap) before it is applied.
apiVersion: v3.1.0
kind: DataContract
id: %s
version: 0.1.0
status: draft
description:
  purpose: Say what these readings are for.
team:
  name: Say who answers for them.
  members: []
customProperties:
  - {property: devices, value: %s}
  - {property: allowedLateness, value: 30d}
  - {property: futureSkew, value: 10m}
schema:
  - name: series
    physicalType: series
    logicalType: object
    properties:
`, plain(id), quoted(patterns))
	for _, name := range slices.Sorted(maps.Keys(o.series)) {
		o.series[name].draft(&b, name)
	}
	return b.Bytes()
}

func (s *observed) draft(b *bytes.Buffer, name string) {
	fmt.Fprintf(b, "      - name: %s\n", plain(name))
	unit, seen, same := s.unit()
	switch {
	case s.texts > 0 && s.numbers == 0:
		fmt.Fprintln(b, "        logicalType: string")
	case s.numbers > 0 && s.texts == 0:
		kind := "number" // integers that a double can hold look like any number
		if s.integers == s.numbers {
			kind = "integer"
		}
		fmt.Fprintf(b, "        logicalType: %s\n", kind)
		low, high := seen.widened(unit)
		switch {
		case s.numbers < enough:
			fmt.Fprintf(b, "        # No range: seen %d times only, %s to %s\n", s.numbers, figure(seen.low), figure(seen.high))
		case !same:
			fmt.Fprintf(b, "        # No unit and no range: units were seen that do not lie on one scale: %s\n", quoted(slices.Sorted(maps.Keys(s.units))))
		case s.fell || seen.low == seen.high || len(s.units) > 1:
			fmt.Fprintf(b, "        logicalTypeOptions: {minimum: %s, maximum: %s} # seen: %s to %s\n", figure(low), figure(high), figure(seen.low), figure(seen.high))
		default:
			fmt.Fprintf(b, "        # It only ever rose, as a counter: %s to %s\n", figure(seen.low), figure(seen.high))
			if seen.low >= 0 {
				fmt.Fprintln(b, "        logicalTypeOptions: {minimum: 0}")
			}
		}
	}
	var extra []string
	if unit != "" {
		extra = append(extra, "{property: unit, value: "+plain(unit)+"}")
	}
	if every := s.every(); every > 0 {
		extra = append(extra, "{property: every, value: "+every.String()+"}")
	}
	if len(extra) > 0 {
		fmt.Fprintln(b, "        customProperties:")
	}
	for _, line := range extra {
		fmt.Fprintf(b, "          - %s\n", line)
	}
}

// unit returns the unit that most values had and all bounds in it. same is false if not all can be converted to it.
func (s *observed) unit() (unit string, seen bounds, same bool) {
	for _, name := range slices.Sorted(maps.Keys(s.units)) {
		if u := s.units[name]; u.count > seen.count {
			unit, seen = name, *u
		}
	}
	for name, u := range s.units {
		c, ok := conversion(name, unit)
		if !ok {
			return "", bounds{}, false
		}
		seen.low, seen.high = min(seen.low, c.Apply(u.low)), max(seen.high, c.Apply(u.high))
	}
	return unit, seen, true
}

// widened returns a range with as much room on either side as was seen, and at least a tenth of the largest value.
func (u bounds) widened(unit string) (low, high float64) {
	if (unit == "%" || unit == "%RH" || unit == "%EL") && u.low >= 0 && u.high <= 100 {
		return 0, 100
	}
	room := max(u.high-u.low, max(math.Abs(u.low), math.Abs(u.high))/10)
	low, high = outward(u.low-room, math.Floor), outward(u.high+room, math.Ceil)
	if u.low >= 0 && unit != "Cel" && unit != "degF" { // what was never below zero is mostly a thing that cannot be
		low = max(low, 0)
	}
	return low, high
}

// outward rounds to two digits.
func outward(v float64, round func(float64) float64) float64 {
	if v == 0 || math.IsInf(v, 0) {
		return max(-math.MaxFloat64, min(v, math.MaxFloat64))
	}
	digit := math.Floor(math.Log10(math.Abs(v))) - 1
	out, _ := strconv.ParseFloat(strconv.FormatFloat(round(v/math.Pow(10, digit)), 'f', -1, 64)+"e"+strconv.Itoa(int(digit)), 64)
	return max(-math.MaxFloat64, min(out, math.MaxFloat64))
}

// every returns the usual time between two readings, to two digits; 0 = too few were seen.
func (s *observed) every() Span {
	if len(s.steps) < 3 {
		return 0
	}
	slices.Sort(s.steps)
	median := float64(s.steps[len(s.steps)/2])
	return Span(time.Duration(outward(median, math.Round)) * time.Microsecond)
}

// figure writes a number as YAML 1.1 reads one too: with a point before an exponent.
func figure(v float64) string {
	if a := math.Abs(v); a == 0 || a >= 1e-6 && a < 1e15 {
		return strconv.FormatFloat(v, 'f', -1, 64)
	}
	mantissa, exponent, _ := strings.Cut(strconv.FormatFloat(v, 'e', -1, 64), "e")
	if !strings.Contains(mantissa, ".") {
		mantissa += ".0"
	}
	return mantissa + "e" + exponent
}

// bare are words that need no quotes in YAML, unless they mean something else. Read only.
var bare = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_/.-]{2,}$`)

func plain(word string) string {
	if bare.MatchString(word) && !slices.Contains([]string{"true", "false", "null", "yes", "off"}, strings.ToLower(word)) || word == "Cel" || word == "Pa" {
		return word
	}
	return quoted(word)
}

// quoted writes JSON, which is YAML.
func quoted(v any) string {
	out, err := json.Marshal(v)
	if err != nil { // texts always can
		panic("contract: " + err.Error())
	}
	return string(out)
}
