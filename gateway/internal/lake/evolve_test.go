package lake

import (
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/iceberg-go"
	icetable "github.com/apache/iceberg-go/table"
	"github.com/google/go-cmp/cmp"

	"github.com/headwater-iot/headwater/gateway/internal/lake/catalog"
	"github.com/headwater-iot/headwater/gateway/internal/lake/schema"
	"github.com/headwater-iot/headwater/gateway/internal/table"
)

// firstSchema is a table as the first version made it: cursors without series_state, columns with other docs.
func firstSchema(now schema.Table) schema.Table {
	var fields []iceberg.NestedField
	for _, f := range now.Schema.Fields() {
		if now.Name == table.Cursors && f.Name == "series_state" {
			continue
		}
		if f.Name == "quality" || f.Name == "reason" {
			f.Doc = "what it was"
		}
		fields = append(fields, f)
	}
	now.Schema = iceberg.NewSchema(0, fields...)
	return now
}

// firstLake makes a lake of the first version, with rows in every table that it had, and returns its marks.
func firstLake(t *testing.T, dir string) table.Marks {
	t.Helper()
	now := openLake(t, t.TempDir(), nil)
	m := takeOver(t, now, logA)
	if err := now.Commit(t.Context(), fullCommit(m)); err != nil {
		t.Fatal(err)
	}
	then := &Lake{cfg: Config{Dir: dir, Partitions: 2}}
	cat, err := catalog.Open(dir+"/"+catalogFile, catalog.Options{Warehouse: then.warehouse()})
	if err != nil {
		t.Fatal(err)
	}
	defer cat.Close()
	if err := cat.CreateNamespace(t.Context(), icetable.Identifier{table.Namespace}, nil); err != nil {
		t.Fatal(err)
	}
	for _, s := range schema.All() {
		if s.Name == table.Contracts {
			continue
		}
		from, err := now.load(t.Context(), s.Name)
		if err != nil {
			t.Fatal(err)
		}
		made, err := then.newTable(firstSchema(s), from.Properties())
		if err != nil {
			t.Fatal(err)
		}
		if err := cat.Create(t.Context(), made); err != nil {
			t.Fatal(err)
		}
		to, err := cat.LoadTable(t.Context(), s.Identifier())
		if err != nil {
			t.Fatal(err)
		}
		copyRows(t, from, to)
	}
	return next(m)
}

// copyRows writes the rows of a table into another one, as far as it has their columns.
func copyRows(t *testing.T, from, to *icetable.Table) {
	t.Helper()
	var columns []string
	for _, f := range to.Schema().Fields() {
		columns = append(columns, f.Name)
	}
	sc, batches, err := from.Scan(icetable.WithSelectedFields(columns...)).ToArrowRecords(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var all []arrow.RecordBatch
	for b, err := range batches {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, b)
	}
	if len(all) == 0 {
		return
	}
	rows := array.NewTableFromRecords(sc, all)
	defer rows.Release()
	if _, err := to.AppendTable(t.Context(), rows, rows.NumRows(), nil); err != nil {
		t.Fatalf("append to %v: %v", to.Identifier(), err)
	}
}

// TestLakeOfAnEarlierVersionOpens is what an upgrade does: no row is lost or rewritten, and old and new rows are one table.
func TestLakeOfAnEarlierVersionOpens(t *testing.T) {
	dir := t.TempDir()
	m := firstLake(t, dir)
	l := openLake(t, dir, nil)
	before := rowCounts(t, l)
	if before[table.Cursors] != 2 || before[table.Readings] != 2 || before[table.Contracts] != 0 {
		t.Fatalf("rows after opening: %v", before)
	}
	if err := l.Describe(t.Context(), func(string) table.About { return table.About{} }); err != nil {
		t.Fatal(err)
	}
	for _, s := range schema.All() {
		got, err := l.load(t.Context(), s.Name)
		if err != nil {
			t.Fatal(err)
		}
		if !got.Schema().Equals(s.Schema) {
			t.Errorf("table %s has %v", s.Name, got.Schema())
		}
	}
	c := fullCommit(m)
	c.Cursors[0].SeriesState = []byte{0xa0}
	if err := l.Commit(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	cursors, _, err := l.LoadCursors(t.Context())
	if err != nil || len(cursors) != 2 {
		t.Fatal(cursors, err)
	}
	states := map[string][]byte{}
	for _, row := range cursors {
		states[row.Device] = row.SeriesState
	}
	if diff := cmp.Diff(map[string][]byte{"dev-1": {0xa0}, "dev-2": nil}, states); diff != "" {
		t.Errorf("states of the series (-want +got):\n%s", diff)
	}
	rows, err := l.LoadContracts(t.Context())
	if diff := cmp.Diff(c.Contracts, rows); err != nil || diff != "" {
		t.Errorf("contracts %v (-want +got):\n%s", err, diff)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	again := openLake(t, dir, func(step string) error {
		t.Errorf("opened again, it does %q", step)
		return nil
	})
	if n := rowCount(t, again, table.Readings); n != 4 {
		t.Errorf("%d readings, want 4", n)
	}
}

// TestLakeOfALaterVersionIsRefused: to leave a column out that somebody else fills would lose what it says.
func TestLakeOfALaterVersionIsRefused(t *testing.T) {
	p := iceberg.PrimitiveTypes
	base := []iceberg.NestedField{{ID: 1, Name: "a", Type: p.String, Required: true, Doc: "a"}, {ID: 2, Name: "b", Type: p.Int32}}
	have := iceberg.NewSchema(0, base...)
	for name, c := range map[string]struct {
		want   []iceberg.NestedField
		reason string
	}{
		"a column less":          {base[:1], "column b"},
		"another name":           {[]iceberg.NestedField{base[0], {ID: 2, Name: "c", Type: p.Int32}}, "column b"},
		"another type":           {[]iceberg.NestedField{base[0], {ID: 2, Name: "b", Type: p.Int64}}, "column b"},
		"null where it was not":  {[]iceberg.NestedField{{ID: 1, Name: "a", Type: p.String}, base[1]}, "column a"},
		"a new column, required": {append(slices.Clone(base), iceberg.NestedField{ID: 3, Name: "c", Type: p.Int32, Required: true}), "lacks the column c"},
		"a new column":           {append(slices.Clone(base), iceberg.NestedField{ID: 3, Name: "c", Type: p.Int32}), ""},
		"another doc":            {[]iceberg.NestedField{{ID: 1, Name: "a", Type: p.String, Required: true, Doc: "x"}, base[1]}, ""},
	} {
		err := covers(have, iceberg.NewSchema(0, c.want...))
		if (err == nil) != (c.reason == "") || err != nil && !strings.Contains(err.Error(), c.reason) {
			t.Errorf("%s: %v; want %q", name, err, c.reason)
		}
	}
}
