package selftest

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/headwater-iot/headwater/agent/internal/sensor"
	"github.com/headwater-iot/headwater/shared/record"
)

// driver is a sensor of a test: what it reads, and how it closes.
type driver struct {
	read   func(context.Context) ([]record.Cell, error)
	closed error
}

func (d driver) Read(ctx context.Context) ([]record.Cell, error) { return d.read(ctx) }
func (d driver) Close() error                                    { return d.closed }

func plan(name string, read func(context.Context) ([]record.Cell, error)) sensor.Plan {
	return sensor.Plan{
		Name: name, Prefix: name + "_", Timeout: time.Second, Announce: sensor.Floats("t", "Cel", "p", "Pa"),
		Open: func(context.Context) (sensor.Driver, error) { return driver{read: read}, nil },
	}
}

func gives(cells ...record.Cell) func(context.Context) ([]record.Cell, error) {
	return func(context.Context) ([]record.Cell, error) { return cells, nil }
}

var (
	t20  = record.FloatCell("t", "Cel", 20)
	p900 = record.FloatCell("p", "Pa", 900)
)

func TestWhatPasses(t *testing.T) {
	errUnplugged := errors.New("unplugged")
	for _, tc := range []struct {
		name string
		plan sensor.Plan
		want error
	}{
		{"both", plan("a", gives(p900, t20)), nil},
		{"one more than announced", plan("a", gives(p900, t20, record.FloatCell("x", "", 1))), nil},
		{"left out", plan("a", gives(t20)), ErrNull},
		{"null", plan("a", gives(t20, record.FailedCell("p", "Pa", record.Float))), ErrNull},
		{"not a number", plan("a", gives(t20, record.FloatCell("p", "Pa", math.NaN()))), ErrNull},
		{"another kind", plan("a", gives(t20, record.IntCell("p", "Pa", 1))), ErrNull},
		{"an error", plan("a", func(context.Context) ([]record.Cell, error) { return nil, errUnplugged }), errUnplugged},
		{"no opening", sensor.Plan{Name: "a", Open: func(context.Context) (sensor.Driver, error) { return nil, fs.ErrPermission }}, fs.ErrPermission},
		{"no closing", sensor.Plan{Name: "a", Open: func(context.Context) (sensor.Driver, error) {
			return driver{gives(), errUnplugged}, nil
		}}, errUnplugged},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := Run(t.Context(), []sensor.Plan{tc.plan})[0]
			if (r.Err == nil) != (tc.want == nil) || !errors.Is(r.Err, tc.want) || r.Sensor != "a" {
				t.Errorf("%+v, want %v", r, tc.want)
			}
			if len(r.Cells) != len(tc.plan.Announce) || len(r.Cells) > 0 && r.Cells[0].Series != "a_t" {
				t.Errorf("cells %+v", r.Cells)
			}
		})
	}
	r := Run(t.Context(), []sensor.Plan{plan("a", func(context.Context) ([]record.Cell, error) { panic("bug") })})[0]
	if r.Err == nil || !strings.Contains(r.Err.Error(), "panicked: bug") {
		t.Errorf("%+v", r)
	}
}

func TestOneThatHangsHoldsUpNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hung := make(chan struct{})
		began := time.Now()
		results := Run(t.Context(), []sensor.Plan{
			plan("hangs", func(context.Context) ([]record.Cell, error) { <-hung; return nil, nil }),
			plan("slow", func(ctx context.Context) ([]record.Cell, error) { <-ctx.Done(); return nil, ctx.Err() }),
			plan("good", gives(t20, p900)),
		})
		if took := time.Since(began); took != time.Second+returnGrace {
			t.Errorf("took %v", took)
		}
		if !errors.Is(results[0].Err, ErrHung) || !errors.Is(results[1].Err, context.DeadlineExceeded) || results[2].Err != nil {
			t.Errorf("%+v", results)
		}
		if results[1].Took != time.Second || results[2].Took != 0 {
			t.Errorf("took %v and %v", results[1].Took, results[2].Took)
		}
		close(hung)
	})
}

// source emits rows and then ends, waits, or fails.
type source struct {
	rows []record.Row
	end  func(context.Context) error
}

func (s source) Run(ctx context.Context, emit func(record.Row) error) error {
	for _, row := range s.rows {
		if err := emit(row); err != nil && ctx.Err() == nil {
			return fmt.Errorf("not accepted, but not told to stop: %w", err)
		}
	}
	return s.end(ctx)
}

func TestSources(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		wait := func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }
		end := func(context.Context) error { return nil }
		gone := func(context.Context) error { return fs.ErrNotExist }
		null := record.FailedCell("t", "Cel", record.Float)
		for _, tc := range []struct {
			name   string
			source source
			want   error
		}{
			{"rows without end", source{[]record.Row{{Cells: []record.Cell{t20, null}}, {Cells: []record.Cell{p900}}}, wait}, nil},
			{"one row", source{[]record.Row{{Cells: []record.Cell{t20}}}, end}, nil},
			{"only nulls", source{[]record.Row{{Cells: []record.Cell{null}}}, wait}, ErrNull},
			{"empty", source{nil, end}, ErrNoRow},
			{"silent", source{nil, wait}, context.DeadlineExceeded},
			{"broken", source{nil, gone}, fs.ErrNotExist},
		} {
			r := Run(t.Context(), []sensor.Plan{{Name: "s", Source: tc.source, Announce: sensor.Floats("t", "Cel", "p", "Pa")}})[0]
			if (r.Err == nil) != (tc.want == nil) || !errors.Is(r.Err, tc.want) {
				t.Errorf("%s: %v, want %v", tc.name, r.Err, tc.want)
			}
			if len(tc.source.rows) > 0 && len(r.Cells) != len(tc.source.rows[0].Cells) {
				t.Errorf("%s: %+v", tc.name, r.Cells)
			}
		}
	})
}

func TestSeriesOfTwoSensors(t *testing.T) {
	a, b := plan("a", gives(t20, p900)), plan("b", gives(t20, p900))
	a.Prefix, b.Prefix = "", ""
	r := Run(t.Context(), []sensor.Plan{a, b})
	if r[0].Err != nil || !errors.Is(r[1].Err, ErrDuplicate) {
		t.Errorf("%v, %v", r[0].Err, r[1].Err)
	}
}

func TestHints(t *testing.T) {
	for _, err := range []error{ErrHung, ErrNull, fs.ErrNotExist, fs.ErrPermission, context.DeadlineExceeded} {
		if Hint(fmt.Errorf("read: %w", err)) == "" {
			t.Errorf("none for %v", err)
		}
	}
	if got := Hint(errors.New("other (is it wired?)")); got != "" {
		t.Errorf("%q", got)
	}
}
