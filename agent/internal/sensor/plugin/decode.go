package plugin

import (
	"errors"
	"fmt"
	"math"
	"math/big"
	"strconv"
	"strings"

	"github.com/fxamacker/cbor/v2"
)

// ErrLine means that a line, or an item, says nothing that can be used.
var ErrLine = errors.New("not understood")

// ErrTime means that a row has a time that cannot be used.
var ErrTime = errors.New("its time is none in seconds since 1970")

// value is what a line says of one series.
type value struct {
	name string
	unit string // "" = it does not say
	v    any    // nil, bool, string, numeral, int64, uint64, float64
}

// said is what a line says of one moment.
type said struct {
	time   any // as v of value; nil = it does not say
	values []value
}

// decode reads what a plug-in printed: an object of values by series, perhaps with their time t in seconds since
// 1970, or a SenML pack (RFC 8428), which is an array.
func decode(format Format, text []byte) ([]said, error) {
	var raw any
	var err error
	if format == CBOR {
		if err = cbor.Unmarshal(text, &raw); err != nil {
			err = fmt.Errorf("%w: %w", ErrLine, err)
		}
	} else {
		raw, err = parseJSON(text)
	}
	if err != nil {
		return nil, err
	}
	switch raw := raw.(type) {
	case map[string]any:
		return []said{object(raw)}, nil
	case map[any]any: // as CBOR has them
		named := map[string]any{}
		for key, v := range raw {
			name, ok := key.(string)
			if !ok {
				return nil, fmt.Errorf("%w: the name %v is no text", ErrLine, key)
			}
			named[name] = v
		}
		return []said{object(named)}, nil
	case []any:
		return pack(raw)
	}
	return nil, fmt.Errorf("%w: neither an object nor a SenML pack", ErrLine)
}

func object(raw map[string]any) said {
	var out said
	for name, v := range raw {
		out.values = append(out.values, value{name: name, v: v})
	}
	return out
}

// labels are the names of SenML's fields by their numbers in CBOR.
func labels() map[int64]string {
	return map[int64]string{
		-6: "bs", -5: "bv", -4: "bu", -3: "bt", -2: "bn", -1: "bver",
		0: "n", 1: "u", 2: "v", 3: "vs", 4: "vb", 5: "s", 6: "t", 7: "ut", 8: "vd",
	}
}

// pack reads the records of a SenML pack. Those of one time are one row.
func pack(records []any) ([]said, error) {
	var out []said
	base := map[string]any{}
	for i, raw := range records {
		fields, err := senml(raw)
		if err != nil {
			return nil, fmt.Errorf("%w: record %d: %w", ErrLine, i, err)
		}
		for _, name := range []string{"bn", "bt", "bu"} {
			if v, ok := fields[name]; ok {
				base[name] = v
			}
		}
		v := value{name: text(base["bn"]) + text(fields["n"]), unit: text(fields["u"])}
		if v.unit == "" {
			v.unit = text(base["bu"])
		}
		found := 0
		for _, name := range []string{"v", "vs", "vb"} {
			if field, ok := fields[name]; ok {
				v.v = field
				found++
			}
		}
		if found == 0 {
			continue // only base fields
		}
		if found > 1 {
			return nil, fmt.Errorf("%w: record %d: more than one value", ErrLine, i)
		}
		at, err := moment(base["bt"], fields["t"])
		if err != nil {
			return nil, fmt.Errorf("%w: record %d: %w", ErrLine, i, err)
		}
		if n := len(out); n == 0 || out[n-1].time != at {
			out = append(out, said{time: at})
		}
		last := &out[len(out)-1]
		last.values = append(last.values, v)
	}
	return out, nil
}

// senml returns the fields of a record by their names.
func senml(raw any) (map[string]any, error) {
	fields := map[string]any{}
	switch raw := raw.(type) {
	case map[string]any:
		fields = raw
	case map[any]any:
		for key, v := range raw {
			name, ok := key.(string)
			if n, whole := integer(key); whole && n.IsInt64() {
				name, ok = labels()[n.Int64()]
			}
			if !ok {
				return nil, fmt.Errorf("the field %v is not known", key)
			}
			fields[name] = v
		}
	default:
		return nil, errors.New("no object")
	}
	for name, v := range fields {
		switch name {
		case "n", "bn", "u", "bu", "vs":
			if _, ok := v.(string); !ok {
				return nil, fmt.Errorf("%s is no text", name)
			}
		case "v", "vb", "t", "bt", "ut", "bver":
		default: // bv, bs, s, vd and what is marked as not to be passed over: left out, it would be another value
			return nil, fmt.Errorf("the field %q is not understood", name)
		}
	}
	return fields, nil
}

func text(v any) string {
	s, _ := v.(string) // senml has looked
	return s
}

// moment adds the times of SenML exactly; nil when there are none. What is relative to now is not understood, but now itself is.
func moment(base, own any) (any, error) {
	sum, some := new(big.Rat), false
	for _, v := range []any{base, own} {
		if v == nil {
			continue
		}
		n, ok := rational(v)
		if !ok {
			return nil, ErrTime
		}
		sum.Add(sum, n)
		some = some || n.Sign() != 0
	}
	if !some {
		return nil, nil
	}
	if sum.Cmp(big.NewRat(1<<28, 1)) < 0 {
		return nil, fmt.Errorf("%w: it is relative", ErrTime)
	}
	v, _ := sum.Float64()
	return v, nil
}

// integer returns a whole number, however it was written, exactly.
func integer(v any) (*big.Int, bool) {
	switch v := v.(type) {
	case int64:
		return big.NewInt(v), true
	case uint64:
		return new(big.Int).SetUint64(v), true
	}
	if n, ok := rational(v); ok && n.IsInt() {
		return n.Num(), true
	}
	return nil, false
}

// rational returns a finite number exactly.
func rational(v any) (*big.Rat, bool) {
	switch v := v.(type) {
	case int64:
		return new(big.Rat).SetInt64(v), true
	case uint64:
		return new(big.Rat).SetUint64(v), true
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return nil, false
		}
		return new(big.Rat).SetFloat64(v), true
	case numeral:
		// An exact number with a long exponent would take the memory of the machine.
		f, err := strconv.ParseFloat(string(v), 64)
		switch {
		case err != nil || math.Abs(f) > 1e30 || len(v) > 60:
			return nil, false
		case math.Abs(f) < 1e-30:
			digits, _, _ := strings.Cut(strings.ToLower(string(v)), "e")
			return new(big.Rat), strings.Trim(digits, "-0.") == ""
		}
		return new(big.Rat).SetString(string(v))
	}
	return nil, false
}
