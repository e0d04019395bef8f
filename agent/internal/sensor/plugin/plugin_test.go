package plugin

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/headwater-iot/headwater/agent/internal/sampler"
	"github.com/headwater-iot/headwater/agent/internal/sampler/samplertest"
	"github.com/headwater-iot/headwater/agent/internal/sensor"
	"github.com/headwater-iot/headwater/shared/record"
)

func one(name string) map[string]Series { return map[string]Series{name: {Type: Int}} }

func TestRead(t *testing.T) {
	long := `say:{"i": ` + strings.Repeat(" ", 70_000) + `1}`
	for name, tc := range map[string]struct {
		orders []string
		want   int64
		err    error
		bad    string // counted
	}{
		"a line":                 {[]string{`say:{"i": 5}`}, 5, nil, ""},
		"without an end":         {[]string{"hex:7b2269223a357d"}, 5, nil, ""},
		"empty lines around it":  {[]string{"say:", `say:{"i": 5}`, "say:"}, 5, nil, ""},
		"a second line":          {[]string{`say:{"i": 5}`, `say:{"i": 6}`}, 5, nil, reasonExtra},
		"a bad line first":       {[]string{"say:Reading...", `say:{"i": 5}`}, 5, nil, reasonSyntax},
		"a bad line":             {[]string{"say:Reading..."}, 0, ErrLine, reasonSyntax},
		"a long line":            {[]string{long}, 0, ErrLong, reasonLong},
		"a long line and a good": {[]string{long, `say:{"i": 5}`}, 5, nil, reasonLong},
		"no line":                {nil, 0, ErrNothing, ""},
		"a line and a bad end":   {[]string{`say:{"i": 5}`, "exit:3"}, 0, errors.New("exit status 3"), ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, _, registry := pluginOf(runs(t, one("i"), tc.orders...))
			cells, err := p.Read(t.Context())
			switch {
			case tc.err == nil && (err != nil || len(cells) != 1 || cells[0].Int != tc.want):
				t.Errorf("%+v, %v", cells, err)
			case tc.err != nil && !errors.Is(err, tc.err) && (err == nil || !strings.Contains(err.Error(), tc.err.Error())):
				t.Errorf("%+v, %v; want %v", cells, err, tc.err)
			case tc.bad != "" && count(registry, "bad_lines", tc.bad) != 1:
				t.Errorf("%d lines are counted as %s", count(registry, "bad_lines", tc.bad), tc.bad)
			}
		})
	}
}

func TestReadOfItems(t *testing.T) {
	s := runs(t, one("i"), "hex:a1616905")
	s.Format = CBOR
	p, _, _ := pluginOf(s)
	if cells, err := p.Read(t.Context()); err != nil || len(cells) != 1 || cells[0].Int != 5 {
		t.Errorf("%+v, %v", cells, err)
	}
	s = runs(t, one("i"), "hex:a16169", "hang")
	s.Format, s.MaxLine = CBOR, 2
	p, _, _ = pluginOf(s)
	if cells, err := p.Read(t.Context()); !errors.Is(err, ErrLong) {
		t.Errorf("an item without end: %+v, %v", cells, err)
	}
}

func TestCommandThatCannotBeRun(t *testing.T) {
	for _, command := range []string{"/nowhere/plugin", "/dev/null", "/"} {
		p, _, _ := pluginOf(Settings{Command: []string{command}, Series: one("i")})
		if cells, err := p.Read(t.Context()); err == nil || !strings.Contains(err.Error(), command) {
			t.Errorf("%s: %v, %v", command, cells, err)
		}
	}
}

