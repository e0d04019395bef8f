package contract

import (
	"fmt"
	"slices"
	"strconv"

	"github.com/headwater-iot/headwater/shared/record"
)

// enum is the declared values of a series in the forms that a column may have them in.
type enum struct {
	texts  []string
	floats []float64
	ints   []int64
	uints  []uint64
	bools  []bool
}

// newEnum reads the words of an enumeration as values of a kind.
func newEnum(kind Kind, words []string) (*enum, error) {
	e := &enum{}
	for _, w := range words {
		if err := e.add(kind, w); err != nil {
			return nil, err
		}
	}
	return e, nil
}

func (e *enum) add(kind Kind, word string) error {
	switch kind {
	case Text:
		e.texts = append(e.texts, word)
		return nil
	case Boolean:
		b, err := strconv.ParseBool(word)
		if err != nil {
			return fmt.Errorf("%q is neither true nor false", word)
		}
		e.bools = append(e.bools, b)
		return nil
	case Number, Integer:
		return e.addNumber(kind, word)
	}
	return fmt.Errorf("an enumeration needs a logicalType")
}

// addNumber takes integers in exactly, also those that no float64 can hold.
func (e *enum) addNumber(kind Kind, word string) error {
	i, notInt := strconv.ParseInt(word, 10, 64)
	u, notUint := strconv.ParseUint(word, 10, 64)
	f, err := strconv.ParseFloat(word, 64)
	if err != nil || f-f != 0 || kind == Integer && !whole(f) {
		return fmt.Errorf("%q is not the number that the logicalType asks for", word)
	}
	if notInt != nil && whole(f) && f >= -maxExact && f <= maxExact { // 3.0, 1e3
		i, notInt = int64(f), nil
	}
	if notInt == nil {
		e.ints = append(e.ints, i)
		if i >= 0 {
			u, notUint = uint64(i), nil
		}
	}
	if notUint == nil {
		e.uints = append(e.uints, u)
	}
	e.floats = append(e.floats, f)
	return nil
}

// has reports whether a cell has one of the values.
func (e *enum) has(c *record.Column, cell int) bool {
	switch c.Kind {
	case record.Float:
		return slices.Contains(e.floats, c.Floats[cell])
	case record.Int:
		return slices.Contains(e.ints, c.Ints[cell])
	case record.Uint:
		return slices.Contains(e.uints, c.Uints[cell])
	case record.Text:
		return slices.Contains(e.texts, c.Texts[cell])
	case record.Bool:
		return slices.Contains(e.bools, c.Bools[cell])
	}
	return false
}
