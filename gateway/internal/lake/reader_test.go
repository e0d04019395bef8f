package lake

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/headwater-iot/headwater/gateway/internal/cursor"
	"github.com/headwater-iot/headwater/gateway/internal/lake/scan"
	"github.com/headwater-iot/headwater/gateway/internal/lake/schema"
	"github.com/headwater-iot/headwater/gateway/internal/table"
)

func openReader(t *testing.T, dir string) *Reader {
	t.Helper()
	r, err := OpenReader(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	return r
}

// text scans into a string.
func text(t *testing.T, r *Reader, req ScanRequest, f scan.Format) string {
	t.Helper()
	var b strings.Builder
	if _, err := r.Write(t.Context(), req, f, &b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// readings returns what is said of that table.
func readings(infos []TableInfo) TableInfo {
	return infos[slices.IndexFunc(infos, func(i TableInfo) bool { return i.Name == table.Readings })]
}

// TestReaderBesideWriter reads while the writer is open, and again when it is gone.
func TestReaderBesideWriter(t *testing.T) {
	dir := t.TempDir()
	l := openLake(t, dir, nil)
	r := openReader(t, dir)
	m := takeOver(t, l, logA)
	infos, err := r.Tables(t.Context())
	if err != nil || len(infos) != len(schema.All()) || readings(infos).Rows != 0 || readings(infos).Snapshot != 0 {
		t.Fatalf("%+v, %v", infos, err)
	}
	if got := text(t, r, ScanRequest{Table: table.Readings, Columns: []string{"seq"}}, scan.CSV); got != "seq\n" {
		t.Errorf("empty table: %q", got)
	}
	var first int64
	for range 3 {
		if err := l.Commit(t.Context(), fullCommit(m)); err != nil {
			t.Fatal(err)
		}
		m = next(m)
		if infos, err = r.Tables(t.Context()); err != nil {
			t.Fatal(err)
		}
		if first == 0 {
			first = readings(infos).Snapshot
		}
	}
	check := func(r *Reader) {
		t.Helper()
		infos, err := r.Tables(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		info := readings(infos)
		if info.Rows != 6 || info.Files != 3 || info.Snapshots != 3 || info.Bytes == 0 || info.LastCommit.IsZero() {
			t.Errorf("%+v", info)
		}
		if _, err := os.Stat(info.Metadata); err != nil {
			t.Error(err)
		}
		req := ScanRequest{
			Table: table.Readings, Columns: []string{"seq", "device", "value", "event_time", "unit", "contract"},
			Where: "device = 'dev-1' and seq in (1, 4) and event_time >= '2025-10-09' and value > 0",
		}
		want := "seq,device,value,event_time,unit,contract\n" +
			"1,dev-1,2.5,2025-10-09T08:53:21.000000Z,Cel,\n4,dev-1,1.5,2025-10-09T08:53:24.000000Z,Cel,\n"
		if got := text(t, r, req, scan.CSV); sortedLines(got) != sortedLines(want) {
			t.Errorf("got\n%s\nwant\n%s", got, want)
		}
		if got := text(t, r, ScanRequest{Table: table.Readings, Columns: []string{"seq"}, Snapshot: first}, scan.CSV); sortedLines(got) != sortedLines("seq\n0\n1\n") {
			t.Errorf("first snapshot: %q", got)
		}
		if got := text(t, r, ScanRequest{Table: table.Readings, Limit: 4}, scan.JSONL); strings.Count(got, "\n") != 4 {
			t.Errorf("limit 4: %q", got)
		}
	}
	check(r)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	check(r)
	check(openReader(t, dir))
}

// TestReaderAllTables: every table can be printed in every format, with every column.
func TestReaderAllTables(t *testing.T) {
	dir := t.TempDir()
	l := openLake(t, dir, nil)
	m := takeOver(t, l, logA)
	if err := l.Commit(t.Context(), fullCommit(m)); err != nil {
		t.Fatal(err)
	}
	if err := l.ReplaceDevices(t.Context(), []table.Device{{Device: "a", LastSeen: day0, FirstSeen: day0, ClockError: 1, Tags: map[string]string{"k": "v"}}}); err != nil {
		t.Fatal(err)
	}
	row := table.Profile{Device: "a", Series: "temp", Day: 20513, Count: 1, Min: 1.5, Mean: math.NaN(), Drift: math.NaN(), Snapshot: 7, Sequence: 2, Updated: day0}
	if err := l.ReplaceProfiles(t.Context(), []int32{row.Day}, []table.Profile{row}); err != nil {
		t.Fatal(err)
	}
	r := openReader(t, dir)
	var got strings.Builder
	for _, name := range []string{table.Readings, table.Quarantine, table.Gaps, table.Contracts, table.Cursors, table.Devices, table.Profiles} {
		fmt.Fprintf(&got, "%s\n%s", name, sortedLines(text(t, r, ScanRequest{Table: name}, scan.JSONL)))
		for _, line := range strings.Split(strings.TrimSpace(text(t, r, ScanRequest{Table: name}, scan.JSONL)), "\n") {
			if !json.Valid([]byte(line)) {
				t.Errorf("%s: not JSON: %s", name, line)
			}
		}
		text(t, r, ScanRequest{Table: name}, scan.Table)
	}
	path := filepath.Join("testdata", "tables.golden")
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got.String()); diff != "" {
		t.Errorf("tables (-want +got):\n%s", diff)
	}
}

func TestReaderRefuses(t *testing.T) {
	dir := t.TempDir()
	if _, err := OpenReader(dir); err == nil {
		t.Error("a lake was read where there is none")
	}
	openLake(t, dir, nil)
	r := openReader(t, dir)
	for _, c := range []struct {
		req  ScanRequest
		want string
	}{
		{ScanRequest{Table: "nothing"}, "no table"},
		{ScanRequest{Table: table.Gaps, Columns: []string{"value"}}, "no column"},
		{ScanRequest{Table: table.Gaps, Where: "count ="}, "at character 8"},
		{ScanRequest{Table: table.Gaps, Snapshot: 5}, "no snapshot 5"},
	} {
		_, err := r.Write(t.Context(), c.req, scan.CSV, &strings.Builder{})
		if err == nil || !strings.Contains(err.Error(), c.want) || errors.Is(err, ErrWhere) != (c.req.Where != "") {
			t.Errorf("%+v: %v, want %q", c.req, err, c.want)
		}
	}
}

func TestLedger(t *testing.T) {
	dir := t.TempDir()
	l := openLake(t, dir, nil)
	m := takeOver(t, l, logA)
	a := cursorOf("a", 1, 10)
	a.Accepted, a.Held, a.Landed, a.Quarantined, a.GapSeqs = 20, 3, 4, 2, 4
	a.Presumed.Add(10, 13)
	b := cursorOf("b", 1, 3)
	b.Accepted = 3
	q := table.QuarantineRow{Device: "a", Epoch: 7, From: 4, To: 6, Count: 2, Reason: "x", Fate: "held", Origin: table.Origin{Log: logA}}
	evidence := q
	evidence.From, evidence.To, evidence.Count = 0, 0, 0
	sealed, presumed := gap("a", 7, 6, false), gap("a", 7, 10, true)
	sealed.Count, presumed.Count = 4, 3
	c := &table.Commit{
		Expect: m, Marks: next(m),
		Readings:   []table.Run{floats("a", "s", 0, 1, 2), floats("a", "t", 2, 3, 4), floats("b", "s", 0, 1, 2, 3)},
		Quarantine: []table.QuarantineRow{q, evidence}, Gaps: []table.GapRow{sealed, presumed}, Cursors: []table.Cursor{a, b},
	}
	if err := l.Commit(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	r := openReader(t, dir)
	want := map[string]cursor.Counts{
		"a": {Readings: 4, Quarantined: 2, Gaps: 4, Presumed: 3},
		"b": {Readings: 3},
	}
	for _, req := range []LedgerRequest{{}, {Unique: true}} {
		got, err := r.Ledger(t.Context(), req)
		if err != nil {
			t.Fatal(err)
		}
		counts := map[string]cursor.Counts{}
		for _, d := range got {
			counts[d.Device] = d.Counts
			if len(d.Cursors) != 1 || d.Cursors[0].Device != d.Device {
				t.Errorf("%+v: device %s has the cursors %+v", req, d.Device, d.Cursors)
			}
		}
		if diff := cmp.Diff(want, counts); diff != "" {
			t.Errorf("%+v (-want +got):\n%s", req, diff)
		}
	}
	// A reading that is there twice is found, and only with Unique is it told from one too many.
	twice := &table.Commit{Expect: c.Marks, Marks: next(c.Marks), Readings: []table.Run{floats("b", "s", 1, 2)}}
	if err := l.Commit(t.Context(), twice); err != nil {
		t.Fatal(err)
	}
	got, err := r.Ledger(t.Context(), LedgerRequest{Device: "b", Unique: true})
	if err != nil || len(got) != 1 || got[0].Counts.Duplicates != 1 || got[0].Counts.Readings != 4 {
		t.Errorf("%+v %v", got, err)
	}
}
