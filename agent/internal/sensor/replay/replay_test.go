package replay

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/headwater-iot/headwater/shared/record"
)

// put writes a file and returns its path.
func put(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "series.csv")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// play replays and returns the rows and the log.
func play(t *testing.T, s Settings, now time.Time) (*Replay, []record.Row, string) {
	t.Helper()
	var log strings.Builder
	r, err := New(s, Config{
		Name: "csv", Prefix: "p_", Logger: slog.New(slog.NewTextHandler(&log, nil)), Now: func() time.Time { return now },
	})
	if err != nil {
		t.Fatal(err)
	}
	var rows []record.Row
	if err := r.Run(t.Context(), func(row record.Row) error { rows = append(rows, row); return nil }); err != nil {
		t.Fatal(err)
	}
	return r, rows, log.String()
}

func row(ms int64, cells ...record.Cell) record.Row {
	return record.Row{Sensor: "csv", Absolute: true, Unit: record.Milli, Time: ms, Cells: cells}
}

func TestOriginalTimesAndColumns(t *testing.T) {
	path := put(t, "\ufeffwhen,a,b,c\r\n2013-07-04 00:00:00,69.88,,x\r\n2013-07-04 00:05:00,-0,1e-3,y\r\n")
	r, rows, _ := play(t, Settings{
		Files: []string{path}, Zone: "UTC",
		Columns: map[string]Column{"a": {Series: "temperature", Unit: "Cel"}, "b": {}},
	}, time.Time{})
	want := []record.Row{
		row(1372896000000, record.FloatCell("p_temperature", "Cel", 69.88)),
		row(1372896300000, record.FloatCell("p_temperature", "Cel", math.Copysign(0, -1)), record.FloatCell("p_b", "", 0.001)),
	}
	if diff := cmp.Diff(want, rows); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if !math.Signbit(rows[1].Cells[0].Float) {
		t.Error("the sign of zero was lost")
	}
	announce := []record.Cell{record.FailedCell("p_temperature", "Cel", record.Float), record.FailedCell("p_b", "", record.Float)}
	if diff := cmp.Diff(announce, r.Announce()); diff != "" {
		t.Error(diff)
	}
}

func TestShiftedTimesEndNow(t *testing.T) {
	path := put(t, "t,v\n2000-01-01 00:00:00,1\n2000-01-01 00:02:00,2\n2000-01-01 00:01:00.0005,3\n")
	now := time.UnixMilli(1_760_000_000_123)
	_, rows, log := play(t, Settings{Files: []string{path}, Times: Shifted}, now)
	if len(rows) != 3 || rows[1].Time != now.UnixMilli() || rows[0].Time != now.UnixMilli()-120_000 {
		t.Errorf("rows %+v", rows)
	}
	if rows[2].Unit != record.Micro || rows[2].Time != (now.UnixMilli()-60_000)*1000+500 {
		t.Errorf("a finer row became %+v", rows[2])
	}
	if !strings.Contains(log, "moves all times") || !strings.Contains(log, "shift=") {
		t.Errorf("the log does not say how far:\n%s", log)
	}
}

func TestBadRowsAreCountedAndNamed(t *testing.T) {
	path := put(t, "t,v\nsoon,1\n2000-01-01 00:00:00,one\n2000-01-01 00:00:00\n2000-01-01 00:00:00,a\"b\n"+
		"2000-01-01 00:00:00,1e999\n2000-01-01 00:00:00,\n2000-01-01 00:00:00,NaN\n2000-01-01 00:00:01,5\n")
	r, rows, log := play(t, Settings{Files: []string{path}}, time.Time{})
	bad := record.FailedCell("p_v", "", record.Float)
	bad.Quality |= record.Suspect
	want := []record.Row{row(946684800000, bad), row(946684801000, record.FloatCell("p_v", "", 5))}
	if diff := cmp.Diff(want, rows); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for reason, want := range map[string]uint64{badTime: 1, badValue: 3, badFields: 1, badCSV: 1} {
		if got := r.bad[reason].Value(); got != want {
			t.Errorf("%s: %d bad rows, want %d", reason, got, want)
		}
	}
	for _, line := range []string{"line=2 ", "line=3 ", "line=4 ", "line=5 ", "line=6 ", "line=7 "} {
		if !strings.Contains(log, line) {
			t.Errorf("the log does not name %s:\n%s", line, log)
		}
	}
}

func TestManyBadRowsDoNotFloodTheLog(t *testing.T) {
	path := put(t, "t,v\n"+strings.Repeat("x,1\n", 1000))
	r, _, log := play(t, Settings{Files: []string{path}}, time.Time{})
	if n := strings.Count(log, "\n"); n != mostNamed+1 || r.bad[badTime].Value() != 1000 {
		t.Errorf("%d lines of log for %d bad rows", n, r.bad[badTime].Value())
	}
}

func TestRefusedRowIsOfferedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := put(t, "t,v\n1,1\n2,2\n3,3\n")
		r, err := New(Settings{Files: []string{path}}, Config{Logger: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		var got []int64
		offers := 0
		err = r.Run(t.Context(), func(row record.Row) error {
			if offers++; offers%3 != 0 {
				return errors.New("full")
			}
			got = append(got, row.Time)
			return nil
		})
		if diff := cmp.Diff([]int64{1000, 2000, 3000}, got); diff != "" || err != nil {
			t.Errorf("%v %s", err, diff)
		}
	})
}

func TestStopsWhileARowIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := put(t, "t,v\n1,1\n")
		r, err := New(Settings{Files: []string{path}}, Config{Logger: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := r.Run(ctx, func(record.Row) error { return errors.New("full") }); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
	})
}

