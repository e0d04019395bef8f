package contract

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"regexp"
	"slices"
	"time"
)

// Contract is what one data product promises, as the gateway understands it. It does not change once it is parsed.
type Contract struct {
	ID, Name, Version, Status   string
	Domain, Product, Tenant     string
	Purpose, Limitations, Usage string
	Owner                       string   // the member of the team with the role owner
	Roles                       []string // who may do what, as words for the catalogue
	Tags                        []string
	Glossary                    map[string]string // words of the product and what they mean
	Devices                     []string          // globs
	Series                      map[string]*Series
	Objects                     []Object      // the tables it documents
	AllowedLateness, FutureSkew time.Duration // 0 = no such rule
	OnLate, OnFuture, OnUnknown Action
	LandUnknown                 bool          // a series without a declaration lands, unflagged
	AllowBreaking               bool          // a breaking version may take the place of this one's predecessor
	Retention                   time.Duration // 0 = for ever
	Levels                      []Level
	Checks                      []WindowCheck // over all series
	Source                      []byte        // the file as it was

	text string // names the exact text, as memories do

	pseudonym func(string) string // nil: texts that should be hashed are masked
}

// Series is what a contract says of one series.
type Series struct {
	Name, Description string
	Kind              Kind
	Unit              string // SenML; "" = not declared, everything is taken as it comes
	Required          bool   // null breaks the contract, and so does a schedule without the series
	Minimum, Maximum  *float64
	OpenMin, OpenMax  bool // the bound itself is outside
	MultipleOf        float64
	Pattern           *regexp.Regexp
	MinLength         int
	MaxLength         int // 0 = no limit
	Enum              []string
	Every             time.Duration // how often a reading is due; 0 = not declared
	MaxRate           float64       // change per second; 0 = no such rule
	Stuck             time.Duration // 0 = no such rule
	AtMost            int           // readings in an interval of Interval; 0 = no such rule
	Interval          time.Duration
	Anomaly           float64 // threshold; 0 = no such rule
	Personal          Personal
	Actions           map[Rule]Action // of rules whose action is not OnViolation
	OnViolation       Action
	Checks            []WindowCheck
	Classification    string
	Tags              []string

	bounded bool // there is a range or a multiple
	enum    *enum
}

// Action returns what happens to a reading of the series that breaks a rule.
func (s *Series) Action(r Rule) Action {
	if r == RuleAnomaly {
		return s.own(r, Flag)
	}
	return s.own(r, s.OnViolation)
}

// own returns the action that the series itself names for a rule, or the other.
func (s *Series) own(r Rule, other Action) Action {
	if a, ok := s.Actions[r]; ok {
		return a
	}
	return other
}

// Kind is the kind of value that a series has.
type Kind uint8

// The kinds. Any is for a series that declares none.
const (
	Any Kind = iota
	Number
	Integer
	Text
	Boolean
)

// Personal says how the values of a series are made impersonal before they land.
type Personal uint8

// The ways.
const (
	Open   Personal = iota
	Hashed          // a keyed hash takes the place of the text: equal texts stay equal
	Masked          // nothing but the fact that there was a value
)

// Level is a service level that the product promises: freshness, completeness, ...
type Level struct {
	Property string
	Value    float64
	Unit     string
}

// Object documents a table of the lake.
type Object struct {
	Table, Description string
	Columns            map[string]string // what each column means
}

// Hash names the exact text of the contract.
func (c *Contract) Hash() string {
	sum := sha256.Sum256(c.Source)
	return hex.EncodeToString(sum[:])
}

// Text names the contract, its version and its exact text: what rules remember is of no use to another one, be it that
// it was removed and came back with other rules under the same version.
func (c *Contract) Text() string { return c.text }

// Keyed returns the contract with the key that turns personal texts into pseudonyms: the first 16 bytes of HMAC-SHA-256,
// in hex. Without a key they are masked.
func (c *Contract) Keyed(key []byte) *Contract {
	with := *c
	with.pseudonym = func(text string) string {
		mac := hmac.New(sha256.New, key)
		mac.Write([]byte(text))
		return hex.EncodeToString(mac.Sum(nil)[:16])
	}
	return &with
}

// Names returns the names of all series, sorted.
func (c *Contract) Names() []string { return slices.Sorted(maps.Keys(c.Series)) }

// Lacks returns the required series that a device does not announce, sorted. A device that announces none says nothing.
func (c *Contract) Lacks(schedule []string) []string {
	if c == nil || len(schedule) == 0 {
		return nil
	}
	return slices.DeleteFunc(c.Names(), func(name string) bool { return !c.Series[name].Required || slices.Contains(schedule, name) })
}

// Stateful reports whether a rule of the series needs the readings before.
func (s *Series) Stateful() bool {
	return s.MaxRate > 0 || s.Stuck > 0 || s.AtMost > 0 || s.Anomaly > 0
}
