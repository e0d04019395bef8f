package csvfile

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// Names of the formats that are not layouts.
const (
	iso      = "iso"  // year first
	dayFirst = "dmy"  // 31.12.2024, 31/12/2024
	monFirst = "mdy"  // 12/31/2024
	unixS    = "unix" // seconds since 1970, with or without a fraction
	unixMS   = "unix_ms"
	unixUS   = "unix_us"
	unixNS   = "unix_ns"
)

// instant is a time as it stands in a file.
type instant struct {
	us    int64 // UTC, or without a zone as if it were UTC
	zoned bool
	cut   bool // something finer than a microsecond was cut off
}

// A table has timestamps of the years 1 to 9999.
const (
	minTime = -62135596800_000_000
	maxTime = 253402300800_000_000
)

var (
	errTime = errors.New("not a time of this format")
	errDate = errors.New("no such date or time of day")
)

// format reads times.
type format struct {
	name   string
	layout string // of package time, where name is ""
	zoned  bool   // of a layout: it has a zone
	found  bool   // nobody has named it: a count of another size may be of another unit
}

// parseFormat reads --time-format: a name, a strftime format, or a layout of Go.
func parseFormat(text string) (format, error) {
	switch text {
	case iso, dayFirst, monFirst, unixS, unixMS, unixUS, unixNS:
		return format{name: text}, nil
	case "rfc3339", "rfc-3339":
		return format{name: iso}, nil
	}
	layout := text
	if strings.Contains(text, "%") {
		var err error
		if layout, err = fromStrftime(text); err != nil {
			return format{}, err
		}
	}
	switch {
	case layout == unixS:
		return format{name: unixS}, nil
	case strings.Contains(layout, "MST"):
		return format{}, fmt.Errorf("%w: %q: the letters of a zone do not say which one it is; leave it out and pass --timezone", ErrOption, text)
	case !shows(layout, 1, 0, 0, 0) || !shows(layout, 0, 1, 0, 0) || !shows(layout, 0, 0, 1, 0):
		return format{}, fmt.Errorf("%w: --time-format %q has no whole date; use %s, a strftime format such as %%d.%%m.%%Y %%H:%%M, or a Go layout such as 02.01.2006 15:04",
			ErrOption, text, strings.Join([]string{iso, dayFirst, monFirst, unixS, unixMS, unixUS, unixNS}, ", "))
	}
	if shows(layout, 0, 0, 0, 1) && !shows(layout, 0, 0, 0, 12) {
		return format{}, fmt.Errorf("%w: --time-format %q has hours up to 12 and does not say which half of the day: use %%H (15), or add %%p (PM)", ErrOption, text)
	}
	return format{layout: layout, zoned: strings.Contains(layout, "Z07") || strings.Contains(layout, "-07")}, nil
}

// shows tells whether a layout writes another time differently.
func shows(layout string, years, months, days, hours int) bool {
	t := time.Date(2003, 4, 5, 1, 0, 0, 0, time.UTC)
	return t.Format(layout) != t.AddDate(years, months, days).Add(time.Duration(hours)*time.Hour).Format(layout)
}

// fromStrftime returns the Go layout of a strftime format.
func fromStrftime(text string) (string, error) {
	if text == "%s" {
		return unixS, nil
	}
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		if text[i] != '%' || i+1 == len(text) {
			b.WriteByte(text[i])
			continue
		}
		i++
		part := strftime(text[i])
		if part == "" {
			return "", fmt.Errorf("%w: --time-format %q: %%%c is not known", ErrOption, text, text[i])
		}
		b.WriteString(part)
	}
	// A layout takes a fraction of a second behind the seconds whether it says so or not.
	return strings.ReplaceAll(strings.ReplaceAll(b.String(), ".\x00", ""), "\x00", ""), nil
}

