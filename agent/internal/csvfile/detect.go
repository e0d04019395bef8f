package csvfile

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/headwater-iot/headwater/shared/record"
)

const (
	sampleRows  = 1000
	sampleBytes = 4 << 20
)

func delimiterOf(option string) (byte, error) {
	switch option {
	case "":
		return 0, nil
	case "tab", `\t`:
		return '\t', nil
	case ",", ";", "|", "\t":
		return option[0], nil
	}
	return 0, fmt.Errorf("%w: --delimiter %q; it is one of , ; | tab", ErrOption, option)
}

// sample returns the header and the first rows that have as many fields, cut by a delimiter. It sets where the rows begin.
func (f *File) sample(delimiter byte) (head []string, rows [][]string, err error) {
	begin := Position{line: 1}
	if f.start.Offset > 0 && f.start.line == 1 {
		begin.Offset = 3 // the mark of UTF-8
	}
	size := min(f.size-begin.Offset, sampleBytes)
	in := newScanner(io.NewSectionReader(f.in, begin.Offset, size), delimiter, begin)
	for len(rows) < sampleRows {
		got, err := in.next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, nil, err
		}
		switch {
		case head == nil && got.err != nil:
			return nil, nil, fmt.Errorf("%w: header: %w", ErrFile, got.err)
		case head == nil:
			head = make([]string, len(got.fields))
			for i, s := range got.fields {
				head[i] = strings.TrimSpace(s)
			}
			f.start = in.position()
		case got.err == nil:
			rows = append(rows, slices.Clone(got.fields))
		}
	}
	switch {
	case head == nil:
		return nil, nil, fmt.Errorf("%w: it is empty; a line of column names is needed", ErrFile)
	case !utf8.ValidString(strings.Join(head, "")):
		return nil, nil, fmt.Errorf("%w: its header is not UTF-8; save it as UTF-8", ErrFile)
	}
	if size == sampleBytes && len(rows) > 1 {
		rows = rows[:len(rows)-1] // may be half a row
	}
	return head, rows, nil
}

func (s *scanner) position() Position { return Position{Offset: s.offset, line: s.line} }

// detectDelimiter returns the one character that cuts header and rows into equally many fields.
func (f *File) detectDelimiter() (byte, error) {
	type candidate struct {
		delimiter byte
		fields    int
		fit       float64 // share of rows that have as many fields as the header
	}
	start := f.start
	var all []candidate
	for _, d := range []byte(",;\t|") {
		f.start = start
		head, rows, err := f.sample(d)
		if err != nil {
			return 0, err
		}
		fit := 0
		for _, r := range rows {
			if len(r) == len(head) || len(r) == len(head)+1 && r[len(head)] == "" {
				fit++
			}
		}
		if len(head) > 1 {
			all = append(all, candidate{d, len(head), float64(fit+1) / float64(len(rows)+1)})
		}
	}
	f.start = start
	slices.SortStableFunc(all, func(a, b candidate) int { return cmp.Or(cmp.Compare(b.fit, a.fit), cmp.Compare(b.fields, a.fields)) })
	switch {
	case len(all) == 0:
		return 0, fmt.Errorf("%w: no comma, semicolon, tab or bar cuts its first line into columns", ErrFile)
	case len(all) > 1 && all[1].fit == all[0].fit:
		return 0, fmt.Errorf("%w: %q and %q both cut it into columns; pass --delimiter", ErrFile, all[0].delimiter, all[1].delimiter)
	}
	return all[0].delimiter, nil
}

// timeNames are what time columns are called, the surest first.
const timeNames = "timestamp event_time eventtime datetime date_time _time time ts date zeitstempel zeit datum"

// timeColumn returns the index of the time column.
func timeColumn(head []string, want string) (int, error) {
	if want != "" {
		i := slices.Index(head, want)
		if i < 0 {
			return 0, fmt.Errorf("%w: no time column %q among %q", ErrFile, want, head)
		}
		return i, nil
	}
	plain := make([]string, len(head))
	for i, s := range head {
		s, _, _ = strings.Cut(strings.ToLower(s), "(") // time (UTC)
		s, _, _ = strings.Cut(s, "[")
		plain[i] = strings.ReplaceAll(strings.TrimSpace(s), " ", "_")
	}
	if day, clock := slices.Index(plain, "date"), slices.Index(plain, "time"); day >= 0 && clock >= 0 {
		return 0, fmt.Errorf("%w: date %q and time %q stand in two columns; join them into one, or say with --time-column which one has both", ErrFile, head[day], head[clock])
	}
	for _, name := range strings.Fields(timeNames) {
		if i := slices.Index(plain, name); i >= 0 {
			return i, nil
		}
	}
	return 0, fmt.Errorf("%w: no column among %q is called as a time is; pass --time-column", ErrFile, head)
}

