package rowfile

import (
	"context"
	"fmt"
	"math"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/iceberg-go"
	icetable "github.com/apache/iceberg-go/table"

	"github.com/headwater-iot/headwater/gateway/internal/table"
	"github.com/headwater-iot/headwater/shared/record"
)

// WriteProfiles writes rows as data files, one per day.
func WriteProfiles(ctx context.Context, t *icetable.Table, rows []table.Profile) ([]iceberg.DataFile, error) {
	return writeGroups(ctx, t, rows,
		func(r table.Profile) int32 { return r.Day }, func(d int32) partition { return day(t, d) }, appendProfile)
}

func appendProfile(b *rowBuilder, r table.Profile) {
	b.text(r.Device)
	b.text(r.Series)
	b.date(r.Day)
	b.maybeText(r.Unit, r.Unit != "")
	b.maybeText(r.Contract, r.Contract != "")
	b.long(r.Count)
	b.long(r.Nulls)
	b.long(r.Flagged)
	b.long(r.Numbers)
	for _, v := range []float64{r.Min, r.Max, r.Mean, r.StdDev, r.P05, r.P50, r.P95} {
		b.double(v)
	}
	b.long(r.Distinct)
	b.double(r.Drift)
	b.long(r.Snapshot)
	b.long(r.Sequence)
	b.time(r.Updated)
}

func (b *rowBuilder) date(days int32) { b.field().(*array.Date32Builder).Append(arrow.Date32(days)) }

// double appends a number, or null for NaN.
func (b *rowBuilder) double(v float64) { put(b.field().(*array.Float64Builder), v, !math.IsNaN(v)) }

// ReadProfiles reads rows of the table `profile`.
func ReadProfiles(batch arrow.RecordBatch) ([]table.Profile, error) {
	return readAll(batch, readProfile)
}

func readProfile(c *cells) table.Profile {
	return table.Profile{
		Device: c.text("device"), Series: c.text("series"), Day: c.date("day"),
		Unit: c.text("unit"), Contract: c.text("contract"),
		Count: c.long("count"), Nulls: c.long("nulls"), Flagged: c.long("flagged"), Numbers: c.long("numbers"),
		Min: c.double("min"), Max: c.double("max"), Mean: c.double("mean"), StdDev: c.double("stddev"),
		P05: c.double("p05"), P50: c.double("p50"), P95: c.double("p95"),
		Distinct: c.long("distinct"), Drift: c.double("drift"),
		Snapshot: c.long("from_snapshot"), Sequence: c.long("from_sequence"), Updated: c.long("updated_time"),
	}
}

func (c *cells) date(name string) int32 {
	if a, ok := c.col(name); ok {
		return int32(a.(*array.Date32).Value(c.row))
	}
	return 0
}

// double returns NaN for null.
func (c *cells) double(name string) float64 {
	if a, ok := c.col(name); ok {
		return a.(*array.Float64).Value(c.row)
	}
	return math.NaN()
}

// ProfileColumns are those of readings that a profile is made of.
func ProfileColumns() []string {
	return []string{"device", "series", "value", "value_text", "value_int", "value_bytes", "unit", "quality", "contract"}
}

// ReadSamples returns the rows of a batch of ProfileColumns, in the room of into. Their texts are views of the batch.
func ReadSamples(batch arrow.RecordBatch, into []table.Sample) ([]table.Sample, error) {
	c := newCells(batch)
	for _, name := range ProfileColumns() {
		if c.cols[name] == nil {
			return nil, fmt.Errorf("column %s is missing", name)
		}
	}
	text := func(name string) func(int) string {
		a := c.cols[name].(array.StringLike)
		return func(row int) string {
			if a.IsNull(row) {
				return ""
			}
			return a.Value(row)
		}
	}
	device, series, unit, contract := text("device"), text("series"), text("unit"), text("contract")
	quality, value := c.cols["quality"].(*array.Int32), c.cols["value"].(*array.Float64)
	others := []arrow.Array{c.cols["value_int"], c.cols["value_text"], c.cols["value_bytes"]}
	into = into[:0]
	for row := range int(batch.NumRows()) {
		s := table.Sample{
			Device: device(row), Series: series(row), Unit: unit(row), Contract: contract(row),
			Quality: record.Quality(quality.Value(row)), Number: math.NaN(),
		}
		if value.IsValid(row) {
			s.Number, s.Exact = value.Value(row), true
		}
		s.Null = !s.Exact
		for _, a := range others {
			if a.IsValid(row) {
				s.Content, s.Exact, s.Null = a.ValueStr(row), false, false
				break
			}
		}
		into = append(into, s)
	}
	return into, nil
}
