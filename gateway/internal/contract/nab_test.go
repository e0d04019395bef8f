package contract

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/headwater-iot/headwater/shared/need"
)

// labelled is one real series, with the windows in which people say that something was wrong.
type labelled struct {
	name    string
	event   []int64 // us
	values  []float64
	windows [][2]int // first and last reading
}

// realSeries reads the series of the Numenta Anomaly Benchmark that are there, by name.
func realSeries(t *testing.T) []labelled {
	t.Helper()
	dir := filepath.Join(need.Data(t), "nab")
	text, err := os.ReadFile(filepath.Join(dir, "labels", "combined_windows.json"))
	if err != nil {
		t.Fatal(err)
	}
	var labels map[string][][2]string
	if err := json.Unmarshal(text, &labels); err != nil {
		t.Fatal(err)
	}
	var all []labelled
	for path, windows := range labels {
		file, err := os.Open(filepath.Join(dir, filepath.Base(path)))
		if os.IsNotExist(err) {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		rows, err := csv.NewReader(file).ReadAll()
		file.Close()
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, label(t, filepath.Base(path), rows[1:], windows))
	}
	slices.SortFunc(all, func(a, b labelled) int { return slices.Compare([]byte(a.name), []byte(b.name)) })
	if len(all) != 7 {
		t.Fatalf("%d series in %s, want 7", len(all), dir)
	}
	return all
}

func label(t *testing.T, name string, rows [][]string, windows [][2]string) labelled {
	t.Helper()
	s := labelled{name: name}
	for _, row := range rows {
		s.event = append(s.event, microseconds(t, row[0]))
		v, err := strconv.ParseFloat(row[1], 64)
		if err != nil {
			t.Fatal(err)
		}
		s.values = append(s.values, v)
	}
	for _, w := range windows {
		from, to := microseconds(t, w[0]), microseconds(t, w[1])
		first := slices.IndexFunc(s.event, func(at int64) bool { return at >= from })
		last := len(s.event) - 1
		for s.event[last] > to {
			last--
		}
		s.windows = append(s.windows, [2]int{first, last})
	}
	return s
}

func microseconds(t *testing.T, text string) int64 {
	t.Helper()
	at, err := time.Parse(time.DateTime, text) // takes a fraction too
	if err != nil {
		t.Fatal(err)
	}
	return at.UnixMicro()
}

// probation is what NAB gives a detector to learn: the first 15 %, and at most 750 readings.
func (s *labelled) probation() int { return min(len(s.values)*15/100, 750) }

// flags returns the readings that the rule flags, behind the probation.
func (s *labelled) flags(t *testing.T, threshold float64) []int {
	t.Helper()
	c := of(t, "logicalType: number, "+ext("anomaly", fmt.Sprintf("{threshold: %v}", threshold)))
	var state State
	v := c.Judge(Cells{Column: floats("", s.values...), Event: s.event, Received: s.event[len(s.event)-1]}, &state)
	var flags []int
	for i := s.probation(); i < len(s.values); i++ {
		if fateOf(v, i).Rule == RuleAnomaly {
			flags = append(flags, i)
		}
	}
	return flags
}

// score is what detections are worth.
type score struct {
	raw              float64 // of NAB, its standard profile
	found, windows   int
	useful, detected int // flags in windows, and all
}

func (a score) add(b score) score {
	return score{a.raw + b.raw, a.found + b.found, a.windows + b.windows, a.useful + b.useful, a.detected + b.detected}
}

// nab is 100 for a detector that flags the begin of every window and nothing else, and 0 for one that flags nothing.
func (a score) nab() float64 { return 50 * (a.raw + float64(a.windows)) / float64(a.windows) }

func (a score) precision() float64 { return float64(a.useful) / float64(max(1, a.detected)) }
func (a score) recall() float64    { return float64(a.found) / float64(a.windows) }
func (a score) f1() float64 {
	return 2 * a.precision() * a.recall() / max(1e-9, a.precision()+a.recall())
}

func (a score) String() string {
	return fmt.Sprintf("NAB %6.1f, %2d of %2d windows, %3d of %3d flags in windows: precision %.2f, recall %.2f, F1 %.2f",
		a.nab(), a.found, a.windows, a.useful, a.detected, a.precision(), a.recall(), a.f1())
}

// sigmoid is that of Lavin and Ahmad, "Evaluating real-time anomaly detection algorithms" (2015): 1 long before the end of a
// window, 0 there, -1 long after.
func sigmoid(x float64) float64 { return 2/(1+math.Exp(5*x)) - 1 }

// scored weighs flags: the first in a window counts, the earlier the better; a window without one costs 1; a flag outside
// costs up to 0.11, the less the closer behind a window.
func (s *labelled) scored(flags []int) score {
	const falsePositive = 0.11
	r := score{windows: len(s.windows), detected: len(flags)}
	inside := make([]int, len(s.windows))
	for _, f := range flags {
		cost, in := -falsePositive, false
		for k, w := range s.windows {
			length := float64(w[1] - w[0])
			switch {
			case f >= w[0] && f <= w[1]:
				if inside[k]++; inside[k] == 1 {
					r.found++
					r.raw += sigmoid(-float64(w[1]-f+1)/(length+1)) / sigmoid(-1)
				}
				in = true
			case f > w[1]:
				if x := float64(f-w[1]) / length; x <= 3 {
					cost = falsePositive * sigmoid(x)
				} else {
					cost = -falsePositive
				}
			}
		}
		if in {
			r.useful++
		} else {
			r.raw += cost
		}
	}
	r.raw -= float64(r.windows - r.found)
	return r
}

