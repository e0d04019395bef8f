package sensor

import (
	"context"
	"math"
	"time"

	"github.com/headwater-iot/headwater/shared/record"
)

// Driver reads one sensor. The sampler calls Read from one goroutine at a time. An
// error without cells means that nothing was read, one beside cells says why the
// others are missing.
// A Driver that also has Close() error is closed by that same goroutine.
type Driver interface {
	Read(ctx context.Context) ([]record.Cell, error)
}

// Source produces rows by itself. Run returns nil when there are no more, and
// ctx's error soon after ctx ends. An error of emit means that the row was not
// accepted; the source decides whether to offer it again (Offer). A row with neither
// a wall time nor a unit of time gets that of its emit. A Source that also has Watch(func(error)) is
// given a way to say why it has no rows just now, and with nil that it has them.
type Source interface {
	Run(ctx context.Context, emit func(record.Row) error) error
}

// Plan is one configured sensor, ready to be sampled. Either Open or Source is set.
type Plan struct {
	Name     string        // groups the series into rows; unique on the device
	Prefix   string        // goes in front of every series name, so that two equal chips can be told apart
	Interval time.Duration // between reads; 0 for a source without a schedule
	Timeout  time.Duration // of one read; 0 = the sampler's choice
	Stuck    time.Duration // a value that has not moved for so long is marked; 0 = never
	Announce []record.Cell // one failed cell per scheduled series
	Open     func(ctx context.Context) (Driver, error)
	Source   Source

	OriginalTimes bool // the source stamps its rows itself, maybe long ago
}

// Rate returns how many readings a second the schedules of plans make.
func Rate(plans []Plan) float64 {
	rate := 0.0
	for _, p := range plans {
		if p.Interval > 0 {
			rate += float64(len(p.Announce)) / p.Interval.Seconds()
		}
	}
	return rate
}

// Report takes one problem of a configuration, at a dotted path below the sensor's own.
type Report func(path, format string, args ...any)

// Floats announces series of numbers: name, unit, name, unit, ...
func Floats(pairs ...string) []record.Cell {
	if len(pairs)%2 != 0 {
		panic("sensor: a series without a unit")
	}
	cells := make([]record.Cell, 0, len(pairs)/2)
	for i := 0; i < len(pairs); i += 2 {
		cells = append(cells, record.FailedCell(pairs[i], pairs[i+1], record.Float))
	}
	return cells
}

// Decimal returns the float64 nearest to n / 10^places, the one that a person
// gets who writes the decimal down. Dividing is exact to the last bit here,
// where multiplying by 0.01 is not. Places is at most 15.
func Decimal(n int64, places int) float64 {
	return float64(n) / math.Pow10(places)
}

// Rounded divides n by d, rounding half away from zero. It brings the fixed point of a chip to a Decimal.
func Rounded(n, d int64) int64 {
	if n < 0 {
		return -((-n + d/2) / d)
	}
	return (n + d/2) / d
}

// Places returns the fewest decimals that keep values apart which are a step apart.
func Places(step float64) int {
	places := 0
	for grid := 1.0; grid > math.Abs(step) && places < 15; places++ {
		grid = math.Pow10(-places - 1)
	}
	return places
}

// Near returns the decimal with so many places that is nearest to v.
func Near(v float64, places int) float64 {
	if n := math.Round(v * math.Pow10(places)); math.Abs(n) < 1<<53 {
		return Decimal(int64(n), places)
	}
	return v
}
