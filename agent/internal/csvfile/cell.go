package csvfile

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/headwater-iot/headwater/shared/record"
)

// maxExact is where a float64 begins to skip integers.
const maxExact = 1 << 53

var (
	errNumber = errors.New("not a number")
	errBool   = errors.New("neither true nor false")
)

// cellOf reads a cell. some is false where there is no reading.
func cellOf(col *Field, text string, decimal byte) (c record.Cell, some bool, err error) {
	if col.Kind == record.Text {
		if text == "" {
			return c, false, nil
		}
		return record.Cell{Series: col.Series, Unit: col.Unit, Kind: record.Text, Text: text}, true, nil
	}
	text = strings.TrimSpace(text)
	if nothing(text) {
		return c, false, nil
	}
	if col.Kind == record.Bool {
		v, ok := truth(text)
		if !ok {
			return c, false, fmt.Errorf("%w: %q", errBool, text)
		}
		return record.Cell{Series: col.Series, Unit: col.Unit, Kind: record.Bool, Int: v}, true, nil
	}
	if c, err = number(text, decimal); err != nil {
		return c, false, err
	}
	c.Series, c.Unit = col.Series, col.Unit
	return c, true, nil
}

// nothing reports whether a cell among numbers says that there is no reading.
func nothing(text string) bool {
	switch strings.ToLower(text) {
	case "", "na", "n/a", "null", "none":
		return true
	}
	return false
}

func truth(text string) (int64, bool) {
	switch {
	case strings.EqualFold(text, "true"):
		return 1, true
	case strings.EqualFold(text, "false"):
		return 0, true
	}
	return 0, false
}

// number reads a number, with a decimal point or comma.
func number(text string, decimal byte) (record.Cell, error) {
	if decimal == ',' {
		if strings.Contains(text, ".") {
			return record.Cell{}, fmt.Errorf("%w: %q has a point where the decimal sign is a comma", errNumber, text)
		}
		text = strings.Replace(text, ",", ".", 1)
	}
	v, err := strconv.ParseFloat(text, 64)
	if strings.ContainsAny(text, "_xX") { // numbers of Go, and codes of everybody else
		err = strconv.ErrSyntax
	}
	switch {
	case errors.Is(err, strconv.ErrRange):
		return record.Cell{}, fmt.Errorf("%w that a float64 holds: %q", errNumber, text)
	case err != nil:
		return record.Cell{}, fmt.Errorf("%w: %q", errNumber, text)
	case math.IsNaN(v), math.IsInf(v, 0):
		c := record.FailedCell("", "", record.Float)
		c.Quality |= record.Suspect
		return c, nil
	case math.Abs(v) >= maxExact:
		if n, err := strconv.ParseInt(text, 10, 64); err == nil && (n > maxExact || n < -maxExact) {
			return record.Cell{Kind: record.Int, Int: n}, nil
		}
		if n, err := strconv.ParseUint(text, 10, 64); err == nil && n > maxExact {
			return record.Cell{Kind: record.Uint, Uint: n}, nil
		}
	}
	return record.Cell{Kind: record.Float, Float: v}, nil
}
