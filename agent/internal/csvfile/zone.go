package csvfile

import (
	"errors"
	"fmt"
	"slices"
	"time"
)

var (
	errGap  = errors.New("there is no such local time: the clocks went forward")
	errZone = errors.New("a time without a zone: pass --timezone")
)

// parseZone reads --timezone: UTC, +02:00, or a name such as Europe/Zurich. nil = none was given.
func parseZone(text string) (*time.Location, error) {
	switch text {
	case "":
		return nil, nil
	case "UTC", "Z":
		return time.UTC, nil
	case "Local":
		return nil, fmt.Errorf("%w: --timezone Local means another zone on another machine; name it", ErrOption)
	}
	if seconds, err := parseOffset(text); err == nil {
		return time.FixedZone(text, seconds), nil
	}
	zone, err := time.LoadLocation(text)
	if err != nil {
		return nil, fmt.Errorf("%w: --timezone %q: %w; use +02:00, UTC, or a name such as Europe/Zurich, for which this machine needs the package tzdata",
			ErrOption, text, err)
	}
	return zone, nil
}

// stand is where a file stands in an hour that the clocks repeated.
type stand struct {
	last int64 // us UTC, of the row before
	any  bool  // there was one
	step int64 // to it from the last one of another time; below 0 where the rows go downwards
	tied bool  // somewhere before, rows of one time follow each other
}

// calendar turns local times into instants.
type calendar struct {
	zone *time.Location

	stand

	from, to int64 // us UTC: between them and a day away from both, every local time is unique
}

// resolve returns the time of a row in us UTC, and whether its local time came twice.
func (c *calendar) resolve(t instant) (us int64, twice bool, err error) {
	us = t.us
	if !t.zoned {
		if c.zone == nil {
			return 0, false, errZone
		}
		if us, twice, err = c.local(t.us); err != nil {
			return 0, false, err
		}
	}
	if c.any && us != c.last {
		c.step = us - c.last
	}
	c.tied = c.tied || c.any && us == c.last && !twice
	c.last, c.any = us, true
	return us, twice, nil
}

const dayMicros = 86_400_000_000

// local finds the instant of a local time. One that came twice is the one that keeps the rows in order, upwards or
// downwards as the rows before it went, and the first where neither does.
func (c *calendar) local(wall int64) (us int64, twice bool, err error) {
	t := time.UnixMicro(wall).UTC()
	guess := time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), c.zone)
	us = guess.UnixMicro()
	if us > c.from && us < c.to {
		return us, false, nil
	}
	var all []int64
	for _, near := range []time.Time{guess, guess.Add(-24 * time.Hour), guess.Add(24 * time.Hour)} {
		_, offset := near.Zone()
		at := wall - int64(offset)*1e6
		if _, is := time.UnixMicro(at).In(c.zone).Zone(); is == offset && !slices.Contains(all, at) {
			all = append(all, at)
		}
	}
	slices.Sort(all)
	switch len(all) {
	case 0:
		return 0, false, errGap
	case 1:
		c.settle(guess)
		return all[0], false, nil
	}
	return c.choose(all), true, nil
}

// choose returns the first of the times, in the direction of the rows, that keeps them in order. Where rows come hourly or
// more rarely, and no two have had one time so far, the same time again is the next one.
func (c *calendar) choose(all []int64) int64 {
	if !c.any {
		return all[0]
	}
	hourly := !c.tied && max(c.step, -c.step) >= all[len(all)-1]-all[0]
	fits := func(at int64) bool { return at > c.last || at == c.last && !hourly }
	if c.step < 0 || c.step == 0 && all[len(all)-1] < c.last { // by the row before alone
		slices.Reverse(all)
		fits = func(at int64) bool { return at < c.last || at == c.last && !hourly }
	}
	if i := slices.IndexFunc(all, fits); i >= 0 {
		return all[i]
	}
	return slices.Min(all)
}

// settle notes between which changes of the clocks a time lies.
func (c *calendar) settle(t time.Time) {
	const far = 1 << 60
	c.from, c.to = -far, far
	start, end := t.ZoneBounds()
	if !start.IsZero() {
		c.from = start.UnixMicro() + dayMicros
	}
	if !end.IsZero() {
		c.to = end.UnixMicro() - dayMicros
	}
}
