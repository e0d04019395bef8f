package lake

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/headwater-iot/headwater/gateway/internal/table"
	"github.com/headwater-iot/headwater/shared/record"
)

// model is what a lake has to hold, kept the simple way.
type model struct {
	owner    *table.Marks
	readings map[string]int    // "device seq value"
	gaps     map[string]int    // "device epoch from presumed"
	versions map[string]uint64 // "device epoch"
	seq      uint64
}

func gapText(g table.GapRow) string {
	return fmt.Sprintf("%s %s %d %v", g.Device, g.Epoch, g.From, g.Presumed)
}

// TestModel runs random commits, failures, takeovers, restarts and maintenance, and compares with the model each time.
func TestModel(t *testing.T) {
	if f := flag.Lookup("rapid.checks"); f.Value.String() == f.DefValue {
		f.Value.Set("8") // of thirty steps, each with a dozen synced files; ask for more with -rapid.checks
	}
	rapid.Check(t, func(t *rapid.T) {
		dir, err := os.MkdirTemp("", "lake-model")
		if err != nil {
			t.Fatal(err)
		}
		defer os.RemoveAll(dir)
		var failAt string
		open := func() *Lake {
			l, err := Open(context.Background(), Config{
				Dir: dir, Logger: slog.New(slog.DiscardHandler), Partitions: 2,
				Step: func(name string) error {
					if name == failAt {
						return errInjected
					}
					return nil
				},
			})
			if err != nil {
				t.Fatal(err)
			}
			l.keep = 3
			return l
		}
		l := open()
		defer func() { l.Close() }()
		m := &model{readings: make(map[string]int), gaps: make(map[string]int), versions: make(map[string]uint64)}
		t.Repeat(map[string]func(*rapid.T){
			"takeover": func(t *rapid.T) { m.takeOver(t, l) },
			"commit":   func(t *rapid.T) { m.commit(t, l, nil) },
			"fail": func(t *rapid.T) {
				at := rapid.SampledFrom(Steps()).Draw(t, "step")
				m.commit(t, l, func() func() { failAt = at; return func() { failAt = "" } })
			},
			"restart": func(t *rapid.T) {
				if err := l.Close(); err != nil {
					t.Fatal(err)
				}
				l = open()
			},
			"maintain": func(t *rapid.T) {
				if err := l.Maintain(context.Background()); err != nil {
					t.Fatal(err)
				}
			},
			"": func(t *rapid.T) { m.check(t, l) },
		})
	})
}

func (m *model) takeOver(t *rapid.T, l *Lake) {
	_, pin, err := l.LoadCursors(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	marks := table.Marks{Next: []uint64{0, 0}}
	marks.Log[0] = rapid.Byte().Draw(t, "log")
	if err := l.TakeOver(context.Background(), pin, marks); err != nil {
		t.Fatal(err)
	}
	m.owner = &marks
}

// commit makes a random commit, with a failure if fail arms one, and applies it to the model if it landed.
func (m *model) commit(t *rapid.T, l *Lake, fail func() func()) {
	if m.owner == nil {
		t.Skip("no owner yet")
	}
	c := m.draw(t)
	disarm := func() {}
	if fail != nil {
		disarm = fail()
	}
	err := l.Commit(context.Background(), c)
	disarm()
	landed := err == nil
	if err != nil {
		if !errors.Is(err, errInjected) {
			t.Fatal(err)
		}
		now, _, merr := l.Marks(context.Background())
		if merr != nil {
			t.Fatal(merr)
		}
		if landed = sameMarks(now, c.Marks); landed && !errors.Is(err, ErrUnknown) {
			t.Fatalf("landed, and said %v", err)
		}
	}
	if landed {
		m.apply(c)
	}
}

func (m *model) draw(t *rapid.T) *table.Commit {
	device := rapid.SampledFrom([]string{"a", "b", "c"})
	epoch := rapid.Custom(func(t *rapid.T) record.Epoch { return record.Epoch(rapid.IntRange(1, 2).Draw(t, "epoch")) })
	c := &table.Commit{Expect: *m.owner, Marks: next(*m.owner)}
	for range rapid.IntRange(0, 3).Draw(t, "runs") {
		n := rapid.IntRange(1, 5).Draw(t, "n")
		c.Readings = append(c.Readings, floats(device.Draw(t, "device"), "s", m.seq, make([]float64, n)...))
		m.seq += uint64(n)
	}
	for range rapid.IntRange(0, 2).Draw(t, "gaps") {
		m.seq++
		c.Gaps = append(c.Gaps, gap(device.Draw(t, "device"), epoch.Draw(t, "epoch"), m.seq, rapid.Bool().Draw(t, "presumed")))
	}
	for range rapid.IntRange(0, 2).Draw(t, "regaps") {
		c.Regap = append(c.Regap, table.Key{Device: device.Draw(t, "device"), Epoch: epoch.Draw(t, "epoch")})
	}
	for _, d := range []string{"a", "b", "c"} {
		if rapid.Bool().Draw(t, "cursor") {
			cur := cursorOf(d, m.versions[d]+1, m.versions[d]+1)
			c.Cursors = append(c.Cursors, cur)
		}
	}
	return c
}

func (m *model) apply(c *table.Commit) {
	m.owner = &c.Marks
	for _, r := range c.Readings {
		for i := range r.Seq {
			m.readings[fmt.Sprintf("%s %d", r.Device, r.Seq[i])]++
		}
	}
	for _, k := range c.Regap {
		for text := range maps.Clone(m.gaps) {
			var g table.GapRow
			if n, _ := fmt.Sscanf(text, "%s %x %d %t", &g.Device, &g.Epoch, &g.From, &g.Presumed); n == 4 && g.Presumed && g.Device == k.Device && g.Epoch == k.Epoch {
				delete(m.gaps, text)
			}
		}
	}
	for _, g := range c.Gaps {
		m.gaps[gapText(g)]++
	}
	for _, cur := range c.Cursors {
		m.versions[cur.Device] = cur.Version
	}
}

// check reads everything through a reader of its own.
func (m *model) check(t *rapid.T, l *Lake) {
	r, err := OpenReader(l.cfg.Dir)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	scan := func(name string, columns []string, where string) map[string]int {
		got := make(map[string]int)
		req := ScanRequest{Table: name, Columns: columns, Where: where}
		err := r.Scan(context.Background(), req, func([]string) error { return nil }, func(v []any) error {
			line := fmt.Sprint(v...)
			if len(v) > 1 {
				line = fmt.Sprintf("%v", v[0])
				for _, x := range v[1:] {
					line += fmt.Sprintf(" %v", x)
				}
			}
			got[line]++
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	if diff := cmp.Diff(m.readings, scan(table.Readings, []string{"device", "seq"}, "")); diff != "" {
		t.Fatalf("readings (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(m.gaps, scan(table.Gaps, []string{"device", "epoch", "seq_from", "presumed"}, "")); diff != "" {
		t.Fatalf("gaps (-want +got):\n%s", diff)
	}
	cursors, _, err := l.LoadCursors(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	got := make(map[string]uint64)
	for _, c := range cursors {
		got[c.Device] = c.Version
	}
	if diff := cmp.Diff(m.versions, got); diff != "" {
		t.Fatalf("cursors (-want +got):\n%s", diff)
	}
}
