package rowfile

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"

	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/file"
	"github.com/apache/arrow-go/v18/parquet/metadata"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"
	pqschema "github.com/apache/arrow-go/v18/parquet/schema"
	"github.com/apache/iceberg-go"
	icetable "github.com/apache/iceberg-go/table"

	"github.com/headwater-iot/headwater/gateway/internal/table"
)

// WriteReadings writes runs as data files of t, one per UTC day. It returns ErrTooManyDays before it writes anything.
func WriteReadings(ctx context.Context, t *icetable.Table, runs []table.Run) ([]iceberg.DataFile, error) {
	days, err := cut(runs)
	if err != nil {
		return nil, err
	}
	sc, err := arrowSchema(t)
	if err != nil {
		return nil, err
	}
	props := readingsProperties()
	pq, err := pqarrow.ToParquet(sc, props, pqarrow.DefaultWriterProps())
	if err != nil {
		return nil, fmt.Errorf("parquet schema: %w", err)
	}
	var files []iceberg.DataFile
	var buf buffers
	for _, d := range slices.Sorted(maps.Keys(days)) {
		pieces := days[d]
		where := day(t, d)
		if inOrder(pieces) {
			where.order = t.SortOrder().OrderID()
		}
		f, err := newFile(ctx, t, where, func(w io.Writer) (*metadata.FileMetaData, error) {
			return writeReadings(ctx, w, pq.Root(), props, &buf, pieces)
		})
		if err != nil {
			return nil, err
		}
		files = append(files, f)
	}
	return files, nil
}

// readingsProperties: event_time and seq ascend in small steps within a run, which delta packing takes to a few bits;
// a dictionary of measured values costs a hash per row and, behind zstd, saves little.
func readingsProperties() *parquet.WriterProperties {
	more := []parquet.WriterProperty{
		parquet.WithBatchSize(16 << 10), // fewer rounds of bookkeeping than with the default of 1024
	}
	for _, name := range []string{"event_time", "seq"} {
		more = append(more, parquet.WithDictionaryFor(name, false),
			parquet.WithEncodingFor(name, parquet.Encodings.DeltaBinaryPacked))
	}
	for _, name := range []string{"value", "value_int", "value_bytes"} {
		more = append(more, parquet.WithDictionaryFor(name, false))
	}
	return writerProperties(more...)
}

func writeReadings(ctx context.Context, w io.Writer, root *pqschema.GroupNode, props *parquet.WriterProperties, buf *buffers, pieces []piece) (*metadata.FileMetaData, error) {
	fw, err := file.NewParquetWriterWithError(w, root, file.WithWriterProps(props))
	if err != nil {
		return nil, err
	}
	for group := range rowGroups(pieces) {
		if err := ctx.Err(); err != nil {
			return nil, errors.Join(err, fw.Close())
		}
		if err := writeGroup(fw, buf, group); err != nil {
			return nil, errors.Join(err, fw.Close())
		}
	}
	if err := fw.Close(); err != nil {
		return nil, err
	}
	return fw.FileMetadata()
}

// rowGroups cuts pieces into groups of at most RowGroupRows rows.
func rowGroups(pieces []piece) func(yield func([]piece) bool) {
	return func(yield func([]piece) bool) {
		var group []piece
		rows := 0
		for _, p := range pieces {
			for p.rows() > 0 {
				head := p
				head.to = min(p.to, p.from+RowGroupRows-rows)
				group, rows = append(group, head), rows+head.rows()
				p.from = head.to
				if rows == RowGroupRows {
					if !yield(group) {
						return
					}
					group, rows = group[:0], 0
				}
			}
		}
		if rows > 0 {
			yield(group)
		}
	}
}

// writeGroup writes one row group, column by column, in the order of the schema.
func writeGroup(fw *file.Writer, buf *buffers, pieces []piece) error {
	rg, err := fw.AppendRowGroupChecked()
	if err != nil {
		return err
	}
	buf.start(pieces)
	for rg.CurrentColumn() < fw.NumColumns()-1 {
		cw, err := rg.NextColumn()
		if err != nil {
			return err
		}
		if err := buf.column(cw, cw.Descr().Name()); err != nil {
			return fmt.Errorf("column %s: %w", cw.Descr().Name(), err)
		}
	}
	return rg.Close()
}
