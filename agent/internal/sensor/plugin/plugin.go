package plugin

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"math/big"
	"slices"
	"strconv"
	"time"

	"github.com/headwater-iot/headwater/shared/meter"
	"github.com/headwater-iot/headwater/shared/record"
)

// Config is what a Plugin works with. Meter may be nil.
type Config struct {
	Name    string        // of the sensor
	Prefix  string        // of the series of a stream; a driver's get theirs from the sampler
	Silence time.Duration // of a stream, after which it is ended and started anew; 0 = never
	Logger  *slog.Logger
	Meter   *meter.Registry
}

// Plugin runs a program of the operator's own. In mode read it is a sensor.Driver, in mode stream a sensor.Source.
type Plugin struct {
	settings Settings
	config   Config
	announce []record.Cell
	index    map[string]int // of a series in announce

	lines, values, ends       map[string]*meter.Counter // by reason
	stderr, badLine, badValue throttle
	report                    func(error)
}

// Reasons for a line, and for a value, that is not taken, and for the end of a stream.
const (
	reasonLong   = "long"
	reasonSyntax = "syntax"
	reasonTime   = "time"
	reasonExtra  = "extra"
	reasonCut    = "cut"

	reasonUnannounced = "unannounced"
	reasonKind        = "kind"
	reasonUnit        = "unit"
	reasonTwice       = "twice"

	reasonExit   = "exit"
	reasonSilent = "silent"
)

// New returns a plug-in. It starts nothing. The settings have passed Check.
func New(s Settings, c Config) *Plugin {
	p := &Plugin{
		settings: s, config: c, announce: s.Announce(), index: map[string]int{}, report: func(error) {},
		stderr: throttle{most: 10}, badLine: throttle{most: 1}, badValue: throttle{most: 1},
	}
	for i, cell := range p.announce {
		p.index[cell.Series] = i
	}
	count := func(name, help string, reasons ...string) map[string]*meter.Counter {
		counters := map[string]*meter.Counter{}
		for _, reason := range reasons {
			counters[reason] = c.Meter.Counter(name, help, "sensor", c.Name, "reason", reason)
		}
		return counters
	}
	p.lines = count("headwater_exec_bad_lines_total", "Lines of a plug-in that could not be used.",
		reasonLong, reasonSyntax, reasonTime, reasonExtra, reasonCut)
	p.values = count("headwater_exec_bad_values_total", "Values in good lines of a plug-in that could not be used.",
		reasonUnannounced, reasonKind, reasonUnit, reasonTwice)
	p.ends = count("headwater_exec_ends_total", "How often a plug-in that streams ended and was started again.",
		reasonExit, reasonSilent)
	return p
}

// Announce returns the series, without the prefix.
func (p *Plugin) Announce() []record.Cell { return slices.Clone(p.announce) }

// ErrNothing means that a plug-in ended well and printed nothing that could be used.
var ErrNothing = errors.New("it printed no line that could be used")

// Read runs the command once.
func (p *Plugin) Read(ctx context.Context) ([]record.Cell, error) {
	var cells []record.Cell
	var bad error
	err := p.run(ctx, false, func(item []byte, err error) error {
		if err == nil && cells != nil {
			p.refuse(reasonExtra, item, errors.New("in mode read one line is taken"))
			return nil
		}
		var rows []said
		if err == nil {
			rows, err = decode(p.settings.Format, item)
		}
		if err != nil {
			bad = err
			p.refuse(reason(err), item, err)
			return nil
		}
		var all said // whatever the times are: these are the readings of this tick
		for _, row := range rows {
			all.values = append(all.values, row.values...)
		}
		cells = p.cells(all)
		return nil
	})
	switch {
	case err != nil:
		return nil, err
	case cells == nil && bad != nil:
		return nil, bad
	case cells == nil:
		return nil, ErrNothing
	}
	return cells, nil
}

// reason names what is wrong with a line.
func reason(err error) string {
	switch {
	case errors.Is(err, ErrLong):
		return reasonLong
	case errors.Is(err, ErrTime):
		return reasonTime
	default:
		return reasonSyntax
	}
}

// refuse counts a line that is not taken, and shows it.
func (p *Plugin) refuse(reason string, line []byte, err error) {
	p.lines[reason].Inc()
	if held, ok := p.badLine.allow(); ok {
		p.config.Logger.Warn("line of a plug-in is left out", "sensor", p.config.Name, "reason", reason,
			"line", fmt.Sprintf("%.120q", line), "held_back", held, "error", err)
	}
}