func strftime(c byte) string {
	switch c {
	case 'Y':
		return "2006"
	case 'y':
		return "06"
	case 'm':
		return "01"
	case 'd':
		return "02"
	case 'e':
		return "_2"
	case 'H':
		return "15"
	case 'I':
		return "03"
	case 'M':
		return "04"
	case 'S':
		return "05"
	case 'f':
		return "\x00"
	case 'p':
		return "PM"
	case 'b', 'h':
		return "Jan"
	case 'B':
		return "January"
	case 'a':
		return "Mon"
	case 'A':
		return "Monday"
	case 'z':
		return "Z0700"
	case 'F':
		return "2006-01-02"
	case 'T':
		return "15:04:05"
	case 'R':
		return "15:04"
	case 'D':
		return "01/02/06"
	case '%':
		return "%"
	}
	return ""
}

// parse reads one time.
func (f format) parse(text string) (instant, error) {
	text = strings.TrimSpace(text)
	switch f.name {
	case iso, dayFirst, monFirst:
		return parseDate(text, f.name)
	case unixS, unixMS, unixUS, unixNS:
		if f.found && magnitude(text) != f.name {
			return instant{}, fmt.Errorf("%w: %q is no %s between 1980 and 2100; --time-format %s takes it as it is", errTime, text, f.name, f.name)
		}
		return parseUnix(text, f.name)
	}
	t, err := time.Parse(f.layout, text)
	if err != nil {
		return instant{}, fmt.Errorf("%w: %q", errTime, text)
	}
	return instant{us: t.UnixMicro(), zoned: f.zoned, cut: t.Nanosecond()%1000 != 0}, nil
}

// parseUnix reads a count since 1970. Digits behind the point are read as digits: a float would lose some.
func parseUnix(text, name string) (instant, error) {
	scale := map[string]int{unixS: 6, unixMS: 3, unixUS: 0, unixNS: -3}[name]
	whole, fraction, _ := strings.Cut(text, ".")
	digits, rest := shift(whole, fraction, scale)
	us, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || strings.Trim(rest, "0123456789") != "" || us < minTime || us >= maxTime {
		return instant{}, fmt.Errorf("%w: %q", errTime, text)
	}
	cut := strings.Trim(rest, "0") != ""
	if cut && strings.HasPrefix(text, "-") {
		us-- // down, as for times after 1970
	}
	return instant{us: us, zoned: true, cut: cut}, nil
}

// shift moves the point of whole.fraction by n digits to the right.
func shift(whole, fraction string, n int) (string, string) {
	if n < 0 {
		at := max(len(whole)+n, 0)
		head := whole[:at]
		if strings.Trim(head, "-+") == "" {
			head += "0"
		}
		return head, whole[at:] + fraction
	}
	if len(fraction) < n {
		fraction += strings.Repeat("0", n-len(fraction))
	}
	return whole + fraction[:n], fraction[n:]
}

// magnitude returns the format of a count since 1970 that lies between 1980 and 2100: no two of them can mean one.
func magnitude(text string) string {
	v, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
	if err != nil || math.IsNaN(v) {
		return ""
	}
	const from, to = 315532800, 4102444800
	for _, f := range []struct {
		name string
		unit float64
	}{{unixS, 1}, {unixMS, 1e3}, {unixUS, 1e6}, {unixNS, 1e9}} {
		if v >= from*f.unit && v < to*f.unit {
			return f.name
		}
	}
	return ""
}

// date reads the numbers of a date and a time of day.
type reader struct {
	text string
	bad  bool
}

// number takes lo to hi digits.
func (r *reader) number(lo, hi int) int {
	n, i := 0, 0
	for i < len(r.text) && i < hi && r.text[i] >= '0' && r.text[i] <= '9' {
		n = 10*n + int(r.text[i]-'0')
		i++
	}
	r.bad = r.bad || i < lo
	r.text = r.text[i:]
	return n
}

// sign takes one of the given characters.
func (r *reader) sign(any string) byte {
	if r.text == "" || strings.IndexByte(any, r.text[0]) < 0 {
		return 0
	}
	c := r.text[0]
	r.text = r.text[1:]
	return c
}

