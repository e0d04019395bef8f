package e2e

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/headwater-iot/headwater/shared/need"
)

// point is one reading of a source file.
type point struct {
	us    int64
	value float64
}

// digestOf says of a source what digest.py says of a table.
func digestOf(points []point) string {
	sort.SliceStable(points, func(i, j int) bool { return points[i].us < points[j].us })
	h := sha256.New()
	for _, p := range points {
		fmt.Fprintf(h, "%d %016x \n", p.us, math.Float64bits(p.value))
	}
	return hex.EncodeToString(h.Sum(nil))
}

// readSource parses a file of ../shared/data/nab in its own way, not the agent's.
func readSource(t *testing.T, path string) []point {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var points []point
	for _, line := range strings.Split(strings.TrimSpace(string(data)), "\n")[1:] {
		stamp, text, _ := strings.Cut(strings.TrimSpace(line), ",")
		at, err := time.ParseInLocation("2006-01-02 15:04:05", stamp, time.UTC)
		if err != nil {
			t.Fatal(err)
		}
		v, err := strconv.ParseFloat(text, 64)
		if err != nil {
			t.Fatal(err)
		}
		points = append(points, point{at.UnixMicro(), v})
	}
	return points
}

// awkward writes a file with values that a lossy path would change.
func awkward(t *testing.T) (string, []point) {
	t.Helper()
	rng := rand.New(rand.NewPCG(1, 2))
	special := []float64{0, math.Copysign(0, -1), 5e-324, math.MaxFloat64, -math.MaxFloat64, 0.1 + 0.2, 1.0 / 3, 1 << 53, 1<<53 + 2}
	at := time.Date(2024, 2, 28, 23, 59, 30, 0, time.UTC) // crosses two days, one a leap day
	var b strings.Builder
	b.WriteString("timestamp,value\n")
	var points []point
	for i := range 3000 {
		v := math.Float64frombits(rng.Uint64())
		if i < len(special) {
			v = special[i]
		}
		if math.IsNaN(v) || math.IsInf(v, 0) {
			v = 20 + float64(rng.IntN(1000))/100
		}
		fmt.Fprintf(&b, "%s,%s\n", at.Format("2006-01-02 15:04:05"), strconv.FormatFloat(v, 'g', -1, 64))
		points = append(points, point{at.UnixMicro(), v})
		at = at.Add(time.Duration(1+rng.IntN(60)) * time.Second)
	}
	path := filepath.Join(t.TempDir(), "awkward.csv")
	if err := os.WriteFile(path, []byte(b.String()), 0o644); err != nil {
		t.Fatal(err)
	}
	return path, points
}

// seen is what digest.py prints.
type seen struct {
	Rows     int64 `json:"rows"`
	Distinct int64 `json:"distinct"`
	Series   map[string]struct {
		Count  int64  `json:"count"`
		First  int64  `json:"first_us"`
		Last   int64  `json:"last_us"`
		SHA256 string `json:"sha256"`
	} `json:"series"`
}

type digests struct {
	PyIceberg seen  `json:"pyiceberg"`
	DuckDB    seen  `json:"duckdb"`
	GlobRows  int64 `json:"glob_rows"`

	Properties map[string]string `json:"properties"`
	Docs       map[string]string `json:"docs"` // by column
}

func read(t *testing.T, python string, g *gateway, args ...string) digests {
	t.Helper()
	args = append([]string{"../readers/digest.py", filepath.Join(g.data, "lake", "catalog.db"), "readings"}, args...)
	cmd := exec.Command(python, args...)
	out, err := cmd.Output()
	if err != nil {
		detail := ""
		if exit, ok := err.(*exec.ExitError); ok {
			detail = string(exit.Stderr)
		}
		t.Fatalf("%s: %v\n%s", strings.Join(args, " "), err, detail)
	}
	var d digests
	if err := json.Unmarshal(out, &d); err != nil {
		t.Fatalf("the readers printed %q: %v", out, err)
	}
	return d
}

