package lake_test

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"maps"
	"math"
	"math/rand/v2"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/headwater-iot/headwater/gateway/internal/lake"
	"github.com/headwater-iot/headwater/gateway/internal/profile"
	"github.com/headwater-iot/headwater/gateway/internal/sketch"
	"github.com/headwater-iot/headwater/gateway/internal/table"
	"github.com/headwater-iot/headwater/shared/meter"
	"github.com/headwater-iot/headwater/shared/need"
	"github.com/headwater-iot/headwater/shared/record"
	"github.com/headwater-iot/headwater/shared/wire"
)

// firstDay of the readings is 2026-03-01.
const (
	firstDay = 20513
	usPerDay = 86_400_000_000
)

// profiled is a lake with a job that profiles it.
type profiled struct {
	*lake.Lake
	dir   string
	marks table.Marks
	seq   uint64
}

func (p *profiled) OpenDay(ctx context.Context, day int32) (profile.Day, error) {
	return p.Lake.OpenDay(ctx, day)
}

func openProfiled(t testing.TB, dir string, step func(string) error) *profiled {
	t.Helper()
	l, err := lake.Open(t.Context(), lake.Config{Dir: dir, Partitions: 1, Step: step})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	p := &profiled{Lake: l, dir: dir, marks: table.Marks{Log: wire.ID{1}, Next: []uint64{0}}}
	_, pin, err := l.LoadCursors(t.Context())
	if err == nil {
		err = l.TakeOver(t.Context(), pin, p.marks)
	}
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// land commits runs, each with the next seqs and times from the begin of its day on.
func (p *profiled) land(t testing.TB, runs ...table.Run) {
	t.Helper()
	to := table.Marks{Log: p.marks.Log, Next: []uint64{p.marks.Next[0] + 1}}
	if err := p.Commit(t.Context(), &table.Commit{Expect: p.marks, Marks: to, Readings: runs}); err != nil {
		t.Fatal(err)
	}
	p.marks = to
}

// run is n readings of a series on a day.
func (p *profiled) run(day int32, device, series string, n int) table.Run {
	r := table.Run{
		Device: device, Series: series, Unit: "Cel", Epoch: 7, Boot: 9, Received: int64(day)*usPerDay + 10,
		Stamp: table.Stamp{ClockOffset: table.Unknown, ClockError: table.Unknown, Anchor: table.Unknown},
	}
	for i := range n {
		r.EventTime = append(r.EventTime, int64(day)*usPerDay+int64(i)*usPerDay/int64(n))
		r.Seq = append(r.Seq, p.seq)
		p.seq++
	}
	return r
}

// numbers is a run of what draw returns.
func (p *profiled) numbers(day int32, device, series string, n int, draw func() float64) table.Run {
	r := p.run(day, device, series, n)
	r.Kind = record.Float
	for range n {
		r.Floats = append(r.Floats, draw())
	}
	return r
}

func (p *profiled) job() *profile.Job {
	return profile.NewJob(profile.Config{Lake: p, Logger: slog.New(slog.DiscardHandler), Meter: meter.New()})
}

// compared is what profiles.py prints.
type compared struct {
	Device, Series, Day string
	Profile             []figures
	Readings            []figures
}

type figures struct {
	Unit                           *string
	Count, Nulls, Flagged, Numbers int64
	Min, Max, Mean, StdDev         *float64
	P05, P50, P95, Drift           *float64
	Distinct                       int64
}

// compare holds the profiles to what DuckDB makes of the readings, and returns the rows.
func (p *profiled) compare(t *testing.T, python string) map[string]figures {
	t.Helper()
	out, err := exec.Command(python, filepath.Join(need.Repo(t), "scripts/readers/profiles.py"), filepath.Join(p.dir, "catalog.db")).Output()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		t.Fatalf("profiles.py: %v\n%s", err, exit.Stderr)
	}
	var all []compared
	if err := errors.Join(err, json.Unmarshal(out, &all)); err != nil {
		t.Fatalf("the readers printed %q: %v", out, err)
	}
	rows := make(map[string]figures)
	for _, c := range all {
		name := c.Device + " " + c.Series + " " + c.Day
		if len(c.Profile) != 1 || len(c.Readings) != 1 {
			t.Fatalf("%s: %d profiles of %d days of readings", name, len(c.Profile), len(c.Readings))
		}
		for _, problem := range differences(c.Profile[0], c.Readings[0]) {
			t.Errorf("%s: %s", name, problem)
		}
		rows[name] = c.Profile[0]
	}
	return rows
}

