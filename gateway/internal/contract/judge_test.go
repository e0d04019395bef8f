package contract

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/headwater-iot/headwater/shared/record"
)

// of returns a contract with one series x, of what YAML says behind its name, and custom properties of the contract.
func of(t testing.TB, series string, custom ...string) *Contract {
	t.Helper()
	text := textOf(series, custom...)
	c, err := Parse("test.yaml", []byte(text))
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return c
}

func textOf(series string, custom ...string) string {
	return fmt.Sprintf(`{apiVersion: v3.1.0, kind: DataContract, id: test, version: 1.0.0, status: active,
schema: [{name: s, physicalType: series, properties: [{name: x, %s}]}],
customProperties: [%s]}`, series, strings.Join(custom, ", "))
}

// extra writes a custom property.
func extra(name, value string) string { return "{property: " + name + ", value: " + value + "}" }

// every returns instants a second apart.
func every(n int) []int64 {
	out := make([]int64, n)
	for i := range out {
		out[i] = int64(i) * 1_000_000
	}
	return out
}

func floats(unit string, values ...float64) *record.Column {
	return &record.Column{Series: "x", Unit: unit, Kind: record.Float, Floats: values}
}

func ints(values ...int64) *record.Column {
	return &record.Column{Series: "x", Kind: record.Int, Ints: values}
}

func uints(values ...uint64) *record.Column {
	return &record.Column{Series: "x", Kind: record.Uint, Uints: values}
}

func texts(values ...string) *record.Column {
	return &record.Column{Series: "x", Kind: record.Text, Texts: values}
}

func bools(values ...bool) *record.Column {
	return &record.Column{Series: "x", Kind: record.Bool, Bools: values}
}

func nulls(c *record.Column, at ...int) *record.Column {
	n := max(len(c.Floats), len(c.Ints), len(c.Uints), len(c.Texts), len(c.Bools), len(c.Blobs))
	c.Null = make([]bool, n)
	for _, i := range at {
		c.Null[i] = true
	}
	return c
}

// ruleTest is a series, a column of it, and the rule that each cell breaks.
type ruleTest struct {
	name, series string
	col          *record.Column
	want         string // per cell: . or the rule
}

// ruleTests has every rule that looks at one cell, and every kind of value.
func ruleTests() []ruleTest {
	const big = 1 << 53
	nan, inf := math.NaN(), math.Inf(1)
	return []ruleTest{
		{"anything", "", floats("furlong", 1, nan, inf), "..."},
		{"type number", "logicalType: number", texts("1"), "type"},
		{"type number, bytes", "logicalType: number", &record.Column{Series: "x", Kind: record.Bytes, Blobs: [][]byte{{1}}}, "type"},
		{"type number, bool", "logicalType: number", bools(true), "type"},
		{"type number as integer", "logicalType: number", ints(1), "."},
		{"type integer as float", "logicalType: integer", floats("", 1, 1.5, nan, inf, 1e300, math.Copysign(0, -1)), ". type type type . ."},
		{"type integer, unsigned", "logicalType: integer", uints(math.MaxUint64), "."},
		{"type string", "logicalType: string", ints(1), "type"},
		{"type string taken", "logicalType: string", texts(""), "."},
		{"type boolean", "logicalType: boolean", floats("", 1), "type"},
		{"type boolean taken", "logicalType: boolean", bools(false, true), ". ."},
		{"null of another type", "logicalType: number", nulls(texts("", "1"), 0), ". type"},
		{"null allowed", "logicalType: number, logicalTypeOptions: {minimum: 5}", nulls(floats("", 0, 5), 0), ". ."},
		{"null", "logicalType: number, required: true", nulls(floats("", 0, 0), 1), ". null"},
		{"unit unknown", "logicalType: number, " + ext("unit", "Cel"), floats("furlong", 1), "unit"},
		{"unit of another dimension", "logicalType: number, " + ext("unit", "Cel"), nulls(floats("Pa", 1, 2), 1), "unit ."},
		{"unit missing", "logicalType: number, " + ext("unit", "Cel"), floats("", 1), "unit"},
		{"foreign unit, no range", "logicalType: number, logicalTypeOptions: {maximum: 10}, " + ext("unit", "Cel"), floats("Pa", 11), "unit"},
		{"range after conversion", "logicalType: number, logicalTypeOptions: {maximum: 10}, " + ext("unit", "Cel"), floats("K", 283.15, 283.16), ". range"},
		{"range", "logicalType: number, logicalTypeOptions: {minimum: -1, maximum: 1}", floats("", -1, 1, -1.0001, 1.0001, nan, inf, -inf, 0), ". . range range range range range ."},
		{"range, open", "logicalType: number, logicalTypeOptions: {exclusiveMinimum: 0, exclusiveMaximum: 1}", floats("", 0, 1e-300, 1), "range . range"},
		{"range, open beyond closed", "logicalType: number, logicalTypeOptions: {exclusiveMinimum: 0, minimum: 1}", floats("", 0.5, 1), "range ."},
		{"range of integers", "logicalType: integer, logicalTypeOptions: {maximum: 9007199254740992}", ints(big, big+2, -big-1), ". range ."},
		{"range of unsigned", "logicalType: integer, logicalTypeOptions: {minimum: 0}", uints(0, math.MaxUint64), ". ."},
		{"multiple", "logicalType: number, logicalTypeOptions: {multipleOf: 0.1}", floats("", 0.3, 0.35, 1e6+0.1, 0, -0.7, nan), ". range . . . range"},
		{"multiple of large ones", "logicalType: number, logicalTypeOptions: {multipleOf: 1}", floats("", 1e10, 1e10+0.5), ". range"},
		{"enum of numbers", "logicalType: number, " + ext("enum", "[0, 1.50, 1e3]"), floats("", 0, 1.5, 1000, 2, nan), ". . . enum enum"},
		{"enum of integers", "logicalType: integer, " + ext("enum", "[-1, 9007199254740993, 3.0]"), ints(-1, big+1, big, 3), ". . enum ."},
		{"enum of unsigned", "logicalType: integer, " + ext("enum", "[1, 18446744073709551615]"), uints(1, math.MaxUint64, math.MaxUint64-1), ". . enum"},
		{"enum of strings", "logicalType: string, " + ext("enum", "[on, off, '1', true]"), texts("on", "On", "1", "true", ""), ". enum . . enum"},
		{"enum of booleans", "logicalType: boolean, " + ext("enum", "[true]"), bools(true, false), ". enum"},
		{"pattern", "logicalType: string, logicalTypeOptions: {pattern: '^[a-z]+$'}", texts("ab", "a1", ""), ". pattern pattern"},
		{"length in letters", "logicalType: string, logicalTypeOptions: {minLength: 2, maxLength: 3}", texts("ä", "äö", "äöü", "äöüß"), "pattern . . pattern"},
	}
}