// TestReplayLandsBitForBit sends files through the real binaries and holds what PyIceberg and
// DuckDB read to the files: count, first and last time, and every bit of every value.
func TestReplayLandsBitForBit(t *testing.T) {
	python := need.Python(t)
	sources := map[string][]point{} // "device/series" -> points
	sensors := ""
	add := func(name, path string, points []point) {
		sensors += fmt.Sprintf("  - {name: %s, replay: {files: [%s], times: original, columns: {value: {series: %s}}}}\n", name, path, name)
		sources["replayed/"+name] = points
	}
	path, points := awkward(t)
	add("awkward", path, points)
	t.Run("awkward values and, where present, real series", func(t *testing.T) {
		if dir := need.Data(t); dir != "" {
			files, err := filepath.Glob(filepath.Join(dir, "nab", "*.csv"))
			if err != nil || len(files) == 0 {
				t.Fatalf("no series in %s: %v", dir, err)
			}
			for _, f := range files {
				abs, err := filepath.Abs(f)
				if err != nil {
					t.Fatal(err)
				}
				add(strings.TrimSuffix(filepath.Base(f), ".csv"), abs, readSource(t, f))
			}
		}
	})

	total := int64(0)
	for _, p := range sources {
		total += int64(len(p))
	}
	g := newGateway(t).start()
	newAgent(t, "replayed", g.mqtt, sensors, "outbox: {flush_interval: 1s}").start()
	g.settled("replayed", total).exact(t)

	d := read(t, python, g)
	for reader, s := range map[string]seen{"PyIceberg": d.PyIceberg, "DuckDB": d.DuckDB} {
		if s.Rows != total || s.Distinct != total {
			t.Errorf("%s reads %d rows, %d distinct; the sources have %d", reader, s.Rows, s.Distinct, total)
		}
		for name, want := range sources {
			got := s.Series[name]
			if got.Count != int64(len(want)) || got.SHA256 != digestOf(want) {
				t.Errorf("%s: %s has %d readings with digest %.12s, the source %d with %.12s",
					reader, name, got.Count, got.SHA256, len(want), digestOf(want))
			}
		}
	}
	orphanChangesNothing(t, python, g, d)
}

// orphanChangesNothing plants a data file that no snapshot names. A glob sees it (the negative
// control); readers that go by the table do not.
func orphanChangesNothing(t *testing.T, python string, g *gateway, before digests) {
	t.Helper()
	root := filepath.Join(g.data, "lake")
	planted := false
	err := filepath.WalkDir(root, func(path string, e os.DirEntry, err error) error {
		if err != nil || planted || e.IsDir() || !strings.HasSuffix(path, ".parquet") || !strings.Contains(path, "/readings/data/") {
			return err
		}
		data, err := os.ReadFile(path)
		if err == nil {
			err = os.WriteFile(filepath.Join(filepath.Dir(path), "orphan.parquet"), data, 0o644)
			planted = true
		}
		return err
	})
	if err != nil || !planted {
		t.Fatalf("plant an orphan below %s: planted %v, %v", root, planted, err)
	}
	after := read(t, python, g, "--glob")
	if after.GlobRows <= before.PyIceberg.Rows {
		t.Errorf("negative control: a glob counts %d rows and does not see the orphan", after.GlobRows)
	}
	if after.PyIceberg.Rows != before.PyIceberg.Rows || after.DuckDB.Rows != before.DuckDB.Rows {
		t.Errorf("an orphan changed the count: PyIceberg %d, DuckDB %d, before %d",
			after.PyIceberg.Rows, after.DuckDB.Rows, before.PyIceberg.Rows)
	}
}

// noiseFile returns a file of rows of 8 bytes each, which nothing compresses.
func noiseFile(t *testing.T, rows int) string {
	t.Helper()
	rng := rand.New(rand.NewPCG(3, 4))
	var b strings.Builder
	b.WriteString("timestamp,value\n")
	for i := range rows {
		fmt.Fprintf(&b, "%d,%s\n", 1_700_000_000+i, strconv.FormatFloat(math.Float64frombits(rng.Uint64()>>2), 'g', -1, 64))
	}
	path := filepath.Join(t.TempDir(), "noise.csv")
	if err := os.WriteFile(path, []byte(b.String()), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestQuotaIsAGapThatIsCounted fills the outbox of an agent without a gateway beyond its quota. What is given up
// must be in the table of gaps, to the seq, and the rest must land.
func TestQuotaIsAGapThatIsCounted(t *testing.T) {
	const rows = 700_000 // more than the quota below
	path := noiseFile(t, rows)
	g := newGateway(t)
	a := newAgent(t, "full", g.mqtt, fmt.Sprintf("  - {name: noise, replay: {files: [%s], times: original}}\n", path),
		"outbox: {flush_interval: 1s, quota: 4MiB, reserve: 1MiB}").start()
	waitFor(t, "all rows to be accepted", func() bool { return a.metric("headwater_outbox_accepted_total") >= rows })
	waitFor(t, "the oldest to be given up", func() bool { return a.metric("headwater_outbox_dropped_total") > 0 })
	a.stop(t)
	g.start()
	a.drain()
	acc := g.settled("full", 1)
	if !acc.Balanced || acc.Accepted != rows || acc.Gaps == 0 || acc.Landed+acc.Gaps != rows || acc.Present != acc.Landed {
		t.Errorf("the ledger says %+v; want %d accepted, all landed or in gaps, some in gaps", acc, rows)
	}
	for _, r := range g.scan("gaps", "--columns", "reason,presumed", "--where", "device = 'full'") {
		if r[0] != "drop_oldest" || r[1] != "false" {
			t.Errorf("a gap says %v", r)
		}
	}
	t.Logf("%d readings accepted, %d landed, %d given up and counted", acc.Accepted, acc.Landed, acc.Gaps)
}