// differences says where a profile is not what it promises to be.
func differences(got, want figures) (problems []string) {
	exact := [][2]int64{{got.Count, want.Count}, {got.Nulls, want.Nulls}, {got.Flagged, want.Flagged}, {got.Numbers, want.Numbers}}
	for i, pair := range exact {
		if pair[0] != pair[1] {
			problems = append(problems, []string{"count", "nulls", "flagged", "numbers"}[i]+" differs")
		}
	}
	if (got.Unit == nil) != (want.Unit == nil) || got.Unit != nil && *got.Unit != *want.Unit {
		problems = append(problems, "unit differs")
	}
	near := func(name string, got, want *float64, relative float64) {
		const tiny = 1e-150 // its square has no room in a double
		if (got == nil) != (want == nil) || got != nil && math.Abs(*got-*want) > relative*(math.Abs(*want)+tiny) {
			problems = append(problems, name+" differs")
		}
	}
	near("min", got.Min, want.Min, 0)
	near("max", got.Max, want.Max, 0)
	near("mean", got.Mean, want.Mean, 1e-12)
	near("stddev", got.StdDev, want.StdDev, 1e-12)
	near("p05", got.P05, want.P05, sketch.RelativeError*(1+1e-9))
	near("p50", got.P50, want.P50, sketch.RelativeError*(1+1e-9))
	near("p95", got.P95, want.P95, sketch.RelativeError*(1+1e-9))
	allowed := 0.0
	if want.Distinct > sketch.DistinctExact {
		allowed = 4 * sketch.DistinctError * float64(want.Distinct) // four standard errors
	}
	if math.Abs(float64(got.Distinct-want.Distinct)) > allowed {
		problems = append(problems, "distinct differs")
	}
	return problems
}

// TestProfilesAreWhatDuckDBCounts: over series of every kind, many commits, late readings, and a job that starts anew.
func TestProfilesAreWhatDuckDBCounts(t *testing.T) {
	python := need.Python(t)
	p := openProfiled(t, t.TempDir(), nil)
	rng := rand.New(rand.NewPCG(4, 4))
	temperature := func() float64 { return math.Round(2000+300*rng.NormFloat64()) / 100 }
	p.land(t, p.numbers(firstDay, "a", "temp", 3000, temperature), p.numbers(firstDay, "b", "pressure", 500, func() float64 { return 101325 + 50*rng.NormFloat64() }))
	p.land(t, p.numbers(firstDay+7, "a", "temp", 3000, func() float64 { return temperature() + 3 }), p.numbers(firstDay+7, "a", "noise", 20_000, rng.NormFloat64))
	job := p.job()
	if err := job.Once(t.Context()); err != nil {
		t.Fatal(err)
	}
	rows := p.compare(t, python)
	if d := rows["a temp 2026-03-08"].Drift; d == nil || math.Abs(*d-3/9.9) > 0.03 { // the spread of a normal distribution is 3.29 of its deviation
		t.Errorf("drift of a week is %v, want about %v", d, 3/9.9)
	}

	awkward := p.run(firstDay+7, "a", "mixed", 6)
	awkward.Kind, awkward.Floats = record.Float, []float64{math.NaN(), math.Inf(1), 0, math.Copysign(0, -1), 1e-310, 5}
	awkward.Null, awkward.Quality = []bool{false, false, false, false, false, true}, []record.Quality{0, 0, 0, 0, 0, record.ReadError}
	large := p.run(firstDay, "a", "counter", 3)
	large.Kind, large.Ints, large.Unit = record.Int, []int64{1<<53 + 1, 1<<53 + 3, 1<<53 + 1}, ""
	texts := p.run(firstDay, "b", "state", 4)
	texts.Kind, texts.Texts, texts.Unit = record.Text, []string{"on", "off", "on", ""}, ""
	kelvin := p.numbers(firstDay, "a", "temp", 10, func() float64 { return temperature() + 273.15 })
	kelvin.Unit = "K"
	p.land(t, awkward, large)
	p.land(t, texts, kelvin) // late, of the first day
	for _, j := range []*profile.Job{job, p.job()} {
		if err := j.Once(t.Context()); err != nil {
			t.Fatal(err)
		}
		rows = p.compare(t, python)
	}
	if len(rows) != 7 {
		t.Errorf("%d rows, want 7", len(rows))
	}
	if r := rows["a temp 2026-03-01"]; r.Unit != nil || r.Count != 3010 {
		t.Errorf("late readings in another unit: %+v", r)
	}
}

// TestDifferencesAreSeen is the control of the comparison.
func TestDifferencesAreSeen(t *testing.T) {
	one, other := 20.0, 20.03
	base := figures{Count: 9, Numbers: 9, Min: &one, Max: &one, Mean: &one, StdDev: &one, P05: &one, P50: &one, P95: &one, Distinct: 9}
	for name, change := range map[string]func(*figures){
		"count": func(f *figures) { f.Count++ }, "min": func(f *figures) { f.Min = nil }, "mean": func(f *figures) { f.Mean = &other },
		"p50": func(f *figures) { f.P50 = &other }, "distinct": func(f *figures) { f.Distinct++ }, "unit": func(f *figures) { u := "K"; f.Unit = &u },
	} {
		changed := base
		change(&changed)
		if got := differences(changed, base); len(got) != 1 || got[0] != name+" differs" {
			t.Errorf("%s: %v", name, got)
		}
	}
	if got := differences(base, base); len(got) > 0 {
		t.Error(got)
	}
}