func TestRules(t *testing.T) {
	for _, tt := range ruleTests() {
		t.Run(tt.name, func(t *testing.T) {
			want := strings.Fields(strings.ReplaceAll(tt.want, "...", ". . ."))
			for _, action := range []Action{Flag, Quarantine, DropWithGap} {
				c := of(t, tt.series)
				c.Series["x"].OnViolation = action
				v := c.Judge(Cells{Column: tt.col, Event: every(len(want))}, &State{})
				for i, rule := range want {
					wantFate, bits := Fate{}, record.Quality(0)
					if rule != "." {
						wantFate, bits = Fate{action, Rule(rule)}, Rule(rule).Bit()
					}
					if got := fateOf(v, i); got != wantFate || bitsOf(v, i) != bits {
						t.Errorf("cell %d: %v, quality %x; want %v, %x", i, got, bitsOf(v, i), wantFate, bits)
					}
				}
				if !slices.Contains(want, "unit") && v.Column.Kind == record.Int && !slices.Equal(v.Column.Ints, tt.col.Ints) {
					t.Errorf("integers changed to %v", v.Column.Ints)
				}
			}
		})
	}
}

// ext writes the custom properties of a series, from names and values in turn.
func ext(pairs ...string) string {
	var list []string
	for i := 0; i < len(pairs); i += 2 {
		list = append(list, extra(pairs[i], pairs[i+1]))
	}
	return "customProperties: [" + strings.Join(list, ", ") + "]"
}

func fateOf(v Verdict, cell int) Fate {
	if v.Fates == nil {
		return Fate{}
	}
	return v.Fates[cell]
}

func bitsOf(v Verdict, cell int) record.Quality {
	if v.Quality == nil {
		return 0
	}
	return v.Quality[cell]
}

// story is the fate of each cell in one line.
func story(v Verdict, cells int) string {
	var words []string
	for i := range cells {
		if f := fateOf(v, i); f == (Fate{}) {
			words = append(words, ".")
		} else {
			words = append(words, string(f.Rule)+"/"+f.Action.String())
		}
	}
	return strings.Join(words, " ")
}

