package lake

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/iceberg-go"
	icecat "github.com/apache/iceberg-go/catalog"
	icetable "github.com/apache/iceberg-go/table"

	"github.com/headwater-iot/headwater/gateway/internal/lake/catalog"
	"github.com/headwater-iot/headwater/gateway/internal/lake/fileio"
	"github.com/headwater-iot/headwater/gateway/internal/lake/scan"
	"github.com/headwater-iot/headwater/gateway/internal/lake/schema"
	"github.com/headwater-iot/headwater/gateway/internal/table"
)

// Reader reads a lake, beside a live gateway or without one. It takes no lock and changes nothing. Its methods may
// be called from any goroutine.
type Reader struct{ cat *catalog.Catalog }

// OpenReader opens the lake of dir for reading.
func OpenReader(dir string) (*Reader, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("open lake: %w", err)
	}
	cat, err := catalog.Open(filepath.Join(dir, catalogFile), catalog.Options{ReadOnly: true})
	if err != nil {
		return nil, fmt.Errorf("open lake %s: %w", dir, err)
	}
	return &Reader{cat: cat}, nil
}

// Close lets go of the catalogue.
func (r *Reader) Close() error { return r.cat.Close() }

// TableInfo is what `tables` prints of one table.
type TableInfo struct {
	Name       string    `json:"name"`
	Rows       int64     `json:"rows"`
	Files      int64     `json:"files"`
	Bytes      int64     `json:"bytes"`
	Snapshots  int       `json:"snapshots"`
	Snapshot   int64     `json:"snapshot"` // id of the current one; 0 = none yet
	LastCommit time.Time `json:"last_commit"`
	Metadata   string    `json:"metadata"` // path of the current metadata file
	Location   string    `json:"location"`
}

// Tables describes every table, in the order of their names.
func (r *Reader) Tables(ctx context.Context) ([]TableInfo, error) {
	tables, err := r.cat.LoadTables(ctx, table.Namespace)
	if err != nil {
		return nil, err
	}
	var infos []TableInfo
	for _, t := range tables {
		info, err := describe(t)
		if err != nil {
			return nil, err
		}
		infos = append(infos, info)
	}
	slices.SortFunc(infos, func(a, b TableInfo) int { return strings.Compare(a.Name, b.Name) })
	return infos, nil
}

func describe(t *icetable.Table) (TableInfo, error) {
	path, err := fileio.Path(t.MetadataLocation())
	if err != nil {
		return TableInfo{}, err
	}
	info := TableInfo{
		Name:       t.Identifier()[1],
		Snapshots:  len(t.Metadata().Snapshots()),
		LastCommit: time.UnixMilli(t.Metadata().LastUpdatedMillis()).UTC(),
		Metadata:   path,
		Location:   t.Location(),
	}
	s := t.CurrentSnapshot()
	if s == nil || s.Summary == nil {
		return info, nil
	}
	info.Snapshot = s.SnapshotID
	for key, into := range map[string]*int64{
		"total-records": &info.Rows, "total-data-files": &info.Files, "total-files-size": &info.Bytes,
	} {
		if *into, err = strconv.ParseInt(s.Summary.Properties[key], 10, 64); err != nil {
			return TableInfo{}, fmt.Errorf("summary of snapshot %d of %s: %s: %w", s.SnapshotID, info.Name, key, err)
		}
	}
	return info, nil
}

// ScanRequest says which rows to read.
type ScanRequest struct {
	Table    string
	Columns  []string // nil = all
	Where    string   // grammar: package scan; "" = all
	Snapshot int64    // 0 = current
	Limit    int64    // 0 = none
}

// errEnough ends a scan that has what it wants.
var errEnough = errors.New("enough rows")

// Scan calls header once and row for each row, with one value per column: string, int64, float64, bool, []byte,
// time.Time, *big.Int, []any, map[string]any or nil. An error of either ends the scan. It returns ErrWhere when the
// filter cannot be understood.
func (r *Reader) Scan(ctx context.Context, req ScanRequest, header func(columns []string) error, row func(values []any) error) error {
	t, err := r.cat.LoadTable(ctx, schema.Identifier(req.Table))
	if errors.Is(err, icecat.ErrNoSuchTable) {
		return fmt.Errorf("there is no table %q; see the tables command: %w", req.Table, err)
	}
	if err != nil {
		return err
	}
	s, err := newScan(t, req)
	if err != nil {
		return err
	}
	tasks, err := s.PlanFiles(ctx)
	if err != nil {
		return fmt.Errorf("plan scan of %s: %w", req.Table, err)
	}
	columns := req.Columns
	if columns == nil {
		for _, f := range t.Schema().Fields() {
			columns = append(columns, f.Name)
		}
	}
	if err := header(columns); err != nil {
		return err
	}
	left := req.Limit
	err = readTasks(ctx, s, tasks, func(batch arrow.RecordBatch) error {
		return eachRow(batch, columns, func(values []any) error {
			if err := row(values); err != nil {
				return err
			}
			if left--; left == 0 {
				return errEnough
			}
			return nil
		})
	})
	if err != nil && !errors.Is(err, errEnough) {
		return fmt.Errorf("scan %s: %w", req.Table, err)
	}
	return nil
}

// newScan checks a request and makes the scan of it.
func newScan(t *icetable.Table, req ScanRequest) (*icetable.Scan, error) {
	opts := []icetable.ScanOption{icetable.WithMaxConcurrency(1), icetable.WithArrowBatchSize(16 << 10)}
	if req.Snapshot != 0 {
		if t.SnapshotByID(req.Snapshot) == nil {
			return nil, fmt.Errorf("table %s has no snapshot %d; it may have expired", req.Table, req.Snapshot)
		}
		opts = append(opts, icetable.WithSnapshotID(req.Snapshot))
	}
	for _, c := range req.Columns {
		if _, ok := t.Schema().FindFieldByName(c); !ok {
			return nil, fmt.Errorf("table %s has no column %q", req.Table, c)
		}
	}
	if req.Columns != nil {
		opts = append(opts, icetable.WithSelectedFields(req.Columns...))
	}
	if req.Where != "" {
		filter, err := scan.Where(req.Where, t.Schema())
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrWhere, err)
		}
		opts = append(opts, icetable.WithRowFilter(filter))
	}
	return t.Scan(opts...), nil
}

// eachRow calls row with the values of columns.
func eachRow(batch arrow.RecordBatch, columns []string, row func([]any) error) error {
	arrays := make([]arrow.Array, len(columns))
	for i, name := range columns {
		at := batch.Schema().FieldIndices(name)
		if len(at) != 1 {
			return fmt.Errorf("column %s is not in what was read", name)
		}
		arrays[i] = batch.Column(at[0])
	}
	for i := range int(batch.NumRows()) {
		values := make([]any, len(columns))
		for j, a := range arrays {
			values[j] = scan.Value(a, i)
		}
		if err := row(values); err != nil {
			return err
		}
	}
	return nil
}

// Write scans into w in the given format and returns the number of rows.
func (r *Reader) Write(ctx context.Context, req ScanRequest, format scan.Format, w io.Writer) (int64, error) {
	out, err := scan.NewWriter(format, w)
	if err != nil {
		return 0, err
	}
	rows := int64(0)
	err = r.Scan(ctx, req, out.Header, func(values []any) error {
		rows++
		return out.Row(values)
	})
	return rows, errors.Join(err, out.Close())
}

// everything is the filter that all rows pass.
func everything() iceberg.BooleanExpression { return iceberg.AlwaysTrue{} }
