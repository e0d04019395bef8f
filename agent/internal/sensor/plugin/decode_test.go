package plugin

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"math"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/fxamacker/cbor/v2"
	"github.com/google/go-cmp/cmp"

	"github.com/headwater-iot/headwater/shared/record"
)

// all are series of every type.
func all() map[string]Series {
	return map[string]Series{
		"f": {Unit: "Cel"}, "i": {Type: Int}, "u": {Type: Uint, Unit: "count"}, "s": {Type: Text}, "b": {Type: Bool},
	}
}

func cell(name string, change func(*record.Cell)) []record.Cell {
	c := record.Cell{Series: name, Unit: all()[name].Unit, Kind: all()[name].Type.kind()}
	change(&c)
	return []record.Cell{c}
}

func failed(name string, more record.Quality) []record.Cell {
	return cell(name, func(c *record.Cell) { c.Null, c.Quality = true, record.ReadError|more })
}

// takes decodes a line and returns the cells of each of its rows.
func takes(t *testing.T, p *Plugin, format Format, line string) (rows [][]record.Cell, err error) {
	t.Helper()
	said, err := decode(format, []byte(line))
	for _, s := range said {
		rows = append(rows, p.cells(s))
	}
	return rows, err
}

func TestValues(t *testing.T) {
	float := func(v float64) []record.Cell { return cell("f", func(c *record.Cell) { c.Float = v }) }
	whole := func(v int64) []record.Cell { return cell("i", func(c *record.Cell) { c.Int = v }) }
	for line, want := range map[string][]record.Cell{
		`{"f": 21.5}`:                         float(21.5),
		`{"f": 0.1}`:                          float(0.1),
		`{"f": 9007199254740993}`:             float(9007199254740992),
		`{"f": -1e-3}`:                        float(-0.001),
		`{"f": 1e-999999999}`:                 float(0),
		`{"f": 1e400}`:                        failed("f", record.Suspect),
		`{"f": null}`:                         failed("f", 0),
		`{"f": "21.5"}`:                       failed("f", 0),
		`{"f": true}`:                         failed("f", 0),
		`{"f": [1]}`:                          failed("f", 0),
		`{"i": 9223372036854775807}`:          whole(math.MaxInt64),
		`{"i": -9223372036854775808}`:         whole(math.MinInt64),
		`{"i": 9007199254740993}`:             whole(9007199254740993),
		`{"i": 5.0}`:                          whole(5),
		`{"i": 1e3}`:                          whole(1000),
		`{"i": 0e999999999}`:                  whole(0),
		`{"i": 9223372036854775808}`:          failed("i", 0),
		`{"i": 5.5}`:                          failed("i", 0),
		`{"i": 1e999999999}`:                  failed("i", 0),
		`{"u": 18446744073709551615}`:         cell("u", func(c *record.Cell) { c.Uint = math.MaxUint64 }),
		`{"u": -1}`:                           failed("u", 0),
		`{"u": 18446744073709551616}`:         failed("u", 0),
		`{"s": "caf\u00e9"}`:                  cell("s", func(c *record.Cell) { c.Text = "caf\u00e9" }),
		`{"s": 5}`:                            failed("s", 0),
		`{"b": true}`:                         cell("b", func(c *record.Cell) { c.Int = 1 }),
		`{"b": false}`:                        cell("b", func(*record.Cell) {}),
		`{"b": 1}`:                            failed("b", 0),
		`{"x": 1}`:                            {},
		`{"t": 1}`:                            {},
		`{}`:                                  {},
		`[{"n": "f", "u": "Cel", "v": 21.5}]`: float(21.5),
		`[{"n": "f", "v": 21.5}]`:             float(21.5),
		`[{"n": "f", "u": "K", "v": 294.65}]`: failed("f", 0),
		`[{"bn": "", "n": "s", "vs": "x"}]`:   cell("s", func(c *record.Cell) { c.Text = "x" }),
		`[{"n": "b", "vb": true}]`:            cell("b", func(c *record.Cell) { c.Int = 1 }),
		`[{"n": "i", "v": 9007199254740993}]`: whole(9007199254740993),
	} {
		p, _, _ := pluginOf(Settings{Series: all()})
		got, err := takes(t, p, JSON, line)
		if err != nil || len(got) != 1 {
			t.Errorf("%s: %d rows, %v", line, len(got), err)
			continue
		}
		if diff := cmp.Diff(want, got[0]); diff != "" {
			t.Errorf("%s (-want +got):\n%s", line, diff)
		}
		if bad, values := got[0], p.values; len(bad) == 1 && bad[0].Null && !strings.Contains(line, "null") && bad[0].Quality&record.Suspect == 0 &&
			values[reasonKind].Value()+values[reasonUnit].Value() != 1 {
			t.Errorf("%s: not counted", line)
		}
	}
}