// cells returns the readings of the values that were announced. Others are counted, as are unusable ones, which are
// null readings: somebody meant to say something.
func (p *Plugin) cells(row said) []record.Cell {
	found := make([]*record.Cell, len(p.announce))
	for _, v := range row.values {
		i, ok := p.index[v.name]
		switch {
		case !ok && v.name == timeName:
			continue
		case !ok:
			p.reject(reasonUnannounced, v)
			continue
		case found[i] != nil:
			p.reject(reasonTwice, v)
			continue
		}
		cell, ok := p.announce[i], false
		switch {
		case v.unit != "" && v.unit != cell.Unit:
			p.reject(reasonUnit, v)
		case v.v == nil: // its own word for a failure
		default:
			if cell, ok = fill(cell, v.v); !ok {
				p.reject(reasonKind, v)
			}
		}
		found[i] = &cell
	}
	cells := make([]record.Cell, 0, len(row.values))
	for _, cell := range found { // in the order in which they were announced
		if cell != nil {
			cells = append(cells, *cell)
		}
	}
	return cells
}

// reject counts a value that is not taken, and shows it.
func (p *Plugin) reject(reason string, v value) {
	p.values[reason].Inc()
	if held, ok := p.badValue.allow(); ok {
		p.config.Logger.Warn("value of a plug-in is left out; is it in the configuration?", "sensor", p.config.Name,
			"reason", reason, "series", v.name, "unit", v.unit, "value", fmt.Sprintf("%.60v", v.v), "held_back", held)
	}
}

// fill puts a value into the cell of its series, if it is of that kind. A failed cell becomes a good one.
func fill(failed record.Cell, v any) (record.Cell, bool) {
	cell, ok := failed, false
	switch cell.Kind {
	case record.Float:
		cell.Float, ok = number(v)
	case record.Int:
		var n *big.Int
		if n, ok = integer(v); ok && n.IsInt64() {
			cell.Int = n.Int64()
		} else {
			ok = false
		}
	case record.Uint:
		var n *big.Int
		if n, ok = integer(v); ok && n.IsUint64() {
			cell.Uint = n.Uint64()
		} else {
			ok = false
		}
	case record.Text:
		cell.Text, ok = v.(string)
	case record.Bool:
		var on bool
		if on, ok = v.(bool); on {
			cell.Int = 1
		}
	}
	if !ok {
		return failed, false
	}
	cell.Null, cell.Quality = false, 0
	if cell.Kind == record.Float && (math.IsNaN(cell.Float) || math.IsInf(cell.Float, 0)) {
		failed.Quality |= record.Suspect
		return failed, true
	}
	return cell, true
}

// number returns a number as the float nearest to it.
func number(v any) (float64, bool) {
	switch v := v.(type) {
	case numeral:
		f, err := strconv.ParseFloat(string(v), 64)
		return f, err == nil || errors.Is(err, strconv.ErrRange)
	case float64:
		return v, true
	case int64:
		return float64(v), true
	case uint64:
		return float64(v), true
	}
	return 0, false
}

// timeName is the name of the time in an object, unless a series is called so.
const timeName = "t"

// at returns when a row was taken by its own word, in ms or us since 1970.
func (p *Plugin) at(row said) (ticks int64, unit record.TimeUnit, err error) {
	at := row.time
	if _, series := p.index[timeName]; at == nil && !series {
		for _, v := range row.values {
			if v.name == timeName {
				at = v.v
			}
		}
	}
	if at == nil || !p.settings.OwnTimes {
		return 0, 0, nil
	}
	const mostSeconds = 1e11 // the year 5138; what is larger is in milliseconds, and a mistake
	s, ok := rational(at)
	if !ok || s.Cmp(big.NewRat(mostSeconds, 1)) >= 0 || s.Cmp(big.NewRat(-mostSeconds, 1)) <= 0 {
		return 0, 0, fmt.Errorf("%w: %.40v", ErrTime, at)
	}
	f, _ := s.Mul(s, big.NewRat(1_000_000, 1)).Float64()
	us := int64(math.Round(f))
	if us%1000 == 0 {
		return us / 1000, record.Milli, nil
	}
	return us, record.Micro, nil
}

// prefixed returns the cells under their full names.
func prefixed(cells []record.Cell, prefix string) []record.Cell {
	for i := range cells {
		cells[i].Series = prefix + cells[i].Series
	}
	return cells
}
