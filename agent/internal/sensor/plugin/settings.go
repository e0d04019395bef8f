package plugin

import (
	"cmp"
	"maps"
	"path/filepath"
	"slices"

	"github.com/headwater-iot/headwater/agent/internal/sensor"
	"github.com/headwater-iot/headwater/shared/record"
	"github.com/headwater-iot/headwater/shared/strictyaml"
)

const (
	// DefaultMaxLine is room for about a thousand values.
	DefaultMaxLine strictyaml.Size = 64 << 10
	// mostMaxLine keeps what one line can say below what a batch can carry.
	mostMaxLine strictyaml.Size = 128 << 10
	// mostSeries keeps a row well below what a batch can carry.
	mostSeries = 1000
	// path is all that a plug-in finds by itself.
	path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
)

// Mode says how a plug-in runs.
type Mode string

// The modes. Read is the default.
const (
	Read   Mode = "read"   // started at each tick; prints one line and exits
	Stream Mode = "stream" // runs all the time and prints lines when it has some
)

// Format is what a plug-in prints.
type Format string

// The formats. JSON is the default.
const (
	JSON Format = "json" // a line each
	CBOR Format = "cbor" // one item after the other, without anything between them (RFC 8742)
)

// Settings say what to run, and which series to expect of it.
type Settings struct {
	// Command is an absolute path and its arguments. There is no shell.
	Command []string `yaml:"command"`
	// Mode is read, the default: run at each tick, one line; or stream: runs all the time, a row per line, and is
	// started again when it gives none for the timeout of the sensor, if that is set.
	Mode Mode `yaml:"mode,omitempty"`
	// Format is json, the default, or cbor.
	Format Format `yaml:"format,omitempty"`
	// Series are those it may give, by name.
	Series map[string]Series `yaml:"series"`
	// OwnTimes takes the times that the rows of a stream carry; the sensor's readings are then original times.
	OwnTimes bool `yaml:"own_times,omitempty"`
	// Env is added to its environment, which else is PATH and LANG alone.
	Env Env `yaml:"env,omitempty"`
	// Dir is where it runs; / by default.
	Dir string `yaml:"dir,omitempty"`
	// MaxLine is how long a line, or CBOR item, may be; 64KiB by default.
	MaxLine strictyaml.Size `yaml:"max_line,omitempty"`
}

// Env are variables by name. Their values may be secrets.
type Env map[string]string

// MarshalYAML implements yaml.Marshaler: check prints the names alone.
func (e Env) MarshalYAML() (any, error) {
	hidden := map[string]string{}
	for name := range e {
		hidden[name] = "xxxxx" // as a URL shows its password
	}
	return hidden, nil
}

// Series is what a series of a plug-in is.
type Series struct {
	// Unit is the SenML unit.
	Unit string `yaml:"unit,omitempty"`
	// Type is float, the default, int, uint, text or bool.
	Type Type `yaml:"type,omitempty"`
}

// Type is the kind of values of a series.
type Type string

// The types. Float is the default.
const (
	Float Type = "float"
	Int   Type = "int"
	Uint  Type = "uint"
	Text  Type = "text"
	Bool  Type = "bool"
)

// kind is that of the record; 0 for a type that does not exist.
func (t Type) kind() record.ValueKind {
	switch t {
	case "", Float:
		return record.Float
	case Int:
		return record.Int
	case Uint:
		return record.Uint
	case Text:
		return record.Text
	case Bool:
		return record.Bool
	}
	return 0
}

// Check reports every problem of the settings.
func (s Settings) Check(report sensor.Report) {
	if len(s.Command) == 0 || !filepath.IsAbs(s.Command[0]) {
		report("command", "must begin with an absolute path, such as /usr/local/bin/read-lab, not %q", s.Command)
	}
	if !slices.Contains([]Mode{"", Read, Stream}, s.Mode) {
		report("mode", "must be read or stream, not %q", string(s.Mode))
	}
	if !slices.Contains([]Format{"", JSON, CBOR}, s.Format) {
		report("format", "must be json or cbor, not %q", string(s.Format))
	}
	if n := len(s.Series); n == 0 || n > mostSeries {
		report("series", "must be 1 to %d, not %d", mostSeries, n)
	}
	for _, name := range slices.Sorted(maps.Keys(s.Series)) {
		if name == "" {
			report("series", "has one without a name")
		}
		if s.Series[name].Type.kind() == 0 {
			report("series."+name+".type", "must be float, int, uint, text or bool, not %q", string(s.Series[name].Type))
		}
	}
	if s.OwnTimes && s.Mode != Stream {
		report("own_times", "is for mode stream: in mode read a row has the time of the read")
	}
	if s.Dir != "" && !filepath.IsAbs(s.Dir) {
		report("dir", "must be an absolute path, not %q", s.Dir)
	}
	if s.MaxLine < 0 || s.MaxLine > mostMaxLine {
		report("max_line", "must be at most %v", mostMaxLine)
	}
}

// Announce returns the series, by name.
func (s Settings) Announce() []record.Cell {
	cells := make([]record.Cell, 0, len(s.Series))
	for _, name := range slices.Sorted(maps.Keys(s.Series)) {
		cells = append(cells, record.FailedCell(name, s.Series[name].Unit, s.Series[name].Type.kind()))
	}
	return cells
}

// environment is that of the process: nothing of the agent's own, which may hold secrets.
func (s Settings) environment() []string {
	env := []string{"PATH=" + path, "LANG=C.UTF-8"}
	for _, name := range slices.Sorted(maps.Keys(s.Env)) {
		env = append(env, name+"="+s.Env[name]) // the last one of a name counts
	}
	return env
}

func (s Settings) maxLine() int { return int(cmp.Or(s.MaxLine, DefaultMaxLine)) }