// total is the score of all series, each with its flags.
func total(all []labelled, flags func(*labelled) []int) (t score) {
	for i := range all {
		t = t.add(all[i].scored(flags(&all[i])))
	}
	return t
}

// TestAnomaliesOfRealSeries chooses the threshold on one half of the labelled series and reports how it does on the other,
// and the other way round. Flags at random, as many per series, are the control.
func TestAnomaliesOfRealSeries(t *testing.T) {
	all := realSeries(t)
	var halves [2][]labelled
	for i, s := range all {
		halves[i%2] = append(halves[i%2], s)
	}
	thresholds := []float64{2.5, 3, 3.5, 4, 5, 6, 8}
	var chosen [2]float64
	for h, half := range halves {
		best := math.Inf(-1)
		for _, k := range thresholds {
			s := total(half, func(s *labelled) []int { return s.flags(t, k) })
			t.Logf("half %d, threshold %v: %s", h, k, s)
			if s.nab() > best {
				best, chosen[h] = s.nab(), k
			}
		}
	}
	for _, s := range all {
		t.Logf("%-42s threshold %v: %s", s.name, defaultThreshold, s.scored(s.flags(t, defaultThreshold)))
	}
	t.Logf("all, threshold %v: %s", defaultThreshold, total(all, func(s *labelled) []int { return s.flags(t, defaultThreshold) }))
	var elsewhere score
	for h, half := range halves {
		s := total(half, func(s *labelled) []int { return s.flags(t, chosen[1-h]) })
		t.Logf("half %d, with the threshold that is best on the other (%v): %s", h, chosen[1-h], s)
		elsewhere = elsewhere.add(s)
	}
	t.Logf("both, each with the threshold of the other: %s", elsewhere)
	if chosen[0] != defaultThreshold {
		t.Errorf("the default is %v, and half 0 wants %v", defaultThreshold, chosen[0])
	}
	mean, lucky := chance(all, func(s *labelled) int { return len(s.flags(t, chosen[1-slices.IndexFunc(all, s.is)%2])) })
	t.Logf("as many flags at random, 100 times: NAB %.1f on average, %.1f in the best 5 %%", mean, lucky)
	restless := total(all, func(s *labelled) []int { return s.restless(defaultThreshold) })
	t.Logf("all, without calm: %s", restless)
	if got := total(halves[1], func(s *labelled) []int { return s.flags(t, defaultThreshold) }).nab(); got < 45 {
		t.Errorf("NAB is %.1f on the half that the default was not chosen on, want 45 or more", got)
	}
	if got := elsewhere.nab(); got < mean+20 || got < lucky || got < restless.nab()+20 {
		t.Errorf("NAB is %.1f, no better than chance", got)
	}
}

// is reports whether other is the same series.
func (s *labelled) is(other labelled) bool { return s.name == other.name }

// restless flags every unlikely step, whatever came before it.
func (s *labelled) restless(threshold float64) (flags []int) {
	r, state := &Series{Anomaly: threshold}, State{}
	for i, v := range s.values {
		if i >= s.probation() && state.unlikely(v-state.Value, threshold) {
			flags = append(flags, i)
		}
		state.move(r, v, s.event[i])
	}
	return flags
}

// chance scores as many flags per series, anywhere: on average, and what one round in twenty reaches.
func chance(all []labelled, count func(*labelled) int) (mean, lucky float64) {
	counts := make(map[string]int)
	for i := range all {
		counts[all[i].name] = count(&all[i])
	}
	r := rand.New(rand.NewPCG(1, 2))
	const rounds = 100
	var scores []float64
	for range rounds {
		got := total(all, func(s *labelled) []int {
			flags := make([]int, counts[s.name])
			for k := range flags {
				flags[k] = s.probation() + r.IntN(len(s.values)-s.probation())
			}
			slices.Sort(flags)
			return flags
		}).nab()
		mean, scores = mean+got/rounds, append(scores, got)
	}
	slices.Sort(scores)
	return mean, scores[rounds*95/100]
}

// TestScore holds the score to what NAB says of detectors that are known: perfect, silent, early, late.
func TestScore(t *testing.T) {
	s := &labelled{values: make([]float64, 1000), windows: [][2]int{{300, 399}, {600, 699}}}
	for name, c := range map[string]struct {
		flags []int
		want  float64
	}{
		"nothing":          {nil, 0},
		"all at the begin": {[]int{300, 600}, 100},
		"one at the begin": {[]int{300}, 50},
		"one at the end":   {[]int{399, 600}, 50 * (2 + 1 + sigmoid(-0.01)/sigmoid(-1)) / 2},
		"one before":       {[]int{200, 300, 600}, 100 - 50*0.11/2},
		"one long after":   {[]int{300, 600, 999}, 100 - 50*0.11/2},
	} {
		if got := s.scored(c.flags).nab(); math.Abs(got-c.want) > 0.1 {
			t.Errorf("%s: %.2f, want %.2f", name, got, c.want)
		}
	}
}
