package schema

import (
	"github.com/apache/iceberg-go"

	"github.com/headwater-iot/headwater/gateway/internal/table"
)

// profile has one file per day, which is written again as a whole when readings of that day came: the work is in
// proportion to what was touched. By month there would be fewer files, and a month of a large fleet would be written
// again whenever today is.
func profile() Table {
	p := iceberg.PrimitiveTypes
	return Table{
		Name:    table.Profiles,
		Comment: "One row is one series on one UTC day. Derived from readings some minutes later: it gates nothing.",
		Spec: iceberg.NewPartitionSpec(iceberg.PartitionField{
			SourceIDs: []int{3}, FieldID: 1000, Name: "day", Transform: iceberg.IdentityTransform{},
		}),
		Order: ascending(1, 2),
		Schema: iceberg.NewSchema(0,
			required(1, "device", p.String, "name of the device"),
			required(2, "series", p.String, "name of the series within the device"),
			required(3, "day", p.Date, "UTC day of event_time"),
			column(4, "unit", p.String, "SenML unit; null = none, or several on that day"),
			column(5, "contract", p.String, "data contract that the readings were checked by; null = none, or several"),
			required(6, "count", p.Int64, "readings of that day"),
			required(7, "nulls", p.Int64, "of these, without a value"),
			required(8, "flagged", p.Int64, "of these, with a quality other than 0"),
			required(9, "numbers", p.Int64, "of these, with a finite number: min to p95 are of them, null when there is none"),
			column(10, "min", p.Float64, "the least number"),
			column(11, "max", p.Float64, "the greatest number"),
			column(12, "mean", p.Float64, "their mean, rounded once"),
			column(13, "stddev", p.Float64, "their sample standard deviation; null below two, or with a number beyond 1e150"),
			column(14, "p05", p.Float64, "number of rank floor(0.05*(numbers-1)), with a relative error of at most 0.001"),
			column(15, "p50", p.Float64, "number of rank floor(0.5*(numbers-1)), alike"),
			column(16, "p95", p.Float64, "number of rank floor(0.95*(numbers-1)), alike"),
			required(17, "distinct", p.Int64, "different values: exact up to 4096, beyond that with a standard error of 1.6 %"),
			column(18, "drift", p.Float64, "p50 less that of 7 days before, in units of p95-p05 of that day; null = no such day"),
			required(19, "from_snapshot", p.Int64, "snapshot of readings that the row was made from"),
			required(20, "from_sequence", p.Int64, "sequence number of that snapshot"),
			required(21, "updated_time", p.TimestampTz, "when the row was made"),
		),
	}
}
