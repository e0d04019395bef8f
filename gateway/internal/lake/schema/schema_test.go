package schema

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/apache/iceberg-go"
	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the golden files")

// describe prints all that FORMAT.md fixes of a table, and the docs.
func describe(t *testing.T, tbl Table) string {
	t.Helper()
	meta, err := tbl.Metadata("file:///lake/"+tbl.Name, nil)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "table %s (format v%d): %s\n", tbl.Name, meta.Version(), tbl.Comment)
	for _, f := range meta.CurrentSchema().Fields() {
		star := " "
		if f.Required {
			star = "*"
		}
		fmt.Fprintf(&b, "  %2d%s %-18s %-15s %s\n", f.ID, star, f.Name, typeText(f.Type), f.Doc)
		if f.Doc == "" {
			t.Errorf("column %s.%s has no doc", tbl.Name, f.Name)
		}
	}
	spec := meta.PartitionSpec()
	for _, f := range spec.Fields() {
		fmt.Fprintf(&b, "  partition %d %s = %s(%d)\n", f.FieldID, f.Name, f.Transform, f.SourceID())
	}
	for _, f := range meta.SortOrder().Fields() {
		fmt.Fprintf(&b, "  order %s(%d) %s %s\n", f.Transform, f.SourceID(), f.Direction, f.NullOrder)
	}
	var props []string
	for k, v := range meta.Properties() {
		if k != "comment" {
			props = append(props, fmt.Sprintf("  %s = %s\n", k, v))
		}
	}
	slices.Sort(props)
	return b.String() + strings.Join(props, "")
}

// typeText is the type with the field ids inside it.
func typeText(typ iceberg.Type) string {
	switch typ := typ.(type) {
	case *iceberg.ListType:
		return fmt.Sprintf("list<%d:%s>", typ.ElementID, typ.Element)
	case *iceberg.MapType:
		return fmt.Sprintf("map<%d:%s,%d:%s>", typ.KeyID, typ.KeyType, typ.ValueID, typ.ValueType)
	}
	return typ.String()
}

func TestGolden(t *testing.T) {
	var got strings.Builder
	for _, tbl := range All() {
		got.WriteString(describe(t, tbl) + "\n")
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
		t.Errorf("tables differ from %s (-want +got):\n%s", path, diff)
	}
}
