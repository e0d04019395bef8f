package schema

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/apache/iceberg-go"
	icetable "github.com/apache/iceberg-go/table"
	"github.com/google/uuid"

	"github.com/headwater-iot/headwater/gateway/internal/table"
)

// Properties of Headwater on the table `cursors`, swapped with the rows they speak of.
const (
	LakeID     = "headwater.lake-id"
	LogID      = "headwater.log-id"
	Partitions = "headwater.partitions"
	Marks      = "headwater.marks"
)

// Properties of every table, beside comment and owner, that say what the contracts in force do.
const (
	Contracts = "headwater.contracts"
	Retention = "headwater.retention"
)

// Buckets is the number of partitions of `cursors`.
const Buckets = 8

// Table is one table as it is born.
type Table struct {
	Name    string
	Schema  *iceberg.Schema
	Spec    iceberg.PartitionSpec
	Order   icetable.SortOrder
	Comment string
}

// Identifier names the table in the catalogue.
func (t Table) Identifier() icetable.Identifier { return Identifier(t.Name) }

// Identifier names a table of ours in the catalogue.
func Identifier(name string) icetable.Identifier {
	return icetable.Identifier{table.Namespace, name}
}

// All returns the tables in the order of FORMAT.md.
func All() []Table {
	return []Table{readings(), quarantine(), gaps(), contracts(), cursors(), devices(), profile()}
}

// Primary returns the names of the tables that a commit of landing may touch.
func Primary() []string {
	return []string{table.Readings, table.Quarantine, table.Gaps, table.Contracts, table.Cursors}
}

// Metadata describes the new table at location. Field ids are those of the schema, not fresh ones: readers and
// FORMAT.md go by them.
func (t Table) Metadata(location string, extra iceberg.Properties) (icetable.Metadata, error) {
	b, err := icetable.NewMetadataBuilder(2)
	if err != nil {
		return nil, err
	}
	props := t.properties()
	for k, v := range extra {
		props[k] = v
	}
	for _, set := range []func() error{
		func() error { return b.SetUUID(uuid.New()) },
		func() error { return b.AddSchema(t.Schema) },
		func() error { return b.SetCurrentSchemaID(-1) },
		func() error { return b.AddPartitionSpec(&t.Spec, true) },
		func() error { return b.SetDefaultSpecID(-1) },
		func() error { return b.AddSortOrder(&t.Order) },
		func() error { return b.SetDefaultSortOrderID(-1) },
		func() error { return b.SetLoc(location) },
		func() error { return b.SetProperties(props) },
	} {
		if err := set(); err != nil {
			return nil, fmt.Errorf("describe table %s: %w", t.Name, err)
		}
	}
	return b.Build()
}

// Told returns the schema of the table with what contracts say in its docs, and the properties that have the rest; one
// that is "" is not set.
func (t Table) Told(about table.About) (*iceberg.Schema, iceberg.Properties) {
	fields := slices.Clone(t.Schema.Fields())
	for i := range fields {
		if text := about.Columns[fields[i].Name]; text != "" && text != fields[i].Doc {
			fields[i].Doc += "; " + text
		}
	}
	return iceberg.NewSchema(t.Schema.ID, fields...), iceberg.Properties{
		"comment": strings.TrimSpace(t.Comment + " " + about.Description),
		"owner":   cmp.Or(about.Owner, owner),
		Contracts: about.Contracts,
		Retention: about.Retention,
	}
}

// owner is that of a table without contracts.
const owner = "headwater"

// properties are those every table is born with.
func (t Table) properties() iceberg.Properties {
	return iceberg.Properties{
		"comment": t.Comment,
		"owner":   owner,

		"write.format.default":            "parquet",
		"write.parquet.compression-codec": "zstd",
		"write.delete.mode":               "copy-on-write", // no delete files: every engine reads the table
		"write.update.mode":               "copy-on-write",
		"write.merge.mode":                "copy-on-write",

		"headwater.format": "1", // of FORMAT.md

		// What other engines would do; the gateway itself keeps files that go out of use for an hour (catalog).
		"write.metadata.delete-after-commit.enabled": "true",
		"write.metadata.previous-versions-max":       "100",
		"commit.manifest-merge.enabled":              "true",
		"commit.manifest.min-count-to-merge":         "50",
	}
}

// column is a field whose zero value is a null column.
func column(id int, name string, typ iceberg.Type, doc string) iceberg.NestedField {
	return iceberg.NestedField{ID: id, Name: name, Type: typ, Doc: doc}
}

// required is a field that is never null.
func required(id int, name string, typ iceberg.Type, doc string) iceberg.NestedField {
	return iceberg.NestedField{ID: id, Name: name, Type: typ, Doc: doc, Required: true}
}

func list(id int, element iceberg.Type) iceberg.Type {
	return &iceberg.ListType{ElementID: id, Element: element, ElementRequired: true}
}

// byDay partitions by the day of a column of microseconds.
func byDay(source int, name string) iceberg.PartitionSpec {
	return iceberg.NewPartitionSpec(iceberg.PartitionField{
		SourceIDs: []int{source}, FieldID: 1000, Name: name + "_day", Transform: iceberg.DayTransform{},
	})
}

// ascending sorts by columns.
func ascending(sources ...int) icetable.SortOrder {
	var fields []icetable.SortField
	for _, id := range sources {
		fields = append(fields, icetable.SortField{
			SourceIDs: []int{id}, Transform: iceberg.IdentityTransform{},
			Direction: icetable.SortASC, NullOrder: icetable.NullsFirst,
		})
	}
	order, err := icetable.NewSortOrder(1, fields)
	if err != nil {
		panic("schema: " + err.Error()) // constant input
	}
	return order
}
