package contract

import (
	"cmp"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"
)

// Compatibility says how far a version of a contract is from the one before.
type Compatibility uint8

// The verdicts, in ascending order; the strongest of all changes counts.
const (
	Same       Compatibility = iota // the same text
	Compatible                      // who reads the tables, or feeds them, need not know
	Migration                       // nothing that was promised is lost, but rows before and after mean different things
	Breaking                        // a promise is taken back
)

// String returns the word that the command line uses.
func (c Compatibility) String() string {
	return [...]string{"same", "compatible", "migration", "breaking"}[c]
}

// MarshalText writes the word.
func (c Compatibility) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// UnmarshalText is the inverse of MarshalText.
func (c *Compatibility) UnmarshalText(text []byte) error {
	for *c = Same; *c <= Breaking; *c++ {
		if c.String() == string(text) {
			return nil
		}
	}
	return fmt.Errorf("%q is no verdict on two versions", text)
}

// Change is one difference between two versions.
type Change struct {
	Path    string        `json:"path"` // such as temperature.maximum, retention
	What    string        `json:"what"`
	Why     string        `json:"why"`
	Verdict Compatibility `json:"verdict"`
}

// Comparison is all that changed from one version to the next.
type Comparison struct {
	Verdict Compatibility `json:"verdict"`
	Changes []Change      `json:"changes"`
	Version string        `json:"version_problem,omitempty"` // why the version number does not fit the changes
}

// Compare says what a new version of a contract changes; see the package for what counts as what.
func Compare(old, next *Contract) Comparison {
	c := comparison{}
	if old.Hash() == next.Hash() {
		return c.Comparison
	}
	if old.ID != next.ID {
		c.add(Breaking, "id", change(old.ID, next.ID), "another product takes its place")
	}
	c.product(old, next)
	for _, name := range old.Names() {
		if s := next.Series[name]; s != nil {
			c.series(name+".", old.Series[name], s)
		} else {
			c.add(Breaking, name, "removed", "who reads the series finds nothing more")
		}
	}
	for _, name := range next.Names() {
		if old.Series[name] == nil {
			c.add(Compatible, name, "added", "no row there is changes")
		}
	}
	if len(c.Changes) == 0 {
		c.add(Compatible, "", "words", "no rule changes")
	}
	c.Version = versionProblem(old.Version, next.Version, c.Verdict)
	return c.Comparison
}

// Replaces returns nil if a new version may take the place of the old one, or the reason why not.
func (c *Contract) Replaces(old *Contract) error {
	got := Compare(old, c)
	if got.Verdict == Breaking && !c.AllowBreaking {
		for _, x := range got.Changes {
			if x.Verdict == Breaking {
				return fmt.Errorf("version %s of contract %s breaks %s: %s: %s; give it another id beside the old one, or set compatibility: none", c.Version, c.ID, old.Version, strings.TrimSpace(x.Path+" "+x.What), x.Why)
			}
		}
	}
	if got.Version != "" {
		return fmt.Errorf("contract %s: %s", c.ID, got.Version)
	}
	return nil
}

// comparison gathers changes.
type comparison struct{ Comparison }

func (c *comparison) add(v Compatibility, path, what, why string) {
	c.Changes = append(c.Changes, Change{path, what, why, v})
	c.Verdict = max(c.Verdict, v)
}

func change(old, next any) string { return fmt.Sprintf("%v -> %v", old, next) }

// product compares what is said of all series at once.
func (c *comparison) product(old, next *Contract) {
	for _, glob := range old.Devices {
		if !slices.ContainsFunc(next.Devices, func(n string) bool { return covers(n, glob) }) {
			c.add(Breaking, "devices", "without "+glob, "these devices are no longer under it")
		}
	}
	for _, glob := range next.Devices {
		if !slices.Contains(old.Devices, glob) {
			c.add(Compatible, "devices", "with "+glob, "more devices come under it")
		}
	}
	if o, n := old.Retention, next.Retention; o != n {
		if v, why := Breaking, "rows go earlier than promised"; n == 0 || o != 0 && n > o {
			c.add(Compatible, "retention", change(Span(o), Span(n)), "rows stay longer")
		} else {
			c.add(v, "retention", change(Span(o), Span(n)), why)
		}
	}
	c.tighter("allowedLateness", float64(old.AllowedLateness), float64(next.AllowedLateness), Span(old.AllowedLateness), Span(next.AllowedLateness))
	c.tighter("futureSkew", float64(old.FutureSkew), float64(next.FutureSkew), Span(old.FutureSkew), Span(next.FutureSkew))
	c.action("onLate", old.OnLate, next.OnLate)
	c.action("onFuture", old.OnFuture, next.OnFuture)
	switch {
	case old.LandUnknown && !next.LandUnknown:
		c.add(Migration, "unknownSeries", change("land", next.OnUnknown), "readings that landed as they came no longer do")
	case !old.LandUnknown && next.LandUnknown:
		c.add(Compatible, "unknownSeries", change(old.OnUnknown, "land"), "more readings land")
	case !next.LandUnknown:
		c.action("unknownSeries", old.OnUnknown, next.OnUnknown)
	}
	c.levels(old.Levels, next.Levels)
}

