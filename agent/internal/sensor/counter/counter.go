// Package counter is a sensor that counts its own reads: 0, 1, 2, ... from each
// start of the agent.
//
// It is for commissioning and for tests: within one epoch its landed values must
// be dense from 0, so a hole in the table is a lost reading and a value that
// stands twice is a doubled one, whatever anything else says. The end-to-end
// tests judge by it.
//
// Promise: Read never fails, and each call gives the next number (TestCounts).
package counter

import (
	"context"

	"github.com/headwater-iot/headwater/agent/internal/sensor"
	"github.com/headwater-iot/headwater/shared/record"
)

// Series is the name of the one series.
const Series = "count"

// Settings has no keys: a counter is `counter: {}`.
type Settings struct{}

// Check finds nothing: there is nothing to set.
func (Settings) Check(sensor.Report) {}

// Counter counts. It implements sensor.Driver; the zero value starts at 0.
type Counter struct{ n int64 }

// Announce returns the series.
func (*Counter) Announce() []record.Cell {
	return []record.Cell{record.FailedCell(Series, "count", record.Int)}
}

// Read returns how often it was called before.
func (c *Counter) Read(context.Context) ([]record.Cell, error) {
	cell := record.IntCell(Series, "count", c.n)
	c.n++
	return []record.Cell{cell}, nil
}