func TestEnvironment(t *testing.T) {
	t.Setenv("SECRET_OF_THE_AGENT", "1")
	s := runs(t, map[string]Series{"env": {Type: Text}, "dir": {Type: Text}}, "env")
	s.Env["B"] = "a b $PATH"
	p, _, _ := pluginOf(s)
	cells, err := p.Read(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := "PATH=" + path + " LANG=C.UTF-8 B=a b $PATH " + raceEnv + "=" + raceNow + " " + childEnv + "=1"
	if diff := cmp.Diff([]string{"/", want}, []string{cells[0].Text, cells[1].Text}); diff != "" {
		t.Error(diff)
	}
}

func TestComplaintsAreLogged(t *testing.T) {
	orders := make([]string, 50)
	for i := range orders {
		orders[i] = "complain:out of paper"
	}
	p, log, _ := pluginOf(runs(t, one("i"), append(orders, `say:{"i": 1}`)...))
	if _, err := p.Read(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(log.String(), "out of paper"); n != 10 {
		t.Errorf("%d of 50 lines are logged, want 10", n)
	}
}

// The process and what it started are gone when Read returns, though both hold its pipe and the first is deaf to a polite end.
func TestHungProcessIsEndedWithItsGroup(t *testing.T) {
	p, _, _ := pluginOf(runs(t, one("pid"), "deaf", "beget", "hang"))
	ctx, cancel := context.WithCancel(t.Context())
	var pid int64
	err := p.run(ctx, false, func(item []byte, _ error) error {
		said, err := decode(JSON, item)
		if err != nil {
			return err
		}
		pid = p.cells(said[0])[0].Int
		cancel()
		return nil
	})
	if !errors.Is(err, context.Canceled) || pid == 0 {
		t.Errorf("process %d: %v", pid, err)
	}
	gone(t, pid)
	t.Run("and so is what outlives it", func(t *testing.T) {
		p, _, registry := pluginOf(runs(t, one("pid"), "beget"))
		cells, err := p.Read(t.Context())
		if err != nil || len(cells) != 1 {
			t.Fatal(cells, err)
		}
		gone(t, cells[0].Int)
		if count(registry, "bad_lines", reasonCut) != 1 {
			t.Error("that its pipe was cut is not counted")
		}
	})
}

// flow runs a stream and collects its rows.
type flow struct {
	t    *testing.T
	p    *Plugin
	stop func() error

	mu       sync.Mutex
	more     *sync.Cond
	rows     []record.Row // guarded by mu
	refusing int          // guarded by mu
	reports  []error      // guarded by mu
}

func streams(t *testing.T, p *Plugin) *flow {
	f := &flow{t: t, p: p}
	f.more = sync.NewCond(&f.mu)
	p.Watch(func(err error) {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.reports = append(f.reports, err)
		f.more.Broadcast()
	})
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- p.Run(ctx, f.emit) }()
	f.stop = sync.OnceValue(func() error { cancel(); return <-ended })
	t.Cleanup(func() { _ = f.stop() })
	return f
}

func (f *flow) emit(row record.Row) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	defer f.more.Broadcast()
	if f.refusing > 0 {
		f.refusing--
		return errors.New("the outbox is full")
	}
	f.rows = append(f.rows, row)
	return nil
}

// wait waits until ok holds, and returns the rows so far.
func (f *flow) wait(ok func() bool) []record.Row {
	f.mu.Lock()
	defer f.mu.Unlock()
	for !ok() {
		f.more.Wait()
	}
	return f.rows
}

func (f *flow) fares(what error) func() bool {
	return func() bool { return len(f.reports) > 0 && errors.Is(f.reports[len(f.reports)-1], what) }
}

func stream(t *testing.T, orders ...string) Settings {
	s := runs(t, one("i"), orders...)
	s.Mode = Stream
	return s
}

