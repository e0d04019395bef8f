package rowfile

import (
	"path/filepath"
	"testing"

	icetable "github.com/apache/iceberg-go/table"

	"github.com/headwater-iot/headwater/gateway/internal/lake/catalog"
	"github.com/headwater-iot/headwater/gateway/internal/lake/fileio"
	"github.com/headwater-iot/headwater/gateway/internal/lake/schema"
	"github.com/headwater-iot/headwater/gateway/internal/table"
)

// newTable makes one table of ours in a catalogue of its own.
func newTable(tb testing.TB, name string) *icetable.Table {
	tb.Helper()
	dir := tb.TempDir()
	cat, err := catalog.Open(filepath.Join(dir, "catalog.db"), catalog.Options{Warehouse: fileio.Location(dir)})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { cat.Close() })
	if err := cat.CreateNamespace(tb.Context(), icetable.Identifier{table.Namespace}, nil); err != nil {
		tb.Fatal(err)
	}
	for _, s := range schema.All() {
		if s.Name != name {
			continue
		}
		meta, err := s.Metadata(fileio.Location(filepath.Join(dir, name)), nil)
		if err != nil {
			tb.Fatal(err)
		}
		if err := cat.Create(tb.Context(), catalog.NewTable{Identifier: s.Identifier(), Metadata: meta}); err != nil {
			tb.Fatal(err)
		}
	}
	t, err := cat.LoadTable(tb.Context(), schema.Identifier(name))
	if err != nil {
		tb.Fatal(err)
	}
	return t
}