func TestItems(t *testing.T) {
	for want, v := range map[string]any{
		`{"f":21.5}`:                  map[string]any{"f": 21.5},
		`{"f":21.5} `:                 map[string]any{"f": float32(21.5)},
		`{"i":-9223372036854775808}`:  map[string]any{"i": int64(math.MinInt64)},
		`{"u":18446744073709551615}`:  map[string]any{"u": uint64(math.MaxUint64)},
		`{"f":1e400}`:                 map[string]any{"f": math.NaN()},
		`{"b":true}`:                  map[string]any{"b": true},
		`[{"n":"f","u":"Cel","v":3}]`: []any{map[int]any{0: "f", 1: "Cel", 2: 3}},
		`[{"n":"f","v":3}]`:           []any{map[int]any{-2: "f", 2: 3.0}},
		`[{"n":"s","vs":"x"}]`:        []any{map[any]any{"n": "s", 3: "x"}},
	} {
		item, err := cbor.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		p, _, _ := pluginOf(Settings{Series: all()})
		got, err := takes(t, p, CBOR, string(item))
		if err != nil {
			t.Errorf("%v: %v", v, err)
		}
		same, err := takes(t, p, JSON, want)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(same, got); diff != "" {
			t.Errorf("%v (-JSON +CBOR):\n%s", v, diff)
		}
	}
}

func TestPack(t *testing.T) {
	p, _, registry := pluginOf(Settings{Mode: Stream, OwnTimes: true, Series: map[string]Series{"lab-in": {Unit: "Cel"}, "lab-out": {Unit: "Cel"}, "door": {Type: Bool}}})
	said, err := decode(JSON, []byte(`[{"bn": "lab-", "bu": "Cel", "bt": 1795176000, "n": "in", "v": 21.5}, {"n": "out", "v": 3},
		{"n": "in", "v": 21.6, "t": 0.25}, {"bn": "door", "bu": "", "vb": true, "t": 0.25}, {"n": "x", "v": 1, "t": 0.2500005}]`))
	if err != nil || len(said) != 3 {
		t.Fatalf("%+v, %v", said, err)
	}
	var got []string
	for _, row := range said {
		at, unit, err := p.at(row)
		if err != nil {
			t.Error(err)
		}
		var names []string
		for _, c := range p.cells(row) {
			names = append(names, c.Series)
		}
		text, _ := json.Marshal([]any{at, unit, names})
		got = append(got, string(text))
	}
	want := []string{`[1795176000000,3,["lab-in","lab-out"]]`, `[1795176000250,3,["door","lab-in"]]`, `[1795176000250001,6,null]`}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if count(registry, "bad_values", "unannounced") != 1 {
		t.Error("a series that is not declared was not counted")
	}
}

