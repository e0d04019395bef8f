package lake

import (
	"strings"
	"testing"

	"github.com/headwater-iot/headwater/gateway/internal/lake/schema"
	"github.com/headwater-iot/headwater/gateway/internal/table"
	"github.com/headwater-iot/headwater/shared/wire"
)

// TestDescribe: what contracts say stands in the tables, outlives the gateway, goes with the contract, and moves nothing.
func TestDescribe(t *testing.T) {
	dir := t.TempDir()
	l := openLake(t, dir, nil)
	marks := takeOver(t, l, wire.ID{1})
	describe := func(about table.About) (where string) {
		t.Helper()
		if err := l.Describe(t.Context(), func(string) table.About { return about }); err != nil {
			t.Fatal(err)
		}
		for _, want := range schema.All() {
			tbl, err := l.load(t.Context(), want.Name)
			if err != nil {
				t.Fatal(err)
			}
			where += tbl.MetadataLocation() + "\n"
		}
		return where
	}
	said := func() string {
		tbl, err := l.load(t.Context(), table.Readings)
		if err != nil {
			t.Fatal(err)
		}
		p, f := tbl.Properties(), tbl.Schema().Field(3)
		return strings.Join([]string{p["owner"], p["comment"], p[schema.Contracts], p[schema.Retention], f.Doc}, "|")
	}
	bare := describe(table.About{Retention: "for ever"})
	none := said()
	about := table.About{Owner: "ada", Description: "c: Air.", Contracts: "c@1.0.0", Retention: "c 400d", Columns: map[string]string{"value": "c: hot"}}
	told := describe(about)
	const want = "ada|One row is one reading: one value of one series of one device, exactly once. c: Air.|c@1.0.0|c 400d|" +
		"the number, or the nearest double of an integer; a boolean is 0 or 1; c: hot"
	if said() != want || told == bare {
		t.Errorf("readings says\n%s, want\n%s", said(), want)
	}
	if again := describe(about); again != told {
		t.Errorf("said again, the tables move:\n%s\n%s", told, again)
	}
	if err := l.Commit(t.Context(), fullCommit(marks)); err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	l = openLake(t, dir, nil)
	if said() != want {
		t.Errorf("after a restart readings says\n%s, want\n%s", said(), want)
	}
	if n := rowCount(t, l, table.Readings); n == 0 {
		t.Error("nothing has landed")
	}
	describe(table.About{Retention: "for ever"})
	if said() != none || strings.Contains(none, "ada") {
		t.Errorf("without contracts readings says\n%s, want\n%s", said(), none)
	}
}
