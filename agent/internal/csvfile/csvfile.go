package csvfile

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/headwater-iot/headwater/shared/record"
)

// Errors of a file as a whole.
var (
	// ErrOption means an option that cannot be used.
	ErrOption = errors.New("option cannot be used")
	// ErrFile means a file that cannot be read as it is, or in more than one way.
	ErrFile = errors.New("file cannot be imported as it is")
)

// Options say how to read a file. What is zero is found out.
type Options struct {
	TimeColumn string
	TimeFormat string // a name, a strftime format, or a layout of Go
	Timezone   string // of times without one
	Delimiter  string // one of , ; | and tab
	Decimal    string // . or ,
	// Columns are those to take, by header; none = all, under their own names and without unit.
	Columns map[string]Column
}

// Column says what a column becomes.
type Column struct{ Series, Unit string }

// Field is a column that is taken.
type Field struct {
	Column
	Header string
	Kind   record.ValueKind
	index  int
}

// File is a CSV file whose header is understood.
type File struct {
	Fields     []Field
	Time       string // header of the time column
	TimeFormat string // what was found or given
	Delimiter  byte
	Left       []string // headers of columns that are not taken

	size    int64
	in      io.ReaderAt
	start   Position
	width   int // fields of the header
	time    int // index of the time column
	format  format
	zone    *time.Location
	decimal byte
}

// Position is a place between two rows.
type Position struct {
	Offset int64
	line   int

	stand // see calendar
}

// Open reads the header and the first rows of a file of the given size.
func Open(in io.ReaderAt, size int64, o Options) (*File, error) {
	f := &File{in: in, size: size, start: Position{line: 1}}
	if err := f.sniff(); err != nil {
		return nil, err
	}
	var err error
	if f.zone, err = parseZone(o.Timezone); err != nil {
		return nil, err
	}
	if f.Delimiter, err = delimiterOf(o.Delimiter); err != nil {
		return nil, err
	}
	if f.Delimiter == 0 {
		if f.Delimiter, err = f.detectDelimiter(); err != nil {
			return nil, err
		}
	}
	head, rows, err := f.sample(f.Delimiter)
	if err != nil {
		return nil, err
	}
	if err := f.choose(head, o); err != nil {
		return nil, err
	}
	if err := f.kinds(rows, o.Decimal); err != nil {
		return nil, err
	}
	return f, f.times(rows, o.TimeFormat)
}