// parseDate reads a date with or without a time of day, a fraction and a zone.
func parseDate(text, order string) (instant, error) {
	r := reader{text: text}
	var year, month, day int
	separator := func(want byte) byte {
		c := r.sign("-/.")
		r.bad = r.bad || c == 0 || want != 0 && c != want
		return c
	}
	switch order {
	case iso:
		year = r.number(4, 4)
		c := separator(0)
		month = r.number(1, 2)
		separator(c)
		day = r.number(1, 2)
	default:
		day = r.number(1, 2)
		c := separator(0)
		month = r.number(1, 2)
		separator(c)
		year = r.number(4, 4)
		if order == monFirst {
			month, day = day, month
		}
	}
	clock, err := r.clock()
	if r.bad || err != nil || r.text != "" {
		return instant{}, fmt.Errorf("%w: %q", errTime, text)
	}
	t := time.Date(year, time.Month(month), day, clock.hour, clock.minute, clock.second, 0, time.UTC)
	if year < 1 || t.Day() != day || int(t.Month()) != month || clock.hour > 23 || clock.minute > 59 || clock.second > 59 {
		return instant{}, fmt.Errorf("%w: %q", errDate, text)
	}
	us := t.UnixMicro() + int64(clock.nanos/1000) - int64(clock.zone)*1e6
	return instant{us: us, zoned: clock.zoned, cut: clock.nanos%1000 != 0}, nil
}

// clockTime is a time of day, with its zone in seconds east.
type clockTime struct {
	hour, minute, second, nanos int
	zone                        int
	zoned                       bool
}

func (r *reader) clock() (c clockTime, err error) {
	if r.text == "" {
		return c, nil
	}
	if r.sign("Tt ") == 0 {
		return c, errTime
	}
	r.text = strings.TrimLeft(r.text, " ")
	c.hour = r.number(1, 2)
	r.bad = r.bad || r.sign(":") == 0
	c.minute = r.number(2, 2)
	if r.sign(":") != 0 {
		c.second = r.number(2, 2)
		if r.sign(".,") != 0 {
			c.nanos = r.fraction()
		}
	}
	r.text = strings.TrimLeft(r.text, " ")
	c.half(r)
	return c, r.zone(&c)
}

// fraction reads digits behind a point as nanoseconds; finer ones mark them as cut.
func (r *reader) fraction() int {
	n := len(r.text) - len(strings.TrimLeft(r.text, "0123456789"))
	digits := r.text[:n]
	r.text = r.text[n:]
	r.bad = r.bad || n == 0
	ns, _ := strconv.Atoi((digits + "000000000")[:9])
	if n > 9 && strings.Trim(digits[9:], "0") != "" {
		ns |= 1
	}
	return ns
}

// half reads AM or PM.
func (c *clockTime) half(r *reader) {
	if len(r.text) < 2 {
		return
	}
	word := strings.ToUpper(r.text[:2])
	if word != "AM" && word != "PM" {
		return
	}
	r.bad = r.bad || c.hour < 1 || c.hour > 12
	c.hour %= 12
	if word == "PM" {
		c.hour += 12
	}
	r.text = strings.TrimLeft(r.text[2:], " ")
}

func (r *reader) zone(c *clockTime) error {
	switch r.text {
	case "":
		return nil
	case "Z", "z", "UTC", "GMT":
		c.zoned, r.text = true, ""
		return nil
	}
	seconds, err := parseOffset(r.text)
	if err != nil {
		return err
	}
	c.zone, c.zoned, r.text = seconds, true, ""
	return nil
}

// parseOffset reads +02:00, +0200 or +02 as seconds east.
func parseOffset(text string) (int, error) {
	r := reader{text: text}
	sign := r.sign("+-")
	hours := r.number(2, 2)
	r.sign(":")
	minutes := 0
	if r.text != "" {
		minutes = r.number(2, 2)
	}
	if sign == 0 || r.bad || r.text != "" || hours > 15 || minutes > 59 {
		return 0, fmt.Errorf("%w: zone %q", errTime, text)
	}
	seconds := hours*3600 + minutes*60
	if sign == '-' {
		seconds = -seconds
	}
	return seconds, nil
}
