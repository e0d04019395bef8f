package rowfile

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"math/big"
	"slices"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/iceberg-go"
	icetable "github.com/apache/iceberg-go/table"
	gocmp "github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/headwater-iot/headwater/gateway/internal/table"
	"github.com/headwater-iot/headwater/shared/record"
)

// reading is one row of the table as text, the floats as bits.
type reading struct {
	Device, Series string
	Time           int64
	Rest           string
}

// expand is the model: what the rows of runs are, the slow way.
func expand(runs []table.Run) []reading {
	var rows []reading
	for _, r := range runs {
		for i, us := range r.EventTime {
			q := r.Base
			if r.Quality != nil {
				q |= r.Quality[i]
			}
			value, text, integer, blob := "null", "null", "null", "null"
			if r.Null == nil || !r.Null[i] {
				switch r.Kind {
				case record.Float:
					value = bitsOf(r.Floats[i])
				case record.Int:
					value = bitsOf(float64(r.Ints[i]))
					if b, acc := new(big.Float).SetFloat64(float64(r.Ints[i])).Int(nil); acc != big.Exact || b.Cmp(big.NewInt(r.Ints[i])) != 0 {
						integer = fmt.Sprint(r.Ints[i])
					}
				case record.Uint:
					value = bitsOf(float64(r.Uints[i]))
					if b, _ := new(big.Float).SetFloat64(float64(r.Uints[i])).Int(nil); b.Cmp(new(big.Int).SetUint64(r.Uints[i])) != 0 {
						integer = fmt.Sprint(r.Uints[i])
					}
				case record.Text:
					text = fmt.Sprintf("%q", r.Texts[i])
				case record.Bool:
					value = bitsOf(map[bool]float64{true: 1}[r.Bools[i]])
				case record.Bytes:
					blob = fmt.Sprintf("%x", r.Blobs[i])
				}
			}
			rows = append(rows, reading{r.Device, r.Series, us, fmt.Sprintf(
				"seq %d value %s text %s int %s bytes %s unit %s quality %d site %s epoch %s received %d boot %s offset %s error %s anchor %s contract %s",
				r.Seq[i], value, text, integer, blob, orNull(r.Unit), q, orNull(r.Site), r.Epoch, r.Received, r.Boot,
				longOrNull(r.Stamp.ClockOffset), longOrNull(r.Stamp.ClockError), longOrNull(r.Stamp.Anchor), orNull(r.Contract))})
		}
	}
	return order(rows)
}

func order(rows []reading) []reading {
	slices.SortFunc(rows, func(a, b reading) int {
		return cmp.Or(cmp.Compare(a.Device, b.Device), cmp.Compare(a.Series, b.Series), cmp.Compare(a.Time, b.Time), cmp.Compare(a.Rest, b.Rest))
	})
	return rows
}

func bitsOf(f float64) string { return fmt.Sprintf("%016x", math.Float64bits(f)) }

func orNull(s string) string {
	if s == "" {
		return "null"
	}
	return s
}

func longOrNull(v int64) string {
	if v == table.Unknown {
		return "null"
	}
	return fmt.Sprint(v)
}

// readBack reads data files through iceberg-go's scan.
func readBack(t interface {
	Helper()
	Fatal(...any)
}, tbl *icetable.Table, files []iceberg.DataFile,
) []reading {
	t.Helper()
	var tasks []icetable.FileScanTask
	for _, f := range files {
		tasks = append(tasks, icetable.FileScanTask{File: f, Length: f.FileSizeBytes()})
	}
	_, batches, err := tbl.Scan(icetable.WithMaxConcurrency(1)).ReadTasks(context.Background(), tasks)
	if err != nil {
		t.Fatal(err)
	}
	var rows []reading
	for batch, err := range batches {
		if err != nil {
			t.Fatal(err)
		}
		rows = append(rows, readingsOf(batch)...)
		batch.Release()
	}
	return order(rows)
}