// sniff looks at the first bytes.
func (f *File) sniff() error {
	head := make([]byte, 4)
	n, err := f.in.ReadAt(head, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	head = head[:n]
	switch text := string(head); {
	case n == 0:
		return fmt.Errorf("%w: it is empty; a line of column names is needed", ErrFile)
	case strings.HasPrefix(text, "\xef\xbb\xbf"):
		f.start.Offset = 3
	case strings.HasPrefix(text, "\xff\xfe"), strings.HasPrefix(text, "\xfe\xff"):
		return fmt.Errorf("%w: it is UTF-16; save it as UTF-8", ErrFile)
	case strings.HasPrefix(text, "\x1f\x8b"), strings.HasPrefix(text, "PK\x03\x04"):
		return fmt.Errorf("%w: it is compressed, or a spreadsheet; unpack it, or save it as CSV", ErrFile)
	}
	return nil
}

// choose decides by the header what is what.
func (f *File) choose(head []string, o Options) error {
	f.width = len(head)
	var err error
	if f.time, err = timeColumn(head, o.TimeColumn); err != nil {
		if valuesIn(head) {
			return fmt.Errorf("%w: its first line holds values, not the names of columns: %q; put a line of names before it", ErrFile, head)
		}
		return err
	}
	f.Time = head[f.time]
	seen := map[string]string{}
	for i, name := range head {
		col, listed := o.Columns[name]
		switch {
		case i == f.time:
			continue
		case len(o.Columns) > 0 && !listed, name == "":
			f.Left = append(f.Left, name)
			continue
		case !listed:
			col.Series = name
		}
		if other, twice := seen[col.Series]; twice {
			return fmt.Errorf("%w: columns %q and %q both give the series %q; tell them apart with --column", ErrFile, other, name, col.Series)
		}
		seen[col.Series] = name
		f.Fields = append(f.Fields, Field{Column: col, Header: name, index: i})
	}
	for name := range o.Columns {
		if name == f.Time || !slices.Contains(head, name) {
			return fmt.Errorf("%w: no column %q beside the time %q among %q", ErrFile, name, f.Time, head)
		}
	}
	if len(f.Fields) == 0 {
		return fmt.Errorf("%w: no column beside the time %q", ErrFile, f.Time)
	}
	return f.checkNames()
}

// checkNames refuses what no series may be called.
func (f *File) checkNames() error {
	row := record.Row{Unit: record.Milli}
	for i := range f.Fields {
		row.Cells = append(row.Cells, record.FloatCell(f.Fields[i].Series, f.Fields[i].Unit, 0))
	}
	if err := row.Check(); err != nil {
		return fmt.Errorf("%w: %w; --column NAME=SERIES:UNIT takes fewer columns, and names them otherwise", ErrFile, err)
	}
	return nil
}

// BadRow is a row that cannot be read.
type BadRow struct {
	Line   int    `json:"line"`
	Reason string `json:"reason"` // one of a few words
	Detail string `json:"detail"` // at most 200 characters of it: a cell may have 256 KiB
}

// Error names the line and says why.
func (b *BadRow) Error() string { return fmt.Sprintf("line %d: %s: %s", b.Line, b.Reason, b.Detail) }

// Reasons of a BadRow.
const (
	BadQuote  = "quote"
	BadFields = "fields"
	BadTime   = "time"
	BadValue  = "value"
)

// Start is where the first row is.
func (f *File) Start() Position { return f.start }

// Rows are the rows of a file from some place on, once.
type Rows struct {
	f    *File
	in   *scanner
	when calendar
	row  record.Row

	// Raw are the bytes of the last record that was read, up to the next.
	Raw []byte
	// Line is that of the last record.
	Line int
	// Twice counts rows whose local time came twice, Cut rows whose time was finer than a microsecond.
	Twice, Cut int
}

// Rows reads from a position on: in gives the bytes behind it.
func (f *File) Rows(in io.Reader, at Position) *Rows {
	when := calendar{zone: f.zone, stand: at.stand}
	return &Rows{f: f, in: newScanner(in, f.Delimiter, at), when: when}
}

// Position is the place behind the last row. Blank lines before the next may lie behind it.
func (r *Rows) Position() Position {
	return Position{Offset: r.in.offset, line: r.in.line, stand: r.when.stand}
}

// Next returns the next row, which is valid until the next call. The error is io.EOF, a *BadRow, or one of reading. A
// row without any reading is good, and has no cells.
func (r *Rows) Next() (*record.Row, error) {
	got, err := r.in.next()
	if err != nil {
		return nil, err
	}
	r.Raw, r.Line = got.raw, got.line
	bad := func(reason string, err error) (*record.Row, error) {
		return nil, &BadRow{Line: got.line, Reason: reason, Detail: fmt.Sprintf("%.200s", err)}
	}
	if got.err != nil {
		return bad(BadQuote, got.err)
	}
	fields := got.fields
	for len(fields) > r.f.width && fields[len(fields)-1] == "" {
		fields = fields[:len(fields)-1] // a delimiter at the end of the line
	}
	if len(fields) != r.f.width {
		return bad(BadFields, fmt.Errorf("%d fields, the header has %d", len(fields), r.f.width))
	}
	t, err := r.f.format.parse(fields[r.f.time])
	if err != nil {
		return bad(BadTime, err)
	}
	// The cells first: a bad row must not be what the next one is in order with.
	if err := r.cells(fields); err != nil {
		return bad(BadValue, err)
	}
	us, twice, err := r.when.resolve(t)
	if err != nil {
		return bad(BadTime, fmt.Errorf("%w: %q", err, fields[r.f.time]))
	}
	r.row.Time, r.row.Unit = us, record.Micro
	if us%1000 == 0 {
		r.row.Time, r.row.Unit = us/1000, record.Milli
	}
	if len(r.row.Cells) > 0 {
		if err := r.row.Check(); err != nil {
			return bad(BadValue, err)
		}
	}
	if twice {
		r.Twice++
	}
	if t.cut {
		r.Cut++
	}
	return &r.row, nil
}

// cells reads the readings of a row.
func (r *Rows) cells(fields []string) error {
	r.row = record.Row{Absolute: true, Cells: r.row.Cells[:0]}
	for i := range r.f.Fields {
		col := &r.f.Fields[i]
		c, some, err := cellOf(col, fields[col.index], r.f.decimal)
		if err != nil {
			return fmt.Errorf("column %q: %w", col.Header, err)
		}
		if some {
			r.row.Cells = append(r.row.Cells, c)
		}
	}
	return nil
}

// valuesIn reports whether a header holds values.
func valuesIn(head []string) bool {
	values, names := 0, 0
	for _, s := range head {
		_, number := number(s, '.')
		_, err := parseDate(s, iso)
		switch {
		case number == nil, err == nil:
			values++
		case s != "":
			names++
		}
	}
	return values > names
}
