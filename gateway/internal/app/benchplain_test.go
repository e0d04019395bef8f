package app_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/compress"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"
	icetable "github.com/apache/iceberg-go/table"

	"github.com/headwater-iot/headwater/gateway/internal/lake/schema"
	"github.com/headwater-iot/headwater/gateway/internal/table"
	"github.com/headwater-iot/headwater/shared/record"
)

const (
	plainLevel = 1       // of zstd, that of package rowfile
	plainChunk = 100_000 // rows of a record batch, at least
)

// plainResult is what a process says that wrote the rows of a load with pqarrow.
type plainResult struct {
	Rows, Bytes int
	CPU         time.Duration
	PeakMB      float64
}

func (r plainResult) rate() float64 { return float64(r.Rows) / r.CPU.Seconds() }

// plainly runs such a process.
func plainly(b *testing.B, l load, tuned bool) plainResult {
	b.Helper()
	args, err := json.Marshal(l)
	if err != nil {
		b.Fatal(err)
	}
	cmd := again(b, roleVar+"="+rolePlain, dirVar+"="+b.TempDir(), loadVar+"="+string(args), fmt.Sprintf("%s=%t", tunedVar, tuned))
	out, err := cmd.Output()
	if err != nil {
		b.Fatal(err)
	}
	var r plainResult
	if err := json.Unmarshal(out, &r); err != nil {
		b.Fatal(err)
	}
	return r
}

func plainMain() int {
	var l load
	err := json.Unmarshal([]byte(os.Getenv(loadVar)), &l)
	var r plainResult
	if err == nil {
		r, err = writePlain(l, filepath.Join(os.Getenv(dirVar), "plain.parquet"), os.Getenv(tunedVar) == "true")
	}
	if err == nil {
		err = json.NewEncoder(os.Stdout).Encode(r)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "write plainly:", err)
		return 1
	}
	return 0
}

// writePlain writes all rows of a load as one file: Arrow arrays, those of names as dictionaries, and pqarrow. The
// rows are in memory before the clock starts.
func writePlain(l load, path string, tuned bool) (r plainResult, err error) {
	p, err := newPlain(l)
	if err != nil {
		return r, err
	}
	bodies := make([][]record.Body, l.Devices)
	for d := range bodies {
		rig := l.bodies(d)
		for range l.Batches {
			bodies[d] = append(bodies[d], rig.next())
		}
	}
	f, err := os.Create(path)
	if err != nil {
		return r, err
	}
	defer f.Close() //nolint:errcheck // synced before
	before := cpu()
	fw, err := pqarrow.NewFileWriter(p.schema, struct{ io.Writer }{f}, plainProperties(tuned), pqarrow.DefaultWriterProps()) // the sink is ours to close
	if err != nil {
		return r, err
	}
	for d := range bodies {
		for n := range bodies[d] {
			p.add(d, n, &bodies[d][n].Groups[0])
			if p.rows < plainChunk && (d < l.Devices-1 || n < l.Batches-1) {
				continue
			}
			batch := p.batch()
			if err := fw.WriteBuffered(batch); err != nil {
				return r, err
			}
			batch.Release()
		}
	}
	r.Rows = l.readings()
	if err := errors.Join(fw.Close(), f.Sync()); err != nil {
		return r, err
	}
	r.CPU = cpu() - before
	info, err := os.Stat(path)
	if err != nil {
		return r, err
	}
	r.Bytes = int(info.Size())
	r.PeakMB, err = peakMB("self")
	return r, err
}

// plainProperties are the defaults of pqarrow with our codec, and with our encodings if tuned.
func plainProperties(tuned bool) *parquet.WriterProperties {
	props := []parquet.WriterProperty{
		parquet.WithCompression(compress.Codecs.Zstd), parquet.WithCompressionLevel(plainLevel),
	}
	if tuned {
		props = append(props, parquet.WithDictionaryFor("value", false))
		for _, name := range []string{"event_time", "seq"} {
			props = append(props, parquet.WithDictionaryFor(name, false), parquet.WithEncodingFor(name, parquet.Encodings.DeltaBinaryPacked))
		}
	}
	return parquet.NewWriterProperties(props...)
}

