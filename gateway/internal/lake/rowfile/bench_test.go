package rowfile

import (
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"runtime"
	"syscall"
	"testing"

	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/compress"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"
	icetable "github.com/apache/iceberg-go/table"

	"github.com/headwater-iot/headwater/gateway/internal/table"
	"github.com/headwater-iot/headwater/shared/record"
)

// fleet returns readings as batches bring them: a random walk with the resolution of a cheap sensor, one second and
// some jitter apart, five series a device, each in runs of the given length.
func fleet(devices, perRun int) []table.Run {
	rng := rand.New(rand.NewPCG(1, 2))
	var runs []table.Run
	for d := range devices {
		seq := uint64(rng.IntN(1e6))
		start := int64(1_760_000_000_000_000) + rng.Int64N(1e6)
		for s := range 5 {
			r := table.Run{
				Device: fmt.Sprintf("plant-7:unit-%05d", d), Series: fmt.Sprintf("channel_%d", s), Unit: "Cel", Site: "north",
				Epoch: record.Epoch(rng.Uint64() | 1), Boot: record.Boot(rng.Uint64() | 1), Received: start + 60_000_000,
				Stamp: table.Stamp{ClockOffset: start, ClockError: 5000, Anchor: 1}, Kind: record.Float,
			}
			v := 20.0
			for i := range perRun {
				v += rng.NormFloat64() * 0.05
				r.EventTime = append(r.EventTime, start+int64(i)*1_000_000+rng.Int64N(3)*1000)
				r.Seq = append(r.Seq, seq)
				r.Floats = append(r.Floats, math.Round(v*100)/100)
				seq++
			}
			runs = append(runs, r)
		}
	}
	return runs
}

// cpuSeconds is what the process has used so far, in user and kernel.
func cpuSeconds() float64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return float64(u.Utime.Sec+u.Stime.Sec) + float64(u.Utime.Usec+u.Stime.Usec)/1e6
}

// BenchmarkReadings writes one million readings, with the writer of this package and with plain pqarrow (the same
// rows and codec, its own defaults). The figure is readings per second of CPU time, garbage collection included.
func BenchmarkReadings(b *testing.B) {
	for _, perRun := range []int{10, 60, 600} {
		runs := fleet(200_000/perRun, perRun)
		rows := 0
		for _, r := range runs {
			rows += len(r.EventTime)
		}
		tbl := newTable(b, table.Readings)
		measure := func(name string, write func() int64) {
			b.Run(fmt.Sprintf("%s/run=%d", name, perRun), func(b *testing.B) {
				runtime.GC()
				b.ReportAllocs()
				before, bytes := cpuSeconds(), int64(0)
				n := 0
				for b.Loop() {
					bytes = write()
					n++
				}
				b.ReportMetric(float64(rows)*float64(n)/(cpuSeconds()-before), "readings/CPU-s")
				b.ReportMetric(float64(bytes)/float64(rows), "B/reading")
			})
		}
		measure("headwater", func() int64 {
			files, err := WriteReadings(b.Context(), tbl, runs)
			if err != nil {
				b.Fatal(err)
			}
			bytes := int64(0)
			for _, f := range files {
				bytes += f.FileSizeBytes()
			}
			return bytes
		})
		measure("pqarrow", func() int64 {
			n, err := writePlain(tbl, runs)
			if err != nil {
				b.Fatal(err)
			}
			return n
		})
	}
}

// writePlain writes runs the straightforward way: Arrow builders row by row, and pqarrow with its defaults.
func writePlain(t *icetable.Table, runs []table.Run) (int64, error) {
	sc, err := icetable.SchemaToArrowSchema(t.Schema(), nil, true, false)
	if err != nil {
		return 0, err
	}
	w := &countingWriter{w: io.Discard}
	fw, err := pqarrow.NewFileWriter(sc, w, parquet.NewWriterProperties(
		parquet.WithCompression(compress.Codecs.Zstd), parquet.WithCompressionLevel(zstdLevel)), pqarrow.DefaultWriterProps())
	if err != nil {
		return 0, err
	}
	rb := array.NewRecordBuilder(memory.DefaultAllocator, sc)
	defer rb.Release()
	for i := range runs {
		r := &runs[i]
		for j := range r.EventTime {
			b := &rowBuilder{rb: rb}
			b.text(r.Device)
			b.text(r.Series)
			b.time(r.EventTime[j])
			b.field().(*array.Float64Builder).Append(r.Floats[j])
			b.maybeText("", false)
			b.field().(*array.Decimal128Builder).AppendNull()
			b.blob(nil)
			b.text(r.Unit)
			b.maybeInteger(int32(r.Base), true)
			b.text(r.Site)
			b.text(r.Epoch.String())
			b.long(int64(r.Seq[j]))
			b.time(r.Received)
			b.text(r.Boot.String())
			b.long(r.Stamp.ClockOffset)
			b.long(r.Stamp.ClockError)
			b.long(r.Stamp.Anchor)
			b.maybeText("", false)
		}
		if rb.Field(0).Len() >= 100_000 || i == len(runs)-1 {
			if err := flush(fw, rb); err != nil {
				return 0, err
			}
		}
	}
	return w.n, fw.Close()
}

func flush(fw *pqarrow.FileWriter, rb *array.RecordBuilder) error {
	batch := rb.NewRecordBatch()
	defer batch.Release()
	return fw.WriteBuffered(batch)
}