// TestFailedProfileLeavesTheOldRows ends the transaction at every step: the rows are those of before or of after, never
// none and never both, and the next round makes them.
func TestFailedProfileLeavesTheOldRows(t *testing.T) {
	ended := errors.New("ended")
	at, steps := "", map[string]bool{}
	p := openProfiled(t, t.TempDir(), func(step string) error {
		steps[step] = true
		if step == at {
			return ended
		}
		return nil
	})
	one := func() float64 { return 1 }
	p.land(t, p.numbers(firstDay, "a", "temp", 10, one))
	clear(steps)
	if err := p.job().Once(t.Context()); err != nil {
		t.Fatal(err)
	}
	seen := maps.Clone(steps)
	if !seen["swap profile"] || len(seen) < 5 {
		t.Fatalf("steps %v", seen)
	}
	want := int64(10)
	for step := range seen {
		p.land(t, p.numbers(firstDay, "a", "temp", 10, one))
		steps, at = map[string]bool{}, step
		err := p.job().Once(t.Context())
		if !errors.Is(err, ended) {
			t.Fatalf("step %s: %v", step, err)
		}
		at = ""
		if step == "committed" {
			want += 10
		}
		p.holds(t, "after a failure at "+step, want)
		if err := p.job().Once(t.Context()); err != nil {
			t.Fatal(err)
		}
		if step != "committed" {
			want += 10
		}
		p.holds(t, "after the round behind "+step, want)
	}
}

// holds says that the day has one row, of so many readings.
func (p *profiled) holds(t *testing.T, when string, count int64) {
	t.Helper()
	rows, err := p.Profiles(t.Context(), firstDay)
	if err != nil || len(rows) != 1 || rows[0].Count != count {
		t.Errorf("%s: rows %+v and error %v, want one of %d readings", when, rows, err, count)
	}
}

// TestProfileOutlivesSnapshots: what was touched is found though the snapshot of last time has expired, and files of
// profiles do not pile up.
func TestProfileOutlivesSnapshots(t *testing.T) {
	if testing.Short() {
		t.Skip("hundreds of commits")
	}
	p := openProfiled(t, t.TempDir(), nil)
	one := func() float64 { return 1 }
	job := p.job()
	for i := range 260 {
		day := int32(firstDay)
		if i == 5 {
			day-- // and never again
		}
		p.land(t, p.numbers(day, "a", "temp", 1, one))
		if i%130 == 129 {
			if err := errors.Join(p.Maintain(t.Context()), job.Once(t.Context())); err != nil {
				t.Fatal(err)
			}
		}
	}
	p.holds(t, "after 260 commits", 259)
	if rows, err := p.Profiles(t.Context(), firstDay-1); err != nil || len(rows) != 1 {
		t.Errorf("the day before has %d rows: %v", len(rows), err)
	}
	r, err := lake.OpenReader(p.dir)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	infos, err := r.Tables(t.Context())
	for _, info := range infos {
		if info.Name == table.Profiles && info.Files != 2 {
			t.Errorf("profiles are in %d files, want one per day", info.Files)
		}
	}
	if err != nil {
		t.Fatal(err)
	}
}

// BenchmarkProfile is one round of the job over a day of many series, without its rests.
func BenchmarkProfile(b *testing.B) {
	p := openProfiled(b, b.TempDir(), nil)
	rng := rand.New(rand.NewPCG(1, 1))
	const devices, perDevice, commits = 50, 1000, 10
	for range commits {
		var runs []table.Run
		for d := range devices {
			runs = append(runs, p.numbers(firstDay, "device-"+strconv.Itoa(d), "temp", perDevice, func() float64 { return math.Round(2000+100*rng.NormFloat64()) / 100 }))
		}
		p.land(b, runs...)
	}
	day, err := p.OpenDay(b.Context(), firstDay)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		folds := make(map[string]*profile.Fold)
		err := day.Read(b.Context(), "", func(samples []table.Sample) error {
			for i := range samples {
				f := folds[samples[i].Device]
				if f == nil {
					f = profile.NewFold()
					folds[strings.Clone(samples[i].Device)] = f
				}
				f.Add(&samples[i])
			}
			return nil
		})
		if err != nil || len(folds) != devices {
			b.Fatal(err, len(folds))
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*devices*perDevice*commits), "ns/reading")
}
