package selftest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"strings"
	"sync"
	"time"

	"github.com/headwater-iot/headwater/agent/internal/sensor"
	"github.com/headwater-iot/headwater/shared/record"
)

const (
	// A sensor without a timeout of its own has its interval for one read, within these bounds, as under the sampler.
	leastTimeout, mostTimeout = time.Second, 10 * time.Second
	// returnGrace is how long a read may take to notice that its time is over before it counts as hung.
	returnGrace = 250 * time.Millisecond
)

// What can be wrong with a sensor beside what it says itself.
var (
	ErrHung      = errors.New("it hangs: the read did not return when its time was over")
	ErrNull      = errors.New("no value of")
	ErrNoRow     = errors.New("the source ended without a row")
	ErrDuplicate = errors.New("series that another sensor has as well (give one of them a prefix)")
)

// Result is what came of one sensor.
type Result struct {
	Sensor string
	Cells  []record.Cell // under their full names, those without a value too
	Took   time.Duration // to open and to read
	Err    error         // nil: it passed
}

// Run tries all sensors and returns their results in the order of the plans.
func Run(ctx context.Context, plans []sensor.Plan) []Result {
	results := make([]Result, len(plans))
	var all sync.WaitGroup
	for i, p := range plans {
		all.Go(func() { results[i] = one(ctx, p) })
	}
	all.Wait()
	owner := map[string]string{}
	for i, p := range plans {
		for _, c := range p.Announce {
			series := p.Prefix + c.Series
			if other, taken := owner[series]; taken && other != p.Name {
				results[i].Err = errors.Join(results[i].Err, fmt.Errorf("%w: %s, of %s", ErrDuplicate, series, other))
			}
			owner[series] = p.Name
		}
	}
	return results
}

// one waits for a sensor, but not for ever.
func one(ctx context.Context, p sensor.Plan) Result {
	switch {
	case p.Timeout != 0:
	case p.Source != nil:
		p.Timeout = mostTimeout
	default:
		p.Timeout = min(max(p.Interval, leastTimeout), mostTimeout)
	}
	limited, cancel := context.WithTimeout(ctx, p.Timeout)
	defer cancel()
	began := time.Now()
	answers := make(chan Result, 1) // room for an answer that nobody waits for any more
	go func() { answers <- attempt(limited, p) }()
	var r Result
	select {
	case r = <-answers:
	case <-limited.Done():
		grace := time.NewTimer(returnGrace)
		defer grace.Stop()
		select {
		case r = <-answers:
		case <-grace.C:
			r.Err = ErrHung
		}
	}
	r.Sensor, r.Took = p.Name, time.Since(began)
	return r
}

// attempt opens, reads and closes. A driver that panics has failed and takes no other with it.
func attempt(ctx context.Context, p sensor.Plan) (r Result) {
	defer func() {
		if v := recover(); v != nil {
			r.Err = fmt.Errorf("driver panicked: %v", v)
		}
	}()
	if p.Source != nil {
		return first(ctx, p.Source)
	}
	d, err := p.Open(ctx)
	if err != nil {
		return Result{Err: err}
	}
	cells, err := d.Read(ctx)
	if c, ok := d.(io.Closer); ok {
		err = errors.Join(err, c.Close())
	}
	return judge(p, cells, err)
}

// judge puts what was read beside what was announced.
func judge(p sensor.Plan, got []record.Cell, err error) Result {
	r := Result{Err: err}
	given := map[string]record.Cell{}
	for _, c := range got {
		given[c.Series] = c
	}
	var missing []string
	for _, announced := range p.Announce {
		c, ok := given[announced.Series]
		if !ok || !usable(c) || c.Kind != announced.Kind {
			c = announced
			missing = append(missing, p.Prefix+c.Series)
		}
		c.Series, c.Unit = p.Prefix+announced.Series, announced.Unit
		r.Cells = append(r.Cells, c)
	}
	switch {
	case len(missing) == 0:
	case err == nil:
		r.Err = fmt.Errorf("%w %s", ErrNull, strings.Join(missing, ", "))
	case len(got) > 0:
		r.Err = fmt.Errorf("%w %s: %w", ErrNull, strings.Join(missing, ", "), err)
	}
	return r
}

func usable(c record.Cell) bool {
	return !c.Null && (c.Kind != record.Float || !math.IsNaN(c.Float) && !math.IsInf(c.Float, 0))
}

// first returns the first row of a source.
func first(ctx context.Context, s sensor.Source) (r Result) {
	ctx, enough := context.WithCancel(ctx)
	defer enough()
	got := false
	err := s.Run(ctx, func(row record.Row) error {
		if !got { // a second one may come before the source sees that it was enough
			got = true
			r.Cells = append(r.Cells, row.Cells...)
			enough()
		}
		return context.Canceled
	})
	switch {
	case !got && err == nil:
		r.Err = ErrNoRow
	case !got:
		r.Err = fmt.Errorf("no row came: %w", err)
	case !anyUsable(r.Cells):
		r.Err = fmt.Errorf("%w anything in the first row", ErrNull)
	}
	return r
}

func anyUsable(cells []record.Cell) bool {
	for _, c := range cells {
		if usable(c) {
			return true
		}
	}
	return false
}

// Hint says what to look at, "" where the error itself does.
func Hint(err error) string {
	switch {
	case errors.Is(err, ErrHung), errors.Is(err, context.DeadlineExceeded):
		return "is it wired and powered? does it need a longer timeout?"
	case errors.Is(err, fs.ErrPermission):
		return "may this user read it (groups i2c, dialout)? is another process using it?"
	case errors.Is(err, fs.ErrNotExist):
		return "is it plugged in, its kernel module loaded, the path right?"
	case errors.Is(err, ErrNull):
		return "read it again; if it stays, the part of the device that measures it is gone"
	}
	return ""
}