// cpu is what this process has used, user and system.
func cpu() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// plain gathers rows column by column.
type plain struct {
	load   load
	schema *arrow.Schema
	dicts  map[string]arrow.Array // of the columns that hold names
	index  map[string]*array.Int32Builder
	cols   map[string]array.Builder // all others
	rows   int
	seqs   []int64
	times  []int64
}

func newPlain(l load) (*plain, error) {
	p := &plain{load: l, dicts: map[string]arrow.Array{}, index: map[string]*array.Int32Builder{}, cols: map[string]array.Builder{}}
	names := map[string][]string{"boot": {bootID.String()}}
	for d := range l.Devices {
		names["device"] = append(names["device"], deviceName(d))
		names["epoch"] = append(names["epoch"], epochOf(d).String())
	}
	for j := range l.Series {
		series, unit := channel(j)
		names["series"], names["unit"] = append(names["series"], series), append(names["unit"], unit)
	}
	for _, t := range schema.All() {
		if t.Name != table.Readings {
			continue
		}
		sc, err := icetable.SchemaToArrowSchema(t.Schema, nil, true, false)
		if err != nil {
			return nil, err
		}
		fields := sc.Fields()
		for i := range fields {
			f := &fields[i]
			if names[f.Name] == nil {
				p.cols[f.Name] = array.NewBuilder(memory.DefaultAllocator, f.Type)
				continue
			}
			words := array.NewStringBuilder(memory.DefaultAllocator)
			words.AppendValues(names[f.Name], nil)
			p.dicts[f.Name], p.index[f.Name] = words.NewArray(), array.NewInt32Builder(memory.DefaultAllocator)
			f.Type = &arrow.DictionaryType{IndexType: arrow.PrimitiveTypes.Int32, ValueType: arrow.BinaryTypes.String}
		}
		p.schema = arrow.NewSchema(fields, nil)
	}
	return p, nil
}

// add appends the rows of a batch.
func (p *plain) add(device, number int, g *record.Group) {
	seq := int64(number * p.load.Rows * p.load.Series)
	p.times = p.times[:0]
	for _, t := range g.Times {
		p.times = append(p.times, p.load.Start+1000*t)
	}
	n := len(g.Times)
	for j := range g.Columns {
		p.seqs = p.seqs[:0]
		for range n {
			p.seqs = append(p.seqs, seq)
			seq++
		}
		for name, index := range map[string]int{"device": device, "epoch": device, "series": j, "unit": j, "boot": 0} {
			repeat(p.index[name], int32(index), n)
		}
		for _, name := range []string{"value_text", "value_int", "value_bytes", "site", "contract"} {
			p.cols[name].AppendNulls(n)
		}
		appendTimes(p.cols["event_time"], p.times)
		p.cols["value"].(*array.Float64Builder).AppendValues(g.Columns[j].Floats, nil)
		p.cols["seq"].(*array.Int64Builder).AppendValues(p.seqs, nil)
		repeat(p.cols["quality"].(*array.Int32Builder), 0, n)
		repeat(p.cols["received_time"].(*array.TimestampBuilder), arrow.Timestamp(p.load.Start+int64(number)), n)
		repeat(p.cols["clock_offset"].(*array.Int64Builder), p.load.Start, n)
		repeat(p.cols["clock_error"].(*array.Int64Builder), int64(2000), n)
		repeat(p.cols["anchor"].(*array.Int64Builder), int64(1), n)
		p.rows += n
	}
}

func appendTimes(b array.Builder, us []int64) {
	for _, t := range us {
		b.(*array.TimestampBuilder).Append(arrow.Timestamp(t))
	}
}

func repeat[T any](b interface {
	Reserve(int)
	UnsafeAppend(T)
}, v T, n int,
) {
	b.Reserve(n)
	for range n {
		b.UnsafeAppend(v)
	}
}

// batch returns what was added since the last call.
func (p *plain) batch() arrow.RecordBatch {
	cols := make([]arrow.Array, p.schema.NumFields())
	for i, f := range p.schema.Fields() {
		if dict := p.dicts[f.Name]; dict != nil {
			cols[i] = array.NewDictionaryArray(f.Type, p.index[f.Name].NewArray(), dict)
		} else {
			cols[i] = p.cols[f.Name].NewArray()
		}
	}
	rows := p.rows
	p.rows = 0
	return array.NewRecordBatch(p.schema, cols, int64(rows))
}
