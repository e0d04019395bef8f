package nmea

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/headwater-iot/headwater/agent/internal/sensor"
)

// What makes a line unusable.
var (
	ErrGarbage   = errors.New("not a sentence")
	ErrUnchecked = errors.New("a sentence without checksum (unchecked: true allows them)")
	ErrChecksum  = errors.New("the checksum is wrong")
	ErrField     = errors.New("a field cannot be read")
)

// Sentence is what a talker said.
type Sentence struct {
	Type   string   // GGA, RMC, ...; whoever talks
	Fields []string // behind the type
}

// Parse reads a line. What stands in front of the last $ is the rest of a sentence that broke off.
func Parse(line []byte, unchecked bool) (Sentence, error) {
	start := bytes.LastIndexByte(line, '$')
	if start < 0 {
		return Sentence{}, ErrGarbage
	}
	text, sum, checked := bytes.Cut(bytes.TrimRight(line[start+1:], "\r\n "), []byte("*"))
	for _, c := range text {
		if c < ' ' || c > '~' {
			return Sentence{}, ErrGarbage
		}
	}
	switch {
	case !checked && !unchecked:
		return Sentence{}, ErrUnchecked
	case checked:
		var want [1]byte
		if n, err := hex.Decode(want[:], sum[:min(len(sum), 2)]); n != 1 || err != nil || len(sum) != 2 || want[0] != checksum(text) {
			return Sentence{}, ErrChecksum
		}
	}
	fields := strings.Split(string(text), ",")
	if len(fields[0]) != 5 { // two letters of the talker, three of the type
		return Sentence{}, fmt.Errorf("%w: it begins with %.8q", ErrGarbage, fields[0])
	}
	return Sentence{Type: fields[0][2:], Fields: fields[1:]}, nil
}

func checksum(text []byte) (sum byte) {
	for _, c := range text {
		sum ^= c
	}
	return sum
}

// field returns a field, empty where the sentence is shorter.
func (s Sentence) field(i int) string {
	if i >= len(s.Fields) {
		return ""
	}
	return s.Fields[i]
}

// decimal is n / 10^places; none where the field is empty.
type decimal struct {
	n      int64
	places int
	none   bool
}

func (d decimal) float() float64 { return sensor.Decimal(d.n, d.places) }

// number reads a decimal of at most 12 digits.
func (s Sentence) number(i int) (decimal, error) {
	text := s.field(i)
	if text == "" {
		return decimal{none: true}, nil
	}
	whole, fraction, _ := strings.Cut(text, ".")
	digits := whole + fraction
	unsigned := strings.TrimPrefix(digits, "-")
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || len(unsigned) > 12 || unsigned[0] < '0' || strings.ContainsAny(fraction, "+-") {
		return decimal{}, fmt.Errorf("%w: %.20q is not a number", ErrField, text)
	}
	return decimal{n: n, places: len(fraction)}, nil
}

// degrees reads dddmm.mmmm and the letter of its half of the globe behind it. Most is 90 or 180.
func (s Sentence) degrees(i int, most int64, positive, negative string) (decimal, error) {
	d, err := s.number(i)
	if err != nil || d.none {
		return d, err
	}
	unit := int64(math.Pow10(d.places)) // of the minutes
	degrees, minutes := d.n/(100*unit), d.n%(100*unit)
	if d.n < 0 || minutes >= 60*unit || degrees > most || degrees == most && minutes > 0 {
		return d, fmt.Errorf("%w: %q is no place on earth", ErrField, s.field(i))
	}
	d.n = degrees*100*unit + sensor.Rounded(minutes*100, 60)
	d.places += 2
	switch s.field(i + 1) {
	case positive:
	case negative:
		d.n = -d.n
	default:
		return d, fmt.Errorf("%w: %q is neither %s nor %s", ErrField, s.field(i+1), positive, negative)
	}
	return d, nil
}

// speed turns knots, 1852 m an hour, into m/s with one more decimal: a step of 0.1 kn is 0.051 m/s.
func (d decimal) speed() decimal {
	d.n = sensor.Rounded(d.n*10*463, 900)
	d.places++
	return d
}

// moment reads hhmmss.sss and ddmmyy to seconds since 1970.
func (s Sentence) moment(clock, date int) (decimal, error) {
	d, err := s.number(clock)
	day := s.field(date)
	if err != nil || d.none || day == "" {
		return decimal{none: true}, err
	}
	unit := int64(math.Pow10(d.places))
	hms := d.n / unit
	if hms%100 == 60 {
		hms-- // a leap second reads as the one before
	}
	t, err := time.Parse("020106 150405", fmt.Sprintf("%s %06d", day, hms))
	if err != nil || d.n < 0 || d.places > 6 {
		return d, fmt.Errorf("%w: no time %q of day %.10q", ErrField, s.field(clock), day)
	}
	if t.Year() < 2000 {
		t = t.AddDate(100, 0, 0) // package time reads 69 to 99 as 19xx
	}
	d.n = t.Unix()*unit + d.n%unit
	return d, nil
}