// kinds decides what the columns hold, and which decimal sign they have.
func (f *File) kinds(rows [][]string, decimal string) error {
	switch decimal {
	case "", ".", ",":
	default:
		return fmt.Errorf("%w: --decimal %q; it is . or ,", ErrOption, decimal)
	}
	if decimal == "," && f.Delimiter == ',' {
		return fmt.Errorf("%w: --decimal , needs another delimiter than the comma", ErrOption)
	}
	f.decimal = '.'
	if decimal != "" {
		f.decimal = decimal[0]
	} else if f.Delimiter != ',' {
		var err error
		if f.decimal, err = f.detectDecimal(rows); err != nil {
			return err
		}
	}
	for i := range f.Fields {
		f.Fields[i].Kind = kindOf(rows, f.Fields[i].index, f.width, f.decimal)
	}
	return nil
}

func kindOf(rows [][]string, index, width int, decimal byte) record.ValueKind {
	some, numbers, truths := 0, 0, 0
	for _, r := range rows {
		if len(r) < width {
			continue
		}
		text := strings.TrimSpace(r[index])
		if nothing(text) {
			continue
		}
		some++
		if _, err := number(text, decimal); err == nil {
			numbers++
		} else if _, ok := truth(text); ok {
			truths++
		}
	}
	switch {
	case 2*numbers >= some:
		return record.Float
	case 2*truths >= some:
		return record.Bool
	}
	return record.Text
}

// detectDecimal returns the decimal sign. A comma is one where numbers have commas and none has a point.
func (f *File) detectDecimal(rows [][]string) (byte, error) {
	commas, thousands, points := 0, 0, 0
	for _, r := range rows {
		for i := range f.Fields {
			if f.Fields[i].index >= len(r) {
				continue
			}
			text := strings.TrimSpace(r[f.Fields[i].index])
			whole, fraction, comma := strings.Cut(text, ",")
			_, err := number(text, ',')
			switch {
			case comma && err == nil:
				commas++
				if len(fraction) == 3 && strings.Trim(whole, "+-0") != "" {
					thousands++
				}
			case !comma && strings.Contains(text, "."):
				if _, err := number(text, '.'); err == nil {
					points++
				}
			}
		}
	}
	switch {
	case commas == 0:
		return '.', nil
	case points > 0:
		return 0, fmt.Errorf("%w: numbers have both commas and points; pass --decimal with one of them", ErrFile)
	case commas == thousands:
		return 0, fmt.Errorf("%w: every comma has three digits behind it: a decimal sign or thousands? pass --decimal , or write the numbers without", ErrFile)
	}
	return ',', nil
}

// times decides the format of the times.
func (f *File) times(rows [][]string, option string) (err error) {
	texts := make([]string, 0, len(rows))
	for _, r := range rows {
		if len(r) >= f.width && strings.TrimSpace(r[f.time]) != "" {
			texts = append(texts, strings.TrimSpace(r[f.time]))
		}
	}
	if option != "" {
		f.format, err = parseFormat(option)
	} else {
		f.format, err = detectFormat(texts)
	}
	if err != nil {
		return err
	}
	f.TimeFormat = cmp.Or(f.format.name, f.format.layout)
	if f.zone != nil {
		return nil
	}
	for _, s := range texts {
		if t, err := f.format.parse(s); err == nil && !t.zoned {
			return fmt.Errorf("%w: %q is a time without a zone; pass --timezone, such as UTC, +02:00 or Europe/Zurich", ErrFile, s)
		}
	}
	return nil
}

// detectFormat returns the format that most of the times have. Two that fit equally well have to be told apart by the user.
func detectFormat(texts []string) (format, error) {
	if len(texts) == 0 {
		return format{name: iso}, nil
	}
	counts := map[string]int{}
	for _, s := range texts {
		if name := magnitude(s); name != "" {
			counts[name]++
			continue
		}
		for _, name := range []string{iso, dayFirst, monFirst} {
			if _, err := parseDate(s, name); err == nil {
				counts[name]++
			}
		}
	}
	best, second := "", ""
	for _, name := range []string{iso, dayFirst, monFirst, unixS, unixMS, unixUS, unixNS} {
		if counts[name] > counts[best] {
			best, second = name, best
		} else if counts[name] > counts[second] {
			second = name
		}
	}
	switch {
	case best == "" || 2*counts[best] < len(texts):
		return format{}, fmt.Errorf("%w: %q is a time in no format that is recognised; pass --time-format", ErrFile, texts[0])
	case counts[second] == counts[best] && bytes.ContainsRune([]byte(texts[0]), '.'):
		return format{name: dayFirst}, nil // nobody writes the month first with points
	case counts[second] == counts[best]:
		return format{}, fmt.Errorf("%w: %q: day or month first? pass --time-format dmy or mdy", ErrFile, texts[0])
	}
	return format{name: best, found: true}, nil
}