func TestLinesThatSayNothing(t *testing.T) {
	for line, want := range map[string]error{
		``: ErrLine, `x`: ErrLine, `{`: ErrLine, `21.5`: ErrLine, `"x"`: ErrLine, `null`: ErrLine, `{} {}`: ErrLine, `{"f":1}x`: ErrLine,
		`[1]`: ErrLine, `[{"n": 5, "v": 1}]`: ErrLine, `[{"n": "f", "v": 1, "vs": "x"}]`: ErrLine, `[{"n": "f", "bv": 1, "v": 1}]`: ErrLine,
		`[{"n": "f", "s": 1}]`: ErrLine, `[{"n": "f", "v": 1, "must_": 1}]`: ErrLine, `[{"n": "f", "vd": "AA"}]`: ErrLine,
		`[{"n": "f", "v": 1, "t": -5}]`: ErrTime, `[{"n": "f", "v": 1, "t": "now"}]`: ErrTime, `[{"n": "f", "v": 1, "bt": 1e999}]`: ErrTime,
		strings.Repeat("[", 20000): ErrLine,
	} {
		if said, err := decode(JSON, []byte(line)); !errors.Is(err, want) {
			t.Errorf("%.40s: %+v, %v", line, said, err)
		}
	}
	for _, item := range []string{"", "\xff", "\xa1\x01\x02", "\x1b\x00", "\x9f", "\xa1\x61f", strings.Repeat("\x81", 1000)} {
		if said, err := decode(CBOR, []byte(item)); !errors.Is(err, ErrLine) {
			t.Errorf("%x: %+v, %v", item[:min(len(item), 9)], said, err)
		}
	}
}

func TestTimes(t *testing.T) {
	for line, want := range map[string]int64{
		`{"f":1,"t":1795176000.25}`: 1795176000250, `{"f":1,"t":0}`: 0, `{"f":1,"t":-1.5}`: -1500, `{"f":1,"t":1795176000.000001}`: 1795176000000001,
		`{"f":1,"t":1795176000250}`: -1, `{"f":1,"t":"x"}`: -1, `{"f":1,"t":1e99}`: -1, `{"f":1,"t":true}`: -1,
	} {
		p, _, _ := pluginOf(Settings{Mode: Stream, OwnTimes: true, Series: all()})
		said, err := decode(JSON, []byte(line))
		if err != nil {
			t.Fatal(err)
		}
		at, _, err := p.at(said[0])
		if (want == -1) != errors.Is(err, ErrTime) || err == nil && at != want {
			t.Errorf("%s is at %d, %v", line, at, err)
		}
		p.settings.OwnTimes = false
		if _, unit, err := p.at(said[0]); unit != 0 || err != nil {
			t.Errorf("%s: a time that nobody asked for counts, %v", line, err)
		}
	}
	p, _, _ := pluginOf(Settings{Mode: Stream, OwnTimes: true, Series: map[string]Series{"t": {}}})
	said, _ := decode(JSON, []byte(`{"t":20.5}`))
	if _, unit, _ := p.at(said[0]); unit != 0 || len(p.cells(said[0])) != 1 {
		t.Error("a series called t is a series")
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(`{"f": 21.5, "t": 1795176000.25}`), false)
	f.Add([]byte(`[{"bn": "", "bt": 1795176000, "n": "i", "v": 1e3, "t": -0.5}]`), false)
	f.Add([]byte("\x81\xa3\x00\x61f\x02\xf9\x7e\x00\x06\x01"), true)
	p := New(Settings{Mode: Stream, OwnTimes: true, Series: all()}, Config{Name: "lab", Logger: slog.New(slog.DiscardHandler)})
	f.Fuzz(func(t *testing.T, line []byte, binary bool) {
		format := JSON
		if binary {
			format = CBOR
		}
		rows, err := decode(format, line)
		if err != nil {
			return
		}
		for _, said := range rows {
			row := record.Row{Sensor: "lab", Unit: record.Milli, Cells: p.cells(said)}
			if len(row.Cells) == 0 {
				continue
			}
			if err := row.Check(); err != nil && len(line) < 1000 {
				t.Errorf("%q makes a row that cannot be sealed: %v", line, err)
			}
			_, _, _ = p.at(said)
		}
	})
}

// numerals makes of what encoding/json read what parseJSON gives.
func numerals(v any) any {
	switch v := v.(type) {
	case json.Number:
		return numeral(v)
	case []any:
		for i := range v {
			v[i] = numerals(v[i])
		}
	case map[string]any:
		for name := range v {
			v[name] = numerals(v[name])
		}
	}
	return v
}

