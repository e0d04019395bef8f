package replay

import (
	"bufio"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/headwater-iot/headwater/shared/record"
)

// ErrHeader reports a file whose header cannot be used.
var ErrHeader = errors.New("header cannot be used")

// file is an open CSV file behind its header.
type file struct {
	io.Closer
	rows    *csv.Reader
	zone    *time.Location
	fields  int // in the header
	time    int // index of the time column
	columns []column
}

// column is a column to take.
type column struct {
	Column
	index int
}

// badRow is a row that cannot be read.
type badRow struct {
	line   int
	reason string
	err    error
}

func (b *badRow) Error() string { return fmt.Sprintf("line %d: %s: %v", b.line, b.reason, b.err) }

// open opens a file and reads its header.
func (r *Replay) open(path string) (*file, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("replay: %w", err)
	}
	in := bufio.NewReader(f)
	if mark, _ := in.Peek(3); string(mark) == "\ufeff" {
		_, _ = in.Discard(3) // the byte order mark of some spreadsheets
	}
	out := &file{Closer: f, rows: csv.NewReader(in), zone: r.zone}
	out.rows.FieldsPerRecord = -1 // counted here, so that a short row is a bad row and no end
	out.rows.ReuseRecord = true
	if err := r.header(out); err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("replay: %s: %w", path, err)
	}
	return out, nil
}

// header chooses the columns of a file by its first line.
func (r *Replay) header(f *file) error {
	head, err := f.rows.Read()
	if err != nil {
		return fmt.Errorf("%w: %w", ErrHeader, err)
	}
	f.fields = len(head)
	if want := r.settings.TimeColumn; want != "" {
		if f.time = slices.Index(head, want); f.time < 0 {
			return fmt.Errorf("%w: no time column %q among %q", ErrHeader, want, head)
		}
	}
	seen := map[string]bool{}
	for i, name := range head {
		col, listed := r.settings.Columns[name]
		if i == f.time || len(r.settings.Columns) > 0 && !listed {
			continue
		}
		if col.Series == "" {
			col.Series = strings.Clone(name)
		}
		col.Series = r.config.Prefix + col.Series
		if name == "" || seen[col.Series] {
			return fmt.Errorf("%w: column %d, %q, is empty or gives a series twice", ErrHeader, i+1, name)
		}
		seen[col.Series] = true
		f.columns = append(f.columns, column{col, i})
	}
	for name := range r.settings.Columns {
		if !slices.Contains(head, name) {
			return fmt.Errorf("%w: no column %q among %q", ErrHeader, name, head)
		}
	}
	if len(f.columns) == 0 {
		return fmt.Errorf("%w: no column but the time", ErrHeader)
	}
	return nil
}

// next returns the next row. The error is io.EOF, a *badRow, or one of reading.
func (f *file) next() (record.Row, error) {
	fields, err := f.rows.Read()
	var syntax *csv.ParseError
	if errors.As(err, &syntax) {
		return record.Row{}, &badRow{syntax.StartLine, badCSV, syntax.Err}
	}
	if err != nil {
		return record.Row{}, err
	}
	line, _ := f.rows.FieldPos(0)
	if len(fields) != f.fields {
		return record.Row{}, &badRow{line, badFields, fmt.Errorf("%d fields, the header has %d", len(fields), f.fields)}
	}
	row := record.Row{Absolute: true}
	if row.Time, row.Unit, err = parseTime(fields[f.time], f.zone); err != nil {
		return record.Row{}, &badRow{line, badTime, err}
	}
	row.Cells = make([]record.Cell, 0, len(f.columns))
	for _, col := range f.columns {
		text := strings.TrimSpace(fields[col.index])
		if text == "" {
			continue
		}
		v, err := strconv.ParseFloat(text, 64)
		if err != nil {
			return record.Row{}, &badRow{line, badValue, fmt.Errorf("%s: %w", col.Series, err)}
		}
		cell := record.FloatCell(col.Series, col.Unit, v)
		if math.IsNaN(v) || math.IsInf(v, 0) {
			cell = record.FailedCell(col.Series, col.Unit, record.Float)
			cell.Quality |= record.Suspect
		}
		row.Cells = append(row.Cells, cell)
	}
	if len(row.Cells) == 0 {
		return record.Row{}, &badRow{line, badValue, errors.New("no value in any column")}
	}
	return row, nil
}

var errTime = errors.New("not a time that is understood")

// mostSeconds tells seconds since 1970 from milliseconds: it is the year 5138 in
// seconds and March 1973 in milliseconds.
const mostSeconds = 1e11

// parseTime reads a time, in ms, or in us where it has a fraction of a ms.
func parseTime(text string, zone *time.Location) (int64, record.TimeUnit, error) {
	text = strings.TrimSpace(text)
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		if n > -mostSeconds && n < mostSeconds {
			n *= 1000
		}
		return n, record.Milli, nil
	}
	if s, err := strconv.ParseFloat(text, 64); err == nil && math.Abs(s) < mostSeconds {
		return ticks(time.UnixMicro(int64(math.Round(s * 1e6))))
	}
	for _, layout := range []string{time.DateTime, "2006-01-02T15:04:05", time.RFC3339, "2006-01-02 15:04:05Z07:00", "2006-01-02 15:04"} {
		if t, err := time.ParseInLocation(layout, text, zone); err == nil {
			return ticks(t)
		}
	}
	return 0, 0, fmt.Errorf("%w: %q", errTime, text)
}

// ticks returns t in the coarsest unit that loses nothing above a microsecond.
func ticks(t time.Time) (int64, record.TimeUnit, error) {
	us := t.UnixMicro()
	if us%1000 == 0 {
		return us / 1000, record.Milli, nil
	}
	return us, record.Micro, nil
}