func TestBadLinesAreLeftOut(t *testing.T) {
	s := stream(t, `say:{"i": 1}`, "say:x", `say:{"x": 1}`, `say:{"i": "x"}`, "say:"+strings.Repeat("x", 100), `say:{"i": 1, "t": 1e99}`,
		`say:{"i": 2, "t": 1795176000}`, "say:x", "say:x", "say:x", "hang")
	s.MaxLine, s.OwnTimes = 50, true
	p, log, registry := pluginOf(s)
	f := streams(t, p)
	rows := f.wait(f.fares(ErrLine))
	want := []record.Row{
		{Sensor: "lab", Cells: []record.Cell{record.IntCell("lab_i", "", 1)}},
		{Sensor: "lab", Cells: []record.Cell{record.FailedCell("lab_i", "", record.Int)}},
		{Sensor: "lab", Absolute: true, Unit: record.Milli, Time: 1795176000000, Cells: []record.Cell{record.IntCell("lab_i", "", 2)}},
	}
	if diff := cmp.Diff(want, rows); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for reason, want := range map[string]uint64{reasonSyntax: 4, reasonLong: 1, reasonTime: 1} {
		if got := count(registry, "bad_lines", reason); got != want {
			t.Errorf("%d lines are %s, want %d", got, reason, want)
		}
	}
	if u, k := count(registry, "bad_values", reasonUnannounced), count(registry, "bad_values", reasonKind); u != 1 || k != 1 {
		t.Errorf("%d values unannounced, %d of another kind", u, k)
	}
	_ = f.stop()
	if n := strings.Count(log.String(), "line of a plug-in is left out"); n != 1 {
		t.Errorf("said %d times:\n%s", n, log)
	}
}

func TestStreamIsStartedAgain(t *testing.T) {
	mark := filepath.Join(t.TempDir(), "mark")
	p, _, registry := pluginOf(stream(t, `say:{"i": 1}`, "once:"+mark, "exit:3"))
	f := streams(t, p)
	f.wait(func() bool { return len(f.rows) >= 2 })
	f.wait(f.fares(ErrEnded)) // the second time well
	if got := count(registry, "ends", reasonExit); got < 2 {
		t.Errorf("%d ends", got)
	}
	if first := f.reports[1]; first == nil || !strings.Contains(first.Error(), "exit status 3") {
		t.Errorf("the end is shown as %v", first)
	}
}

func TestSilentStreamIsStartedAgain(t *testing.T) {
	mark := filepath.Join(t.TempDir(), "mark")
	p, _, registry := pluginOf(stream(t, `say:{"i": 1}`, "deaf", "say:noise", "once:"+mark, "hang"))
	p.config.Silence = slow
	f := streams(t, p)
	f.wait(f.fares(ErrSilent))
	f.wait(func() bool { return len(f.rows) >= 2 })
	if got := count(registry, "ends", reasonSilent); got == 0 {
		t.Errorf("%d ends", got)
	}
}

func TestRefusedRowIsOfferedAgain(t *testing.T) {
	p, _, registry := pluginOf(stream(t, `say:{"i": 1}`, `say:{"i": 2}`, "hang"))
	p.config.Silence = slow
	f := streams(t, p)
	f.mu.Lock()
	f.refusing = 5 // which takes longer than the plug-in may be silent
	f.mu.Unlock()
	rows := f.wait(func() bool { return len(f.rows) >= 2 })
	if rows[0].Cells[0].Int != 1 || rows[1].Cells[0].Int != 2 || count(registry, "ends", reasonSilent) != 0 {
		t.Errorf("%+v after %d ends", rows, count(registry, "ends", reasonSilent))
	}
}

func TestStopEndsTheStream(t *testing.T) {
	for _, deaf := range []string{"deaf", "say:"} {
		p, _, _ := pluginOf(func() Settings { s := stream(t, deaf, "beget", "hang"); s.Series = one("pid"); return s }())
		f := streams(t, p)
		pid := f.wait(func() bool { return len(f.rows) == 1 })[0].Cells[0].Int
		if err := f.stop(); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		gone(t, pid)
	}
}

func TestItemsThatCannotBeReadStartTheStreamAgain(t *testing.T) {
	mark := filepath.Join(t.TempDir(), "mark")
	s := stream(t, "hex:a1616905", "once:"+mark, "hex:ffff", "hang")
	s.Format = CBOR
	p, _, registry := pluginOf(s)
	f := streams(t, p)
	f.wait(func() bool { return len(f.rows) == 2 })
	if count(registry, "bad_lines", reasonSyntax) != 1 {
		t.Error("not counted")
	}
}