func TestTimes(t *testing.T) {
	const hour = int64(3600e6)
	at := []int64{-hour - 1, -hour, 0, hour, hour + 1, math.MinInt64, math.MaxInt64}
	for _, tt := range []struct {
		name, series string
		custom       []string
		want         string
	}{
		{"no rule", "", nil, ". . . . . . ."},
		{"flag", "", []string{extra("allowedLateness", "1h"), extra("futureSkew", "1h")}, "late/flag . . . future/flag late/flag future/flag"},
		{
			"actions", "",
			[]string{extra("allowedLateness", "1h"), extra("futureSkew", "1h"), extra("onLate", "drop_with_gap"), extra("onFuture", "quarantine")},
			"late/drop_with_gap . . . future/quarantine late/drop_with_gap future/quarantine",
		},
		{"a series of its own", ext("actions", "{late: quarantine}"), []string{extra("allowedLateness", "1h"), extra("onLate", "drop_with_gap")}, "late/quarantine . . . . late/quarantine ."},
		{"onViolation is of values", ext("onViolation", "drop_with_gap"), []string{extra("allowedLateness", "1h")}, "late/flag . . . . late/flag ."},
	} {
		t.Run(tt.name, func(t *testing.T) {
			v := of(t, tt.series, tt.custom...).Judge(Cells{Column: nulls(ints(0, 0, 0, 0, 0, 0, 0), 2), Event: at}, nil)
			if got := story(v, len(at)); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}

func TestUnknownSeries(t *testing.T) {
	for word, want := range map[string]string{"land": ".", "flag": "series/flag", "quarantine": "series/quarantine", "drop_with_gap": "series/drop_with_gap"} {
		col := floats("", 1)
		col.Series = "y"
		c := of(t, "", extra("unknownSeries", word))
		if got := story(c.Judge(Cells{Column: col, Event: every(1)}, nil), 1); got != want {
			t.Errorf("unknownSeries %s: %s, want %s", word, got, want)
		}
	}
}

// TestStrongestAction: of two broken rules the stronger action counts, of equal ones the first; the bits of both stay.
func TestStrongestAction(t *testing.T) {
	const both = record.ContractRange | record.ContractEnum
	for actions, want := range map[string]Fate{
		"{}":                 {Flag, RuleRange},
		"{enum: quarantine}": {Quarantine, RuleEnum},
		"{range: drop_with_gap, enum: quarantine}": {DropWithGap, RuleRange},
		"{range: quarantine, enum: quarantine}":    {Quarantine, RuleRange},
	} {
		c := of(t, "logicalType: number, logicalTypeOptions: {maximum: 1}, "+ext("enum", "[1]", "actions", actions))
		v := c.Judge(Cells{Column: floats("", 2), Event: every(1)}, nil)
		if v.Fates[0] != want || v.Quality[0] != both {
			t.Errorf("%s: %v, quality %x; want %v, %x", actions, v.Fates[0], v.Quality[0], want, both)
		}
	}
}

// TestSparse: verdicts are per present cell, and rows say when each was.
func TestSparse(t *testing.T) {
	c := of(t, "logicalType: number", extra("allowedLateness", "1s"))
	col := floats("", 1, 2)
	col.Rows = []uint32{0, 2}
	v := c.Judge(Cells{Column: col, Event: []int64{0, 0, 3e6}, Received: 4e6}, nil)
	if got := story(v, 2); got != "late/flag ." {
		t.Error(got)
	}
}

func TestPersonal(t *testing.T) {
	key := []byte("a key of the gateway")
	for _, tt := range []struct {
		name, series string
		c            *Contract
		col          *record.Column
		same         bool
	}{
		{"hash", "logicalType: string, " + ext("pii", "hash"), nil, texts("Ada", "Ada", "Bob", ""), true},
		{"mask", "logicalType: string, " + ext("pii", "mask"), nil, texts("Ada", "Ada", "Bob", ""), false},
		{"mask numbers", "logicalType: number, " + ext("pii", "mask", "unit", "K"), nil, floats("K", 1, 2, 3, 0), false},
		{"hash of another type", "logicalType: string, " + ext("pii", "hash"), nil, ints(1, 1, 2, 0), false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := of(t, tt.series).Keyed(key)
			v := c.Judge(Cells{Column: nulls(tt.col, 3), Event: every(4)}, nil)
			got := v.Column
			if got.Kind != record.Text || got.Unit != "" || got.Texts[3] != "" || !got.Null[3] || v.Quality[3] != 0 {
				t.Fatalf("column %+v, quality %x", got, v.Quality)
			}
			if tt.same != (got.Texts[0] != got.Texts[2]) || got.Texts[0] != got.Texts[1] {
				t.Errorf("texts %q", got.Texts)
			}
			for i, text := range got.Texts[:3] {
				if strings.Contains(text, "Ada") || v.Quality[i]&record.ContractMasked == 0 {
					t.Errorf("cell %d: %q, quality %x", i, text, v.Quality[i])
				}
			}
			if got.Floats != nil || got.Ints != nil {
				t.Error("the numbers are still there")
			}
		})
	}
	v := of(t, "logicalType: string, "+ext("pii", "hash")).Judge(Cells{Column: texts("Ada"), Event: every(1)}, nil)
	if v.Column.Texts[0] != masked {
		t.Errorf("without a key: %q", v.Column.Texts[0])
	}
}
