package scan

import (
	"bufio"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// Format is how rows are written.
type Format string

// The formats.
const (
	Table Format = "table"
	CSV   Format = "csv"
	JSONL Format = "jsonl"
)

// Writer writes rows.
type Writer interface {
	// Header is called once, before the first Row.
	Header(columns []string) error
	// Row is called with one value per column, as Value returns them.
	Row(values []any) error
	// Close writes what is held back. It does not close the file.
	Close() error
}

// NewWriter returns a writer of the given format.
func NewWriter(f Format, w io.Writer) (Writer, error) {
	b := bufio.NewWriter(w)
	switch f {
	case Table:
		return &tableWriter{w: b}, nil
	case CSV:
		return &csvWriter{w: b}, nil
	case JSONL:
		return &jsonWriter{w: b}, nil
	}
	return nil, fmt.Errorf("format %q is none of table, csv, jsonl", f)
}

// instantLayout is RFC 3339 with all six digits, so that columns line up and sort as text.
const instantLayout = "2006-01-02T15:04:05.000000Z"

// Text is a value as people read it; lists and maps are JSON.
func Text(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return v
	case float64:
		return floatText(v)
	case []byte:
		return hex.EncodeToString(v)
	case time.Time:
		return v.UTC().Format(instantLayout)
	case []any, map[string]any:
		return string(appendJSON(nil, v))
	}
	return fmt.Sprint(v)
}

// appendJSON appends a value as JSON. Integers keep all their digits.
func appendJSON(dst []byte, v any) []byte {
	switch v := v.(type) {
	case nil:
		return append(dst, "null"...)
	case bool:
		return strconv.AppendBool(dst, v)
	case int64:
		return strconv.AppendInt(dst, v, 10)
	case *big.Int:
		return v.Append(dst, 10)
	case float64:
		switch {
		case math.IsNaN(v):
			return append(dst, `"NaN"`...)
		case math.IsInf(v, 1):
			return append(dst, `"Infinity"`...)
		case math.IsInf(v, -1):
			return append(dst, `"-Infinity"`...)
		}
		return strconv.AppendFloat(dst, v, 'g', -1, 64)
	case []any:
		dst = append(dst, '[')
		for i, e := range v {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = appendJSON(dst, e)
		}
		return append(dst, ']')
	case map[string]any:
		dst = append(dst, '{')
		for i, k := range slices.Sorted(maps.Keys(v)) {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = append(appendString(dst, k), ':')
			dst = appendJSON(dst, v[k])
		}
		return append(dst, '}')
	}
	return appendString(dst, Text(v))
}

func appendString(dst []byte, s string) []byte {
	b, err := json.Marshal(s)
	if err != nil {
		panic("scan: " + err.Error()) // a string can always be written
	}
	return append(dst, b...)
}

// jsonWriter writes one object per line, with every column.
type jsonWriter struct {
	w    *bufio.Writer
	keys [][]byte
	line []byte
}

func (j *jsonWriter) Header(columns []string) error {
	for _, c := range columns {
		j.keys = append(j.keys, append(appendString(nil, c), ':'))
	}
	return nil
}

func (j *jsonWriter) Row(values []any) error {
	j.line = append(j.line[:0], '{')
	for i, v := range values {
		if i > 0 {
			j.line = append(j.line, ',')
		}
		j.line = append(j.line, j.keys[i]...)
		j.line = appendJSON(j.line, v)
	}
	_, err := j.w.Write(append(j.line, '}', '\n'))
	return err
}

func (j *jsonWriter) Close() error { return j.w.Flush() }

// csvWriter writes RFC 4180, with one addition: an empty text is "", so that it differs from null.
type csvWriter struct {
	w    *bufio.Writer
	line []byte
}

func (c *csvWriter) Header(columns []string) error {
	values := make([]any, len(columns))
	for i, name := range columns {
		values[i] = name
	}
	return c.Row(values)
}

func (c *csvWriter) Row(values []any) error {
	c.line = c.line[:0]
	for i, v := range values {
		if i > 0 {
			c.line = append(c.line, ',')
		}
		s := Text(v)
		if v != nil && s == "" || strings.ContainsAny(s, "\",\r\n") || s != strings.TrimSpace(s) {
			c.line = append(c.line, '"')
			c.line = append(c.line, strings.ReplaceAll(s, `"`, `""`)...)
			c.line = append(c.line, '"')
			continue
		}
		c.line = append(c.line, s...)
	}
	_, err := c.w.Write(append(c.line, '\n'))
	return err
}

func (c *csvWriter) Close() error { return c.w.Flush() }

// tableWriter lines up columns by the widths of the first rows, and streams the others.
type tableWriter struct {
	w      *bufio.Writer
	held   [][]string
	widths []int
}

// heldRows is how many rows settle the widths.
const heldRows = 200

func (t *tableWriter) Header(columns []string) error {
	t.held = append(t.held, columns)
	return nil
}

func (t *tableWriter) Row(values []any) error {
	row := make([]string, len(values))
	for i, v := range values {
		row[i] = printable(Text(v))
	}
	if t.widths != nil {
		return t.print(row)
	}
	t.held = append(t.held, row)
	if len(t.held) > heldRows {
		return t.settle()
	}
	return nil
}

// printable takes out what would break the lines of a table, or a terminal.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return utf8.RuneError
		}
		return r
	}, s)
}

func (t *tableWriter) settle() error {
	for _, row := range t.held {
		if t.widths == nil {
			t.widths = make([]int, len(row))
		}
		for i, cell := range row {
			t.widths[i] = max(t.widths[i], utf8.RuneCountInString(cell))
		}
	}
	for _, row := range t.held {
		if err := t.print(row); err != nil {
			return err
		}
	}
	t.held = nil
	return nil
}

func (t *tableWriter) print(row []string) error {
	var line strings.Builder
	for i, cell := range row {
		if i > 0 {
			line.WriteString("  ")
		}
		line.WriteString(cell)
		line.WriteString(strings.Repeat(" ", max(0, t.widths[i]-utf8.RuneCountInString(cell))))
	}
	_, err := t.w.WriteString(strings.TrimRight(line.String(), " ") + "\n")
	return err
}

func (t *tableWriter) Close() error {
	if t.widths == nil {
		if err := t.settle(); err != nil {
			return err
		}
	}
	return t.w.Flush()
}

// floatText is the shortest text that reads back the same bits, without an exponent where people write none: as in
// JSON, from 1e-6 to 1e21.
func floatText(v float64) string {
	form := byte('f')
	if a := math.Abs(v); a != 0 && (a < 1e-6 || a >= 1e21) {
		form = 'g'
	}
	return strconv.FormatFloat(v, form, -1, 64)
}
