package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/headwater-iot/headwater/shared/need"
)

// imported is what `import --json` prints.
type imported struct {
	status int
	stderr string

	OK    bool `json:"ok"`
	Files []struct {
		Rows     int64  `json:"rows"`
		BadRows  int64  `json:"bad_rows"`
		Readings int64  `json:"readings"`
		Before   int64  `json:"landed_before"`
		Sent     int64  `json:"sent"`
		Landed   int64  `json:"landed"`
		Epoch    string `json:"epoch"`
		Bad      []struct {
			Line   int    `json:"line"`
			Reason string `json:"reason"`
		} `json:"bad"`
	} `json:"files"`
}

// importArgs are those of every import.
func (g *gateway) importArgs(device string, more ...string) []string {
	return append([]string{"import", "--broker", "tcp://" + g.mqtt, "--device", device, "--json"}, more...)
}

// imports runs an import to its end.
func (g *gateway) imports(device string, more ...string) imported {
	g.t.Helper()
	ctx, cancel := context.WithTimeout(g.t.Context(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, built.agent, g.importArgs(device, more...)...)
	var out, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &stderr
	err := cmd.Run()
	got := imported{status: cmd.ProcessState.ExitCode(), stderr: stderr.String()}
	if jsonErr := json.Unmarshal(out.Bytes(), &got); jsonErr != nil {
		g.t.Fatalf("import: %v; it printed %q\n%s", err, out.String(), stderr.String())
	}
	return got
}

// whole fails unless an import landed all there is, and sent as many readings.
func (r imported) whole(t *testing.T, readings, sent int64) {
	t.Helper()
	if r.status != 0 || !r.OK || len(r.Files) != 1 || r.Files[0].Readings != readings || r.Files[0].Landed != readings || r.Files[0].Sent != sent {
		t.Errorf("want %d readings landed and %d sent; status %d, %+v\n%s", readings, sent, r.status, r.Files, r.stderr)
	}
}

const fiveMinutes = 5 * time.Minute

// daysOf returns rows of days of five-minute data, as text and as points. The same days have the same values.
func daysOf(from time.Time, days int) (rows []string, points []point) {
	rng := rand.New(rand.NewPCG(uint64(from.Unix()), 1))
	for i := range days * 288 {
		at, v := from.Add(time.Duration(i)*fiveMinutes), float64(1500+rng.IntN(1000))/100 // the float nearest to its text
		rows = append(rows, fmt.Sprintf("%s,%.2f", at.Format(time.DateTime), v))
		points = append(points, point{at.UnixMicro(), v})
	}
	return rows, points
}

// csv writes a file of two columns.
func csv(t *testing.T, rows []string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file.csv")
	if err := os.WriteFile(path, []byte("time,value\n"+strings.Join(rows, "\n")+"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// filesADay returns how many data files of readings the fullest of the days of a year has.
func (g *gateway) filesADay(t *testing.T, year string) (days, most int) {
	t.Helper()
	dirs, err := filepath.Glob(filepath.Join(g.data, "lake", "warehouse", "headwater", "readings", "data", "*="+year+"-*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range dirs {
		files, err := os.ReadDir(d)
		if err != nil {
			t.Fatal(err)
		}
		most = max(most, len(files))
	}
	return len(dirs), most
}

// TestImportLandsBitForBit imports years in several orders and, where present, real series, each twice. What DuckDB and
// PyIceberg read is what the files say; the second run sends nothing; and no day is left with more than two files.
func TestImportLandsBitForBit(t *testing.T) {
	python := need.Python(t)
	g := newGateway(t).start()
	sources := map[string][]point{}
	year := func(y, days int) ([]string, []point) { return daysOf(time.Date(y, 1, 1, 0, 0, 0, 0, time.UTC), days) }
	land := func(name, path string, points []point, more ...string) {
		more = append(more, "--column", "value="+name+":Cel", path)
		g.imports(name, more...).whole(t, int64(len(points)), int64(len(points)))
		g.imports(name, more...).whole(t, int64(len(points)), 0)
		g.settled(name, int64(len(points))).exact(t)
		sources[name+"/"+name] = points
	}

	rows, points := year(2021, 365)
	land("ascending", csv(t, rows), points, "--timezone", "UTC")
	rows, points = year(2022, 365)
	slices.Reverse(rows)
	land("descending", csv(t, rows), points, "--timezone", "UTC")
	rows, points = year(2024, 366)
	rng := rand.New(rand.NewPCG(1, 2))
	rng.Shuffle(len(rows), func(i, j int) { rows[i], rows[j] = rows[j], rows[i] })
	land("shuffled", csv(t, rows), points, "--timezone", "UTC")
	one, p1 := year(2018, 150)
	two, p2 := year(2019, 150)
	rows = nil
	for i := range one {
		rows = append(rows, one[i], two[i])
	}
	land("interleaved", csv(t, rows), append(p1, p2...), "--timezone", "UTC")
	for y, days := range map[string]int{"2021": 365, "2022": 365, "2024": 366, "2018": 150, "2019": 150} {
		if n, most := g.filesADay(t, y); n != days || most > 2 {
			t.Errorf("%s has %d days with at most %d files, want %d with at most 2", y, n, most, days)
		}
	}

	t.Run("real series", func(t *testing.T) {
		for _, name := range []string{"machine_temperature_system_failure", "ec2_cpu_utilization_24ae8d"} {
			path := filepath.Join(need.Data(t), "nab", name+".csv")
			land(name, path, readSource(t, path), "--timezone", "UTC")
		}
	})
	d := read(t, python, g)
	for reader, s := range map[string]seen{"PyIceberg": d.PyIceberg, "DuckDB": d.DuckDB} {
		for name, want := range sources {
			if got := s.Series[name]; got.Count != int64(len(want)) || got.SHA256 != digestOf(want) {
				t.Errorf("%s: %s has %d readings with digest %.12s, the source %d with %.12s", reader, name, got.Count, got.SHA256, len(want), digestOf(want))
			}
		}
		if s.Rows != s.Distinct {
			t.Errorf("%s: %d rows, %d distinct", reader, s.Rows, s.Distinct)
		}
	}
}

// importKills is how often TestImportSurvivesKills kills.
func importKills() int {
	if os.Getenv("HEADWATER_E2E") == "heavy" {
		return 80
	}
	return 8
}

// TestImportSurvivesKills kills the importer, the gateway or both at random moments, and twice takes the gateway's state
// directory away. Every run begins in another directory with another copy of the file, and one that ends before its
// killer comes makes room for the next year. Live data of the same device goes on.
func TestImportSurvivesKills(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	year := func(n int) []string {
		rows, _ := daysOf(time.Date(1990+n, 1, 1, 0, 0, 0, 0, time.UTC), 365)
		return rows
	}
	const readings = 365 * 288
	g := newGateway(t).start()
	a := newAgent(t, "busy", g.mqtt, counting, "outbox: {flush_interval: 1s}").start()

	years := 0
	for i := range importKills() {
		p := start(t, nil, built.agent, g.importArgs("busy", "--timezone", "UTC", csv(t, year(years)))...)
		select {
		case <-time.After(time.Duration(rng.IntN(700)) * time.Millisecond):
		case <-p.done:
		}
		switch k := rng.IntN(4); {
		case i == 2 || i == 5:
			g.kill()
			if err := os.RemoveAll(filepath.Join(g.data, "state")); err != nil {
				t.Fatal(err)
			}
			g.start()
			waitFor(t, "the importer to go on against the new log", p.ended)
		case k == 0:
			g.kill()
			p.kill()
			g.start()
		case k == 1:
			g.kill() // under an importer that lives a while longer
			g.start()
		}
		if p.ended() && p.cmd.ProcessState.Success() {
			years++
		}
		p.kill()
	}
	before := int64(0)
	for n := range years + 1 {
		r := g.imports("busy", "--timezone", "UTC", csv(t, year(n)))
		if r.status != 0 || r.Files[0].Landed != readings {
			t.Fatalf("the last run: status %d, %+v\n%s", r.status, r.Files, r.stderr)
		}
		before = r.Files[0].Before
		where := fmt.Sprintf("epoch = '%s'", r.Files[0].Epoch)
		var got []string
		for _, row := range g.scan("readings", "--columns", "event_time,value", "--where", where) {
			got = append(got, row[0]+","+row[1])
		}
		slices.Sort(got)
		if distinct := len(slices.Compact(slices.Clone(got))); len(got) != readings || distinct != readings {
			t.Errorf("%d rows of an import, %d distinct; the file has %d", len(got), distinct, readings)
		}
	}
	t.Logf("%d kills, %d files; the last run of the last found %d of %d readings", importKills(), years+1, before, readings)
	accepted := a.metric("headwater_outbox_accepted_total")
	a.stop(t)
	a.drain()
	g.settled("busy", int64(accepted)+int64(years+1)*readings).exact(t)
	if missing, doubled := holes(g.epochs("busy")); missing != 0 || doubled != 0 {
		t.Errorf("of the live data %d readings were lost, %d doubled", missing, doubled)
	}
}

// TestLiveDataGoesOnDuringImport looks whether readings of a device land while a file of the same device is imported.
func TestLiveDataGoesOnDuringImport(t *testing.T) {
	g := newGateway(t).start()
	newAgent(t, "both", g.mqtt, counting, "outbox: {flush_interval: 1s}").start()
	live := func() int64 { return g.ledger("both").Landed }
	waitFor(t, "live data to land", func() bool { return live() > 0 })
	rows, _ := daysOf(time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC), 366)
	p := start(t, nil, built.agent, g.importArgs("both", "--timezone", "UTC", csv(t, rows))...)
	counts := map[int]bool{}
	waitFor(t, "the import to end", func() bool {
		counts[len(g.epochs("both"))] = true
		for _, v := range g.epochs("both") {
			counts[len(v)] = true
		}
		return p.ended()
	})
	if p.cmd.ProcessState.ExitCode() != 0 {
		t.Errorf("the import ended with %d", p.cmd.ProcessState.ExitCode())
	}
	if len(counts) < 3 { // the number of epochs, and two sizes of one
		t.Errorf("no live reading landed while the import ran: %v", counts)
	}
}

// TestImportSendsTheRest cuts the line in the middle of a file: the next run, from another copy, sends what is missing
// and no more.
func TestImportSendsTheRest(t *testing.T) {
	g := newGateway(t).start()
	rows, points := daysOf(time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC), 366)
	line := limited(t, g.mqtt, 64<<10)
	p := start(t, nil, built.agent, g.importArgs("cut", "--timezone", "UTC", "--broker", "tcp://"+line.addr, csv(t, rows))...)
	waitFor(t, "the line to be cut", func() bool { return line.left.Load() <= 0 })
	waitFor(t, "batches to be stored", func() bool { return metric(g.http, "headwater_intake_seqs_total") > 0 })
	p.kill()
	got := g.imports("cut", "--timezone", "UTC", csv(t, rows))
	f := got.Files[0]
	if f.Before == 0 || f.Sent == 0 || f.Before+f.Sent != int64(len(points)) {
		t.Errorf("%d readings were there and %d were sent, of %d", f.Before, f.Sent, len(points))
	}
	got.whole(t, int64(len(points)), f.Sent)
	g.settled("cut", int64(len(points))).exact(t)
	if d := metric(g.http, "headwater_intake_duplicates_total"); d > 0 {
		t.Errorf("%v messages came twice", d)
	}
}

// limited is a TCP proxy that passes so many bytes upstream and no more.
func limited(t *testing.T, upstream string, bytes int64) *corruptor {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	c := &corruptor{addr: l.Addr().String()}
	c.left.Store(bytes)
	go func() {
		for {
			down, err := l.Accept()
			if err != nil {
				return
			}
			up, err := net.Dial("tcp", upstream)
			if err != nil {
				down.Close()
				continue
			}
			go func() { _, _ = io.Copy(down, up); down.Close() }()
			go func() {
				n, _ := io.Copy(up, io.LimitReader(down, c.left.Load()))
				c.left.Add(-n)
				down.Close()
				up.Close()
			}()
		}
	}()
	return c
}

// TestImportThroughMosquitto imports past a real broker, to a gateway that is its client: rows land once, and again is nothing.
func TestImportThroughMosquitto(t *testing.T) {
	g := newBehind(t, newMosquitto(t).start()).start()
	rows, points := daysOf(time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC), 366)
	g.imports("past", "--timezone", "UTC", csv(t, rows)).whole(t, int64(len(points)), int64(len(points)))
	g.imports("past", "--timezone", "UTC", csv(t, rows)).whole(t, int64(len(points)), 0)
	g.settled("past", int64(len(points))).exact(t)
}

// TestTwoImportersOfOneFile lets two importers of copies of one file on one device each send a part, and then go on at the
// same time, where they take the connection from one another: both end well, and each row is there once.
func TestTwoImportersOfOneFile(t *testing.T) {
	for name, open := range map[string]func(*testing.T) *gateway{
		"frontdoor": newGateway,
		"consumer":  func(t *testing.T) *gateway { return newBehind(t, newMosquitto(t).start()) },
	} {
		t.Run(name, func(t *testing.T) {
			g := open(t).start()
			rows, points := daysOf(time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC), 366)
			var importers [2]*process
			var lines [2]*corruptor
			for i := range importers {
				lines[i] = limited(t, g.mqtt, 64<<10)
				importers[i] = start(t, nil, built.agent,
					g.importArgs("twice", "--timezone", "UTC", "--broker", "tcp://"+lines[i].addr, csv(t, rows))...)
				waitFor(t, "the line to be cut", func() bool { return lines[i].left.Load() <= 0 })
			}
			for i, p := range importers {
				if p.ended() {
					t.Fatalf("importer %d ended behind a line that was cut:\n%s", i, p.text())
				}
				lines[i].left.Store(1 << 40)
			}
			for i, p := range importers {
				waitFor(t, "an importer to end", p.ended)
				if status := p.cmd.ProcessState.ExitCode(); status != 0 {
					t.Errorf("importer %d ended with %d:\n%s", i, status, p.text())
				}
			}
			t.Logf("the gateway has seen %v copies", metric(g.http, "headwater_intake_duplicates_total"))
			g.settled("twice", int64(len(points))).exact(t)
			distinct := map[string]bool{}
			landed := g.scan("readings", "--columns", "event_time,value", "--where", "device = 'twice'")
			for _, row := range landed {
				distinct[strings.Join(row, ",")] = true
			}
			if len(landed) != len(points) || len(distinct) != len(points) {
				t.Errorf("%d rows landed, %d distinct; the file has %d", len(landed), len(distinct), len(points))
			}
		})
	}
}

// TestImportTellsBadRows: what cannot be read is named by line and reason, the rest lands, and the status says so.
func TestImportTellsBadRows(t *testing.T) {
	g := newGateway(t).start()
	rows := []string{
		"2024-10-27 02:30,1", "2024-10-27 02:30,2", // one local time, twice: the clocks have not moved between
		"yesterday,3", "2024-10-27 02:00,4", "2024-10-27 12:00,x", "2024-10-27 12:00,", "2024-10-27 12:00,5,6",
	}
	path := csv(t, rows)
	got := g.imports("odd", "--timezone", "Europe/Zurich", path)
	if got.status != 1 || got.OK || got.Files[0].BadRows != 3 || got.Files[0].Landed != 3 || got.Files[0].Sent != 3 {
		t.Errorf("status %d, %+v", got.status, got.Files)
	}
	var bad []string
	for _, b := range got.Files[0].Bad {
		bad = append(bad, fmt.Sprintf("%d %s", b.Line, b.Reason))
		if want := fmt.Sprintf("%s:%d: %s: ", path, b.Line, b.Reason); !strings.Contains(got.stderr, want) {
			t.Errorf("standard error does not say %q:\n%s", want, got.stderr)
		}
	}
	if s := strings.Join(bad, ", "); s != "4 time, 6 value, 8 fields" {
		t.Errorf("bad rows: %s", s)
	}
	got = g.imports("odd", "--timezone", "Europe/Zurich", "--allow-bad-rows", path)
	if got.status != 0 || got.Files[0].Sent != 0 || got.Files[0].Before != 3 {
		t.Errorf("again: status %d, %+v\n%s", got.status, got.Files, got.stderr)
	}
	g.settled("odd", 3).exact(t)
	var landed []string
	for _, r := range g.scan("readings", "--columns", "event_time,value", "--where", "device = 'odd'") {
		landed = append(landed, strings.Join(r, " "))
	}
	slices.Sort(landed)
	if s := strings.Join(landed, ", "); s != "2024-10-27T00:30:00.000000Z 1, 2024-10-27T00:30:00.000000Z 2, 2024-10-27T01:00:00.000000Z 4" {
		t.Errorf("landed: %s", s)
	}
	if got := g.imports("odd", path); got.status != 1 || !strings.Contains(got.stderr, "--timezone") {
		t.Errorf("without a zone: status %d\n%s", got.status, got.stderr)
	}
}

// TestInterruptedImportGoesOn: SIGINT ends an import with how to go on, and nothing is lost by it.
func TestInterruptedImportGoesOn(t *testing.T) {
	g := newGateway(t)
	rows, points := daysOf(time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC), 30)
	path := csv(t, rows)
	p := start(t, nil, built.agent, g.importArgs("stopped", "--timezone", "UTC", path)...)
	waitFor(t, "the importer to say that nobody is there", func() bool { return strings.Contains(p.text(), "broker not reached") })
	_ = p.cmd.Process.Signal(syscall.SIGINT)
	waitFor(t, "the importer to end", p.ended)
	if p.cmd.ProcessState.ExitCode() != 1 || !strings.Contains(p.text(), "run the same command again to go on") {
		t.Errorf("status %d:\n%s", p.cmd.ProcessState.ExitCode(), p.text())
	}
	g.start()
	g.imports("stopped", "--timezone", "UTC", path).whole(t, int64(len(points)), int64(len(points)))
	g.settled("stopped", int64(len(points))).exact(t)
}
