package contract

import (
	"cmp"
	"regexp"
	"regexp/syntax"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/headwater-iot/headwater/shared/record"
)

// kinds are the logical types of ODCS that a series may have. Read only.
var kinds = map[string]Kind{"": Any, "number": Number, "integer": Integer, "string": Text, "boolean": Boolean}

// series reads the properties of the object of series.
func (r *reader) series(c *Contract, o *object, at string) {
	for j := range o.Properties {
		p, here := &o.Properties[j], at+".properties["+strconv.Itoa(j)+"]"
		switch _, twice := c.Series[p.Name]; {
		case p.Name == "" || len(p.Name) > record.MaxName:
			r.bad(here, "the name of a series is 1 to %d bytes", record.MaxName)
			continue
		case twice:
			r.bad(here, "the series %s stands here twice", p.Name)
			continue
		}
		c.Series[p.Name] = r.oneSeries(p, here)
	}
	for k := range o.Quality {
		r.check(&c.Checks, &o.Quality[k], at+".quality["+strconv.Itoa(k)+"]")
	}
}

func (r *reader) oneSeries(p *property, at string) *Series {
	var ext seriesExtensions
	r.extensions(at+".customProperties", p.Custom, &ext)
	s := &Series{
		Name: p.Name, Description: p.Description, Unit: ext.Unit, Required: p.Required,
		Every: time.Duration(ext.Every), Stuck: time.Duration(ext.Stuck),
		OnViolation: ext.OnViolation, Actions: map[Rule]Action{}, Classification: p.Classification, Tags: p.Tags,
	}
	kind, ok := kinds[p.LogicalType]
	if !ok {
		r.bad(at+".logicalType", "is %q; a series is a number, an integer, a string or a boolean", p.LogicalType)
	}
	s.Kind = kind
	r.options(s, &p.Options, at+".logicalTypeOptions")
	r.enum(s, ext.Enum, at)
	r.limits(s, &ext, at)
	for word, action := range ext.Actions {
		if !slices.Contains(Rules(), Rule(word)) || Rule(word) == RuleSeries {
			r.bad(at, "actions: %q is no rule of a series; there are %s", word, ruleWords())
			continue
		}
		s.Actions[Rule(word)] = action
	}
	if s.Action(RuleAnomaly) != Flag {
		r.bad(at, "actions: anomaly can only be flagged: that a value is unlikely does not make it wrong")
	}
	switch ext.PII {
	case "":
	case "hash":
		s.Personal = Hashed
	case "mask":
		s.Personal = Masked
	default:
		r.bad(at, "pii is %q; want hash or mask", ext.PII)
	}
	if s.Personal == Hashed && s.Kind != Text {
		r.bad(at, "pii: only texts can be hashed: a number would be found by trying; use mask")
	}
	for k := range p.Quality {
		r.check(&s.Checks, &p.Quality[k], at+".quality["+strconv.Itoa(k)+"]")
	}
	return s
}

func ruleWords() string {
	var words []string
	for _, rule := range Rules()[1:] {
		words = append(words, string(rule))
	}
	return strings.Join(words, ", ")
}

