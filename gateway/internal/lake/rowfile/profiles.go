package rowfile

import (
	"context"
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

// ReadSamples calls each for every row of a batch of ProfileColumns, with views that hold until it returns.
func ReadSamples(batch arrow.RecordBatch, each func(*table.Sample)) error {
	c := newCells(batch)
	for c.row = range int(batch.NumRows()) {
		s := table.Sample{
			Device: c.text("device"), Series: c.text("series"), Unit: c.text("unit"), Contract: c.text("contract"),
			Quality: record.Quality(c.long("quality")), Number: c.double("value"),
		}
		number, large := !c.null("value"), !c.null("value_int")
		switch {
		case large:
			s.Content = c.cols["value_int"].ValueStr(c.row)
		case number:
			s.Exact = true
		case !c.null("value_text"):
			s.Content = c.text("value_text")
		case !c.null("value_bytes"):
			s.Content = string(c.blob("value_bytes"))
		default:
			s.Null = true
		}
		if c.err != nil {
			return c.err
		}
		each(&s)
	}
	return nil
}
