package csvfile

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

const (
	maxRecord = 256 << 10 // bytes; a row that a batch can carry is smaller
	maxLines  = 64        // of one record: beyond, a quote was not meant as one
)

var (
	errQuote = errors.New("a quote is opened and not closed")
	errLong  = fmt.Errorf("longer than %d bytes", maxRecord)
)

// scanner cuts a stream into records. A record that cannot be read costs its first line and nothing behind it.
type scanner struct {
	in        *bufio.Reader // its buffer holds any record, so that one can be given back
	delimiter byte
	offset    int64 // of what comes next
	line      int   // of what comes next, from 1
	fields    []string
}

// found is one record.
type found struct {
	raw    []byte // valid until the next call
	line   int
	fields []string // valid until the next call, unless err
	err    error    // why it cannot be read
}

func newScanner(r io.Reader, delimiter byte, at Position) *scanner {
	return &scanner{in: bufio.NewReaderSize(r, 2*maxRecord), delimiter: delimiter, offset: at.Offset, line: at.line}
}

// next returns the next record that holds anything. The error is io.EOF or one of reading.
func (s *scanner) next() (found, error) {
	for {
		size, err := s.measure()
		if err != nil {
			return found{}, err
		}
		raw, _ := s.in.Peek(size)
		f := found{raw: raw, line: s.line}
		text := string(bytes.TrimRight(raw, "\r\n"))
		open := false
		s.fields, open = split(s.fields[:0], text, s.delimiter)
		f.fields = s.fields
		switch {
		case open:
			f.err = errQuote
		case size > maxRecord:
			f.err = errLong
		}
		s.offset += int64(size)
		s.line += bytes.Count(f.raw, []byte("\n"))
		_, _ = s.in.Discard(size) // it was peeked, and stays where it is until the next call
		if f.err != nil || slices.ContainsFunc(f.fields, func(s string) bool { return s != "" }) {
			return f, nil
		}
	}
}

// measure returns the bytes of the next record: more than one line where a quote is open at the end of it.
func (s *scanner) measure() (int, error) {
	first, err := s.lineEnd(0)
	if err != nil {
		return 0, err
	}
	for end, lines := first, 1; end <= maxRecord && lines <= maxLines; lines++ {
		text, _ := s.in.Peek(end)
		if !bytes.ContainsRune(text, '"') {
			return end, nil
		}
		if _, open := split(nil, string(text), s.delimiter); !open {
			return end, nil
		}
		next, err := s.lineEnd(end)
		if err != nil {
			return 0, err
		}
		if next == end {
			break // the stream has ended within the quote
		}
		end = next
	}
	return first, nil
}

// lineEnd returns where the line ends that begins at from, counted from what comes next. A line that is too long
// is taken off up to its end.
func (s *scanner) lineEnd(from int) (int, error) {
	for at := from; ; {
		have, _ := s.in.Peek(s.in.Buffered())
		if i := bytes.IndexByte(have[at:], '\n'); i >= 0 {
			return at + i + 1, nil
		}
		at = len(have)
		if at >= s.in.Size() {
			return at, nil // the rest of the line is a record of its own, which cannot be read either
		}
		if _, err := s.in.Peek(at + 1); errors.Is(err, io.EOF) {
			if at == 0 {
				return 0, io.EOF
			}
			return at, nil
		} else if err != nil {
			return 0, err
		}
	}
}

// split appends the fields of a record. open means that its last field begins with a quote that does not end.
func split(fields []string, text string, delimiter byte) (all []string, open bool) {
	for {
		trimmed := strings.TrimLeft(text, " ")
		if !strings.HasPrefix(trimmed, `"`) {
			i := strings.IndexByte(text, delimiter)
			if i < 0 {
				return append(fields, text), false
			}
			fields, text = append(fields, text[:i]), text[i+1:]
			continue
		}
		field, rest, ok := quoted(trimmed[1:])
		if !ok {
			return append(fields, text), true
		}
		i := strings.IndexByte(rest, delimiter)
		if i < 0 {
			return append(fields, field+rest), false // what stands behind a quote belongs to it, as spreadsheets read it
		}
		fields, text = append(fields, field+rest[:i]), rest[i+1:]
	}
}

// quoted returns a field from behind its first quote, and what stands behind its last.
func quoted(text string) (field, rest string, ok bool) {
	for at := 0; ; {
		i := strings.IndexByte(text[at:], '"')
		if i < 0 {
			return "", "", false
		}
		at += i + 1
		if at == len(text) || text[at] != '"' {
			return strings.ReplaceAll(text[:at-1], `""`, `"`), text[at:], true
		}
		at++ // two quotes are one
	}
}