func readingsOf(batch arrow.RecordBatch) []reading {
	c := newCells(batch)
	var rows []reading
	show := func(name string, text func(a arrow.Array) string) string {
		a, ok := c.col(name)
		if !ok {
			return "null"
		}
		return text(a)
	}
	for c.row = range int(batch.NumRows()) {
		value := show("value", func(a arrow.Array) string { return bitsOf(a.(*array.Float64).Value(c.row)) })
		text := show("value_text", func(a arrow.Array) string { return fmt.Sprintf("%q", a.(array.StringLike).Value(c.row)) })
		integer := show("value_int", func(a arrow.Array) string { return a.(*array.Decimal128).Value(c.row).BigInt().String() })
		blob := show("value_bytes", func(a arrow.Array) string { return fmt.Sprintf("%x", a.(*array.Binary).Value(c.row)) })
		rows = append(rows, reading{c.text("device"), c.text("series"), c.long("event_time"), fmt.Sprintf(
			"seq %d value %s text %s int %s bytes %s unit %s quality %d site %s epoch %s received %d boot %s offset %s error %s anchor %s contract %s",
			c.long("seq"), value, text, integer, blob, orNull(c.text("unit")), c.long("quality"), orNull(c.text("site")), c.text("epoch"),
			c.long("received_time"), c.text("boot"), longOrNull(c.maybeLong("clock_offset")), longOrNull(c.maybeLong("clock_error")),
			longOrNull(c.maybeLong("anchor")), orNull(c.text("contract")))})
	}
	return rows
}

// base is a run without values.
func base(device, series string, kind record.ValueKind, times ...int64) table.Run {
	r := table.Run{
		Device: device, Series: series, Epoch: 0xabc, Boot: 0xdef, Received: 1, Kind: kind, EventTime: times,
		Stamp: table.Stamp{ClockOffset: table.Unknown, ClockError: table.Unknown, Anchor: table.Unknown},
	}
	for i := range times {
		r.Seq = append(r.Seq, uint64(i))
	}
	return r
}

func TestReadingsRoundTrip(t *testing.T) {
	tbl := newTable(t, table.Readings)
	f := base("a", "f", record.Float, 1, 2, 3, 4)
	f.Floats = []float64{math.Float64frombits(0x7ff8_0000_dead_beef), math.Inf(-1), math.Copysign(0, -1), 5e-324}
	f.Unit, f.Site, f.Contract, f.Quality = "Cel", "north", "c1", []record.Quality{0, 1, 0, 2}
	f.Stamp = table.Stamp{ClockOffset: -5, ClockError: 0, Anchor: 2}
	i := base("a", "i", record.Int, 1, 2, 3, 4, 5, 6)
	i.Ints = []int64{0, -1 << 63, 1<<63 - 1, 1<<53 + 1, -(1<<53 + 1), 1 << 60}
	i.Base = record.ClockGateway
	u := base("b", "u", record.Uint, 1, 2, 3)
	u.Uints = []uint64{math.MaxUint64, 1 << 63, 7}
	s := base("b", "s", record.Text, 1, 2, 3)
	s.Texts, s.Null = []string{"", "", "größer"}, []bool{true, false, false}
	b := base("b", "b", record.Bool, 1, 2)
	b.Bools = []bool{true, false}
	x := base("c", "x", record.Bytes, -1, 1)
	x.Blobs = [][]byte{{}, {0, 255}}
	failed := base("c", "y", record.Float, 1, 2)
	failed.Floats, failed.Null = []float64{0, 0}, []bool{true, true}
	failed.Quality = []record.Quality{record.ReadError, record.ReadError}
	runs := []table.Run{f, i, u, s, b, x, failed}
	files, err := WriteReadings(t.Context(), tbl, runs)
	if err != nil {
		t.Fatal(err)
	}
	if len(files) != 2 {
		t.Errorf("%d files, want one for each of two days", len(files))
	}
	if diff := gocmp.Diff(expand(runs), readBack(t, tbl, files)); diff != "" {
		t.Errorf("rows (-want +got):\n%s", diff)
	}
}

// TestReadingsModel writes random runs and compares with the model; order within a file is checked where it is claimed.
func TestReadingsModel(t *testing.T) {
	tbl := newTable(t, table.Readings)
	rapid.Check(t, func(t *rapid.T) {
		runs := rapid.SliceOfN(rapid.Custom(drawRun), 1, 12).Draw(t, "runs")
		files, err := WriteReadings(context.Background(), tbl, runs)
		if err != nil {
			t.Fatal(err)
		}
		if diff := gocmp.Diff(expand(runs), readBack(t, tbl, files)); diff != "" {
			t.Fatalf("rows (-want +got):\n%s", diff)
		}
	})
}