// covers reports whether every device that a pattern matches is matched by a wider one.
func covers(wider, glob string) bool {
	if wider == glob {
		return true
	}
	ok, err := path.Match(wider, glob) // a star takes the wildcards of the other in as letters
	return ok && err == nil && !strings.ContainsAny(wider, `?[\`)
}

// tighter compares an upper limit that readings must keep; 0 = none.
func (c *comparison) tighter(path string, old, next float64, was, is any) {
	switch {
	case old == next:
	case next == 0 || old != 0 && next > old:
		c.add(Compatible, path, change(was, is), "what kept the limit keeps it still")
	default:
		c.add(Migration, path, change(was, is), "readings break it that were good; rows that landed are not judged again")
	}
}

func (c *comparison) action(path string, old, next Action) {
	switch {
	case next > old:
		c.add(Migration, path, change(old, next), "readings leave the table that landed in it")
	case next < old:
		c.add(Compatible, path, change(old, next), "more readings land")
	}
}

// levels compares service levels. A weaker one takes nothing out of the tables, so it is not breaking.
func (c *comparison) levels(old, next []Level) {
	for _, o := range old {
		at := slices.IndexFunc(next, func(n Level) bool { return n.Property == o.Property })
		switch {
		case o.Property == "retention":
		case at < 0:
			c.add(Migration, o.Property, "removed", "readers were promised it")
		case next[at] == o:
		case next[at].Unit == o.Unit && better(o.Property, next[at].Value, o.Value):
			c.add(Compatible, o.Property, change(o.Value, next[at].Value)+" "+o.Unit, "a stronger promise")
		default:
			c.add(Migration, o.Property, fmt.Sprintf("%v %s -> %v %s", o.Value, o.Unit, next[at].Value, next[at].Unit), "readers were promised another level")
		}
	}
}

func better(property string, value, than float64) bool {
	if property == "completeness" {
		return value > than
	}
	return value < than && slices.Contains([]string{"latency", "freshness", "frequency"}, property)
}

// versionProblem returns why a version cannot follow another one, or "".
func versionProblem(old, next string, v Compatibility) string {
	o, n := numbers(old), numbers(next)
	switch {
	case v == Same:
	case slices.Compare(n, o) <= 0:
		return fmt.Sprintf("version %s must rise above %s: the text changed", next, old)
	case v == Breaking && n[0] <= o[0]:
		return fmt.Sprintf("version %s must be at least %d.0.0: the change is breaking", next, o[0]+1)
	}
	return ""
}

// numbers returns a version as the three numbers that Parse made sure it is.
func numbers(version string) []int {
	var out []int
	for part := range strings.SplitSeq(version, ".") {
		n, _ := strconv.Atoi(part) // too large a number counts as the largest
		out = append(out, n)
	}
	return append(out, 0, 0, 0)[:max(3, len(out))]
}

// span is what lies between two bounds; nil = open end.
type span struct {
	low, high         *float64
	openLow, openHigh bool
}

// within reports whether a span lies in another.
func (s span) within(o span) bool {
	return bound(s.low, s.openLow, o.low, o.openLow, 1) && bound(s.high, s.openHigh, o.high, o.openHigh, -1)
}

// bound reports whether bound x is no further out than bound of; outwards is down for sign 1, up for -1.
func bound(x *float64, open bool, of *float64, ofOpen bool, sign int) bool {
	switch {
	case of == nil:
		return true
	case x == nil:
		return false
	}
	d := cmp.Compare(*x, *of) * sign
	return d > 0 || d == 0 && (open || !ofOpen)
}

func (s span) String() string {
	low, high := "(-inf", "inf)"
	if s.low != nil {
		low = "[" + strconv.FormatFloat(*s.low, 'g', -1, 64)
		if s.openLow {
			low = "(" + low[1:]
		}
	}
	if s.high != nil {
		high = strconv.FormatFloat(*s.high, 'g', -1, 64) + "]"
		if s.openHigh {
			high = high[:len(high)-1] + ")"
		}
	}
	return low + ", " + high
}