// options reads what ODCS itself says of values.
func (r *reader) options(s *Series, o *options, at string) {
	numeric := s.Kind == Number || s.Kind == Integer
	s.Minimum, s.Maximum = o.Minimum, o.Maximum
	if x := o.ExclusiveMinimum; x != nil && (s.Minimum == nil || *x >= *s.Minimum) {
		s.Minimum, s.OpenMin = x, true
	}
	if x := o.ExclusiveMaximum; x != nil && (s.Maximum == nil || *x <= *s.Maximum) {
		s.Maximum, s.OpenMax = x, true
	}
	s.bounded = s.Minimum != nil || s.Maximum != nil || o.MultipleOf != nil
	if s.Minimum != nil && s.Maximum != nil {
		if *s.Minimum > *s.Maximum || *s.Minimum == *s.Maximum && (s.OpenMin || s.OpenMax) {
			r.bad(at, "no number is at once above minimum %v and below maximum %v", *s.Minimum, *s.Maximum)
		}
	}
	if s.bounded && !numeric {
		r.bad(at, "minimum, maximum and multipleOf need logicalType: number or integer")
	}
	if o.MultipleOf != nil {
		if s.MultipleOf = *o.MultipleOf; s.MultipleOf <= 0 {
			r.bad(at, "multipleOf must be above 0")
		}
	}
	if (o.Pattern != "" || o.MinLength != nil || o.MaxLength != nil) && s.Kind != Text {
		r.bad(at, "pattern, minLength and maxLength need logicalType: string")
	}
	if o.Pattern != "" {
		form, err := regexp.Compile(o.Pattern)
		if err != nil {
			r.bad(at+".pattern", "%v; look-around and back references of ECMA-262 are not understood", err)
		} else if n := steps(o.Pattern); n > maxPattern {
			r.bad(at+".pattern", "repeats too much: %d steps for each letter of a text, at most %d; use maxLength for what is long", n, maxPattern)
		}
		s.Pattern = form
	}
	if o.MinLength != nil {
		if s.MinLength = *o.MinLength; s.MinLength < 0 {
			r.bad(at+".minLength", "must be at least 0")
		}
	}
	if o.MaxLength != nil {
		if s.MaxLength = *o.MaxLength; s.MaxLength < max(1, s.MinLength) {
			r.bad(at+".maxLength", "must be at least 1 and minLength")
		}
	}
}

// maxPattern bounds what a pattern may cost for each letter of a text, which a device chooses.
const maxPattern = 4096

// steps returns how large the program of a pattern is: all of it may be looked at for each letter.
func steps(pattern string) int {
	parsed, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil {
		return 0
	}
	prog, err := syntax.Compile(parsed.Simplify())
	if err != nil {
		return 0
	}
	return len(prog.Inst)
}

// enum reads the declared values.
func (r *reader) enum(s *Series, words []word, at string) {
	if len(words) == 0 {
		return
	}
	for _, w := range words {
		s.Enum = append(s.Enum, string(w))
	}
	values, err := newEnum(s.Kind, s.Enum)
	if err != nil {
		r.bad(at, "enum: %v", err)
	}
	s.enum = values
}

// limits reads the rules of our own.
func (r *reader) limits(s *Series, ext *seriesExtensions, at string) {
	numeric := s.Kind == Number || s.Kind == Integer
	if l := ext.MaxRate; l != nil {
		if l.Change <= 0 || l.Per <= 0 || !numeric {
			r.bad(at, "maxRate needs change above 0, per such as 1m, and logicalType: number or integer")
		} else {
			s.MaxRate = l.Change / time.Duration(l.Per).Seconds()
		}
	}
	if l := ext.AtMost; l != nil {
		if s.AtMost, s.Interval = l.Count, time.Duration(l.Per); l.Count <= 0 || s.Interval < time.Millisecond {
			r.bad(at, "atMost needs count above 0 and per such as 1m, of at least 1ms")
		}
	}
	if x := ext.Anomaly; x != nil {
		if s.Anomaly = cmp.Or(x.Threshold, defaultThreshold); s.Anomaly < 0 || !numeric || x.Method != "" && x.Method != "ewma" {
			r.bad(at, "anomaly needs threshold above 0 (in standard deviations; 3 if none is given, 6 is careful), logicalType: number or integer, and no method but ewma")
		}
	}
	if s.Stuck > 0 && !numeric && s.Kind != Boolean {
		r.bad(at, "stuck needs logicalType: number, integer or boolean")
	}
	if name := canonical(ext.Unit); name != ext.Unit {
		r.bad(at, "unit: write %s, the name that SenML has for %q", name, ext.Unit)
	}
	if ext.Unit != "" && !numeric {
		r.bad(at, "unit needs logicalType: number or integer")
	}
}