func drawRun(t *rapid.T) table.Run {
	n := rapid.IntRange(0, 40).Draw(t, "n")
	kinds := []record.ValueKind{record.Float, record.Int, record.Uint, record.Text, record.Bool, record.Bytes}
	r := table.Run{
		Device: rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "device"),
		Series: rapid.SampledFrom([]string{"s1", "s2"}).Draw(t, "series"),
		Unit:   rapid.SampledFrom([]string{"", "Cel", "%RH"}).Draw(t, "unit"),
		Site:   rapid.SampledFrom([]string{"", "north"}).Draw(t, "site"),
		Kind:   rapid.SampledFrom(kinds).Draw(t, "kind"),
		Epoch:  record.Epoch(rapid.Uint64Range(1, 3).Draw(t, "epoch")),
		Boot:   7, Received: rapid.Int64().Draw(t, "received"),
		Stamp: table.Stamp{
			ClockOffset: rapid.SampledFrom([]int64{table.Unknown, 0, 5}).Draw(t, "offset"),
			ClockError:  rapid.SampledFrom([]int64{table.Unknown, 9}).Draw(t, "error"), Anchor: table.Unknown,
		},
	}
	withNull, withQuality := rapid.Bool().Draw(t, "nulls"), rapid.Bool().Draw(t, "qualities")
	us := rapid.Int64Range(-2*usPerDay, 2*usPerDay).Draw(t, "start")
	for i := range n {
		us += rapid.Int64Range(-5, usPerDay/20).Draw(t, "step")
		r.EventTime, r.Seq = append(r.EventTime, us), append(r.Seq, uint64(i))
		if withNull {
			r.Null = append(r.Null, rapid.Bool().Draw(t, "null"))
		}
		if withQuality {
			r.Quality = append(r.Quality, record.Quality(rapid.IntRange(0, 3).Draw(t, "quality")))
		}
		switch r.Kind {
		case record.Float:
			r.Floats = append(r.Floats, rapid.Float64().Draw(t, "float"))
		case record.Int:
			r.Ints = append(r.Ints, rapid.Int64().Draw(t, "int"))
		case record.Uint:
			r.Uints = append(r.Uints, rapid.Uint64().Draw(t, "uint"))
		case record.Text:
			r.Texts = append(r.Texts, rapid.String().Draw(t, "text"))
		case record.Bool:
			r.Bools = append(r.Bools, rapid.Bool().Draw(t, "bool"))
		default:
			r.Blobs = append(r.Blobs, rapid.SliceOf(rapid.Byte()).Draw(t, "blob"))
		}
	}
	return r
}

func TestTooManyDays(t *testing.T) {
	tbl := newTable(t, table.Readings)
	r := base("a", "f", record.Float)
	for d := range int64(MaxDays + 1) {
		r.EventTime, r.Seq, r.Floats = append(r.EventTime, d*usPerDay), append(r.Seq, uint64(d)), append(r.Floats, 0)
	}
	if _, err := WriteReadings(t.Context(), tbl, []table.Run{r}); !errors.Is(err, ErrTooManyDays) {
		t.Errorf("%d days: %v, want ErrTooManyDays", MaxDays+1, err)
	}
	r.EventTime, r.Seq, r.Floats = r.EventTime[1:], r.Seq[1:], r.Floats[1:]
	if files, err := WriteReadings(t.Context(), tbl, []table.Run{r}); err != nil || len(files) != MaxDays {
		t.Errorf("%d days: %d files, %v", MaxDays, len(files), err)
	}
}

// TestRowGroups: a group is full before the next begins, and no row is lost between them.
func TestRowGroups(t *testing.T) {
	run := &table.Run{EventTime: make([]int64, 3*RowGroupRows)}
	pieces := []piece{{run: run, from: 0, to: RowGroupRows / 2}, {run: run, from: RowGroupRows / 2, to: 3*RowGroupRows - 1}}
	var got []int
	next := 0
	for group := range rowGroups(pieces) {
		n := 0
		for _, p := range group {
			if p.from != next {
				t.Errorf("piece starts at %d, want %d", p.from, next)
			}
			n, next = n+p.rows(), p.to
		}
		got = append(got, n)
	}
	if want := []int{RowGroupRows, RowGroupRows, RowGroupRows - 1}; !slices.Equal(got, want) {
		t.Errorf("groups of %v rows, want %v", got, want)
	}
}

// TestOrderClaim: a file claims the sort order of the table only when its rows have it.
func TestOrderClaim(t *testing.T) {
	tbl := newTable(t, table.Readings)
	one, two := base("a", "f", record.Float, 1, 5), base("a", "f", record.Float, 6, 7)
	one.Floats, two.Floats = []float64{1, 2}, []float64{3, 4}
	overlap := base("a", "f", record.Float, 4, 9)
	overlap.Floats = []float64{5, 6}
	for _, c := range []struct {
		runs []table.Run
		want int
	}{{[]table.Run{two, one}, 1}, {[]table.Run{one, overlap}, 0}} {
		files, err := WriteReadings(t.Context(), tbl, c.runs)
		if err != nil {
			t.Fatal(err)
		}
		got := 0
		if id := files[0].SortOrderID(); id != nil {
			got = *id
		}
		if got != c.want {
			t.Errorf("sort order %d, want %d", got, c.want)
		}
	}
}