// What encoding/json reads is read alike, and what it refuses is refused; but for bytes that are no UTF-8, which it replaces.
func FuzzJSON(f *testing.F) {
	for _, text := range []string{
		`{"f": 21.5, "t": [1795176000.25, -0, 0.1e-7, 1E+9, 12]}`, ` [ true , false,null, {} , [ ] , "" ] `, `"\u00e9\ud83d\ude00\ud83d x\ude00 \"\\\/\b\f\n\r\t"`,
		`01`, `+1`, `1.`, `.5`, `1e`, `-`, `[1,]`, `{"a":1,}`, `{"a" 1}`, `{a:1}`, `"\x"`, `"\u12"`, `"\u+123"`, "\"\n\"", `nul`, `tru`, `{"a":1,"a":2}`, `1 2`, `"`, ``, ` `,
		`"\ud83d\u00zz"`, `"\ud83d\ud83d\ude00"`, `"\u_123"`,
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		got, err := parseJSON(text)
		d := json.NewDecoder(bytes.NewReader(text))
		d.UseNumber()
		var want any
		wantErr := d.Decode(&want)
		if _, more := d.Token(); wantErr == nil && !errors.Is(more, io.EOF) {
			wantErr = errors.New("more")
		}
		deep := bytes.Count(text, []byte("[")) + bytes.Count(text, []byte("{"))
		if !utf8.Valid(text) || deep >= mostNested {
			return
		}
		if (err == nil) != (wantErr == nil) {
			t.Fatalf("%q: %v, and encoding/json %v", text, err, wantErr)
		}
		if err == nil && !cmp.Equal(numerals(want), got) {
			t.Errorf("%q is %#v, and for encoding/json %#v", text, got, want)
		}
	})
}

func TestSplitting(t *testing.T) {
	item, _ := cbor.Marshal(map[string]int{"i": 1})
	for _, tc := range []struct {
		name, text, want string
		out              func(take func([]byte, error) error) output
	}{
		{"lines", "ab\n\n \r\ncd\r\nlong line\nef\nlong line again\ngh", "ab cd ! ef ! gh", func(take func([]byte, error) error) output { return &splitter{most: 4, take: take} }},
		{"items", string(item) + string(item) + string(item[:2]), string(item) + " " + string(item) + " !", func(take func([]byte, error) error) output { return &sequence{most: 4, take: take} }},
	} {
		for size := 1; size <= len(tc.text); size++ {
			var got []string
			w := tc.out(func(line []byte, err error) error {
				if err != nil {
					line = []byte("!")
				}
				got = append(got, string(line))
				return nil
			})
			for rest := tc.text; rest != ""; rest = rest[min(size, len(rest)):] {
				if _, err := io.WriteString(w, rest[:min(size, len(rest))]); err != nil {
					t.Fatal(err)
				}
			}
			if err := w.Flush(); err != nil || strings.Join(got, " ") != tc.want {
				t.Errorf("%s, %d bytes at a time: %q, %v", tc.name, size, got, err)
			}
		}
	}
	w := &sequence{most: 4, take: func([]byte, error) error { return nil }}
	if _, err := io.WriteString(w, "\xff"); err == nil {
		t.Error("behind an item that is none the sequence goes on")
	}
	w = &sequence{most: 4, take: func([]byte, error) error { return nil }}
	if _, err := io.WriteString(w, "\x58\xff12345"); !errors.Is(err, ErrLong) {
		t.Errorf("an item that never ends: %v", err)
	}
}

// A number that is hardly anything is not the integer 0.
func TestHardlyAnythingIsNoInteger(t *testing.T) {
	for text, want := range map[string]bool{"0": true, "-0.00": true, "0e5": true, "1e-40": false, "-0.1E-400": false, "1e-3": false} {
		if n, ok := integer(numeral(text)); ok != want || ok && n.Sign() != 0 {
			t.Errorf("%s: %v, %t", text, n, ok)
		}
	}
}