// slow is longer than a process takes to start and to say something, on a machine that may be busy.
const slow = 2 * time.Second

// Whatever a plug-in does in the sampler, another sensor is read at each tick.
func TestFaultsOfAPlugInDisturbNoOther(t *testing.T) {
	nan := "hex:a16166f97e00"
	for name, order := range map[string]string{
		"hangs": "hang", "says nothing": "say:", "talks garbage": "say:\x01\x1bgarbage", "fails": "exit:1", "says NaN": nan,
		"talks without end": "say:" + strings.Repeat("x", 100_000),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			well := filepath.Join(t.TempDir(), "well")
			s := runs(t, map[string]Series{"f": {}}, `if:`+well, order)
			if order == nan {
				s.Format, s.Env["FORMAT"] = CBOR, "cbor"
			}
			p, _, registry := pluginOf(s)
			r := samplertest.Start(t, sampler.Sensor{
				Name: "lab", Interval: 50 * time.Millisecond, Timeout: slow / 2, Announce: p.Announce(),
				Open: func(context.Context) (sampler.Driver, error) { return p, nil },
			}, registry)
			if order == nan { // it was read; the value was none
				r.Rows(func(rows []record.Row) bool { return len(rows) > 3 && rows[3].Cells[0].Quality&record.Suspect != 0 })
			} else if s := r.Falls(false); s.Error == "" {
				t.Errorf("%+v", s)
			}
			if err := os.WriteFile(well, nil, 0o600); err != nil {
				t.Fatal(err)
			}
			if cells := r.Recovers(); cells[0].Float != 5 {
				t.Errorf("%+v", cells)
			}
			r.Undisturbed()
		})
	}
}

func TestFaultsOfAStreamDisturbNoOther(t *testing.T) {
	for name, orders := range map[string][]string{
		"hangs": {"hang"}, "talks garbage": {"say:x", "say:y", "say:z", "hang"}, "fails": {"exit:1"}, "is missing": nil,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			well := filepath.Join(t.TempDir(), "well")
			s := runs(t, map[string]Series{"f": {}}, append([]string{"if:" + well}, orders...)...)
			s.Mode, s.Env["MODE"] = Stream, "stream"
			if orders == nil {
				s.Command = []string{well}
			}
			p, _, registry := pluginOf(s)
			p.config.Prefix, p.config.Silence = "", slow
			r := samplertest.Start(t, sampler.Sensor{Name: "lab", Source: p, Announce: p.Announce()}, registry)
			if s := r.Falls(true); s.State != "failing" || s.Error == "" {
				t.Errorf("%+v", s)
			}
			if orders != nil {
				if err := os.WriteFile(well, nil, 0o600); err != nil {
					t.Fatal(err)
				}
				if cells := r.Recovers(); cells[0].Float != 5 {
					t.Errorf("%+v", cells)
				}
			}
			r.Undisturbed()
		})
	}
}

func TestCheckReportsEveryProblem(t *testing.T) {
	collect := func(s Settings) (got []string) {
		s.Check(func(path, _ string, _ ...any) { got = append(got, path) })
		return got
	}
	bad := Settings{
		Command: []string{"read-lab"}, Mode: "once", Format: "xml", Series: map[string]Series{"": {}, "a": {Type: "double"}}, OwnTimes: true,
		Dir: "here", MaxLine: 1 << 30,
	}
	if diff := cmp.Diff([]string{"command", "mode", "format", "series", "series.a.type", "own_times", "dir", "max_line"}, collect(bad)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"command", "series"}, collect(Settings{})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got := collect(Settings{Command: []string{"/bin/x", "-v"}, Mode: Stream, Format: CBOR, Series: all(), OwnTimes: true, Dir: "/tmp"}); got != nil {
		t.Errorf("good settings refused: %q", got)
	}
	var _ sensor.Driver = (*Plugin)(nil)
	var _ sensor.Source = (*Plugin)(nil)
	var _ sampler.Watched = (*Plugin)(nil)
}