func TestSpeedPacesRows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := put(t, "t,v\n0,1\n60,2\n120,3\n90,4\n")
		r, err := New(Settings{Files: []string{path}, Speed: 60}, Config{Logger: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		var at []time.Duration
		if err := r.Run(t.Context(), func(record.Row) error { at = append(at, time.Since(began)); return nil }); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]time.Duration{0, time.Second, 2 * time.Second, 2 * time.Second}, at); diff != "" {
			t.Error(diff)
		}
	})
}

func TestParseTime(t *testing.T) {
	zurich, err := time.LoadLocation("Europe/Zurich")
	if err != nil {
		t.Skip("no time zone data on this machine")
	}
	for text, want := range map[string]int64{
		"2013-07-04 00:00:00":       1372888800000, // summer time
		"2013-07-04T00:00:00Z":      1372896000000,
		"2013-07-04T02:00:00+02:00": 1372896000000,
		"2013-07-04 00:00:00.250":   1372888800250,
		"2013-07-04T00:00:00":       1372888800000,
		"1372896000":                1372896000000,
		"1372896000.5":              1372896000500,
		"1372896000123":             1372896000123,
		" -5 ":                      -5000,
	} {
		got, unit, err := parseTime(text, zurich)
		if got != want || unit != record.Milli || err != nil {
			t.Errorf("%q: %d, %v; want %d", text, got, err, want)
		}
	}
	if us, unit, err := parseTime("1372896000.000001", zurich); us != 1372896000000001 || unit != record.Micro || err != nil {
		t.Errorf("a microsecond: %d %d %v", us, unit, err)
	}
	for _, text := range []string{"", "yesterday", "2013-13-01 00:00:00", "NaN", "1e300", "2013-07-04"} {
		if _, _, err := parseTime(text, zurich); err == nil {
			t.Errorf("%q was taken", text)
		}
	}
}

func TestHeaderThatCannotBeUsed(t *testing.T) {
	for name, s := range map[string]Settings{
		"empty":   {Files: []string{put(t, "")}},
		"no time": {Files: []string{put(t, "a,b\n")}, TimeColumn: "t"},
		"twice":   {Files: []string{put(t, "t,v,v\n")}},
		"absent":  {Files: []string{put(t, "t,v\n")}, Columns: map[string]Column{"w": {}}},
		"alone":   {Files: []string{put(t, "t\n")}},
	} {
		if _, err := New(s, Config{}); !errors.Is(err, ErrHeader) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := New(Settings{Files: []string{filepath.Join(t.TempDir(), "none")}}, Config{}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("missing file: %v", err)
	}
}

func TestCheckReportsEveryProblem(t *testing.T) {
	var got []string
	report := func(path, _ string, _ ...any) { got = append(got, path) }
	Settings{Times: "future", Speed: -1, Zone: "Mars/Olympus", TimeColumn: "t", Columns: map[string]Column{"t": {}}}.Check(report)
	if diff := cmp.Diff([]string{"files", "times", "speed", "zone", "columns"}, got); diff != "" {
		t.Error(diff)
	}
	got = nil
	Settings{Files: []string{"a.csv"}}.Check(report)
	if got != nil {
		t.Errorf("good settings refused: %v", got)
	}
}

func TestRealSeriesAreGivenBitForBit(t *testing.T) {
	dir := os.Getenv("HEADWATER_DATA")
	if dir == "" {
		dir = "../../../../../shared/data"
	}
	path := filepath.Join(dir, "nab", "machine_temperature_system_failure.csv")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Skipf("no real series here: %v", err)
	}
	source, err := csv.NewReader(strings.NewReader(string(text))).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	_, rows, _ := play(t, Settings{Files: []string{path}}, time.Time{})
	if len(rows) != len(source)-1 {
		t.Fatalf("%d rows of %d", len(rows), len(source)-1)
	}
	for i, row := range rows {
		v, err := strconv.ParseFloat(source[i+1][1], 64)
		at, _ := time.Parse(time.DateTime, source[i+1][0])
		if err != nil || math.Float64bits(v) != math.Float64bits(row.Cells[0].Float) || at.UnixMilli() != row.Time {
			t.Fatalf("row %d: %v became %+v", i, source[i+1], row)
		}
	}
}

func FuzzFile(f *testing.F) {
	for _, seed := range []string{"t,v\n1,2\n", "t,v\n\"1\n", "\ufeff", "a,b,c\n2000-01-01 00:00:00,1,\n,,\n"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		r, err := New(Settings{Files: []string{put(t, text)}, Times: Shifted}, Config{
			Logger: slog.New(slog.DiscardHandler), Now: func() time.Time { return time.UnixMilli(1) },
		})
		if err != nil {
			return
		}
		if err := r.Run(t.Context(), func(row record.Row) error {
			if len(row.Cells) == 0 {
				t.Error("a row without a cell")
			}
			return nil
		}); err != nil {
			t.Errorf("run: %v", err)
		}
	})
}

// TestRowThatNothingCarriesIsLeftOut: offered again and again it would hold up all that follow.
func TestRowThatNothingCarriesIsLeftOut(t *testing.T) {
	path := put(t, "t,v\n1,1\n2,2\n3,3\n")
	r, err := New(Settings{Files: []string{path}}, Config{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	var got []int64
	err = r.Run(t.Context(), func(row record.Row) error {
		got = append(got, row.Time)
		if row.Time == 2000 {
			return fmt.Errorf("append row: %w", record.ErrRow)
		}
		return nil
	})
	if diff := cmp.Diff([]int64{1000, 2000, 3000}, got); diff != "" || err != nil {
		t.Errorf("%v %s", err, diff)
	}
}
