package scan

import (
	"errors"
	"strings"
	"testing"

	"github.com/apache/iceberg-go"
)

// columns has one column of every type that a table of ours has.
func columns() *iceberg.Schema {
	p := iceberg.PrimitiveTypes
	return iceberg.NewSchema(0,
		iceberg.NestedField{ID: 1, Name: "device", Type: p.String, Required: true},
		iceberg.NestedField{ID: 2, Name: "event_time", Type: p.TimestampTz, Required: true},
		iceberg.NestedField{ID: 3, Name: "value", Type: p.Float64},
		iceberg.NestedField{ID: 4, Name: "seq", Type: p.Int64},
		iceberg.NestedField{ID: 5, Name: "quality", Type: p.Int32},
		iceberg.NestedField{ID: 6, Name: "presumed", Type: p.Bool},
		iceberg.NestedField{ID: 7, Name: "bytes", Type: p.Binary},
		iceberg.NestedField{ID: 8, Name: "value_int", Type: iceberg.DecimalTypeOf(20, 0)},
		iceberg.NestedField{ID: 11, Name: "day", Type: p.Date},
		iceberg.NestedField{ID: 9, Name: "closed", Type: &iceberg.ListType{ElementID: 10, Element: p.Int64, ElementRequired: true}},
	)
}

func TestWhere(t *testing.T) {
	time := iceberg.Timestamp(1769817600000000)
	ref := func(name string) iceberg.Reference { return iceberg.Reference(name) }
	for _, c := range []struct {
		text string
		want iceberg.BooleanExpression
	}{
		{"device = 'a''b'", iceberg.EqualTo(ref("device"), "a'b")},
		{"DEVICE='x'", iceberg.EqualTo(ref("device"), "x")},
		{"event_time >= '2026-01-31'", iceberg.GreaterThanEqual(ref("event_time"), time)},
		{"event_time < '2026-01-31T01:00:00+01:00'", iceberg.LessThan(ref("event_time"), time)},
		{"day in ('2026-01-31', '1969-12-31')", iceberg.IsIn(ref("day"), iceberg.Date(20484), iceberg.Date(-1))},
		{"value > -1.5e3", iceberg.GreaterThan(ref("value"), -1500.0)},
		{"value > 1", iceberg.GreaterThan(ref("value"), 1.0)},
		{"seq <= 9007199254740993", iceberg.LessThanEqual(ref("seq"), int64(9007199254740993))},
		{"quality <> 0", iceberg.NotEqualTo(ref("quality"), int32(0))},
		{"presumed = TRUE", iceberg.EqualTo(ref("presumed"), true)},
		{"bytes = '00ff'", iceberg.EqualTo(ref("bytes"), []byte{0, 255})},
		{"value is null", iceberg.IsNull(ref("value"))},
		{"value is not null", iceberg.NotNull(ref("value"))},
		{"device in ('a','b')", iceberg.IsIn(ref("device"), "a", "b")},
		{"device not in ('a','b')", iceberg.NotIn(ref("device"), "a", "b")},
		{"seq = 1 or seq = 2 and seq = 3", iceberg.NewOr(
			iceberg.EqualTo(ref("seq"), int64(1)),
			iceberg.NewAnd(iceberg.EqualTo(ref("seq"), int64(2)), iceberg.EqualTo(ref("seq"), int64(3))))},
		{"(seq = 1 or seq = 2) and seq = 3", iceberg.NewAnd(
			iceberg.NewOr(iceberg.EqualTo(ref("seq"), int64(1)), iceberg.EqualTo(ref("seq"), int64(2))),
			iceberg.EqualTo(ref("seq"), int64(3)))},
		{"not seq = 1", iceberg.NewNot(iceberg.EqualTo(ref("seq"), int64(1)))},
	} {
		got, err := Where(c.text, columns())
		if err != nil {
			t.Errorf("%s: %v", c.text, err)
			continue
		}
		if !got.Equals(c.want) {
			t.Errorf("%s\n got %s\nwant %s", c.text, got, c.want)
		}
	}
}

func TestWhereRefuses(t *testing.T) {
	for _, c := range []struct {
		text string
		pos  int
		msg  string
	}{
		{"", 0, "expected a column"},
		{"device", 6, "expected ="},
		{"device = ", 9, "expected a literal"},
		{"device = 5", 9, "'text'"},
		{"device = 'x", 9, "not closed"},
		{"device = 'x' and", 16, "expected a column"},
		{"device = 'x' seq = 1", 13, "expected and, or"},
		{"(device = 'x'", 13, "expected )"},
		{"nothing = 1", 0, "no such column"},
		{"seq = 1.5", 6, "whole number of 64 bits"},
		{"seq = '1'", 6, "whole number"},
		{"quality = 3000000000", 10, "32 bits"},
		{"event_time > 5", 13, "2026-01-31"},
		{"event_time > 'yesterday'", 13, "is no time"},
		{"day = '31 January'", 6, "2026-01-31"},
		{"bytes = 'xy'", 8, "hex"},
		{"presumed = 1", 11, "true or false"},
		{"closed = 1", 9, "no literal"},
		{"seq ! 1", 4, "unexpected character"},
		{"seq ; 1", 4, "unexpected character"},
		{"value is 5", 9, "expected null"},
		{strings.Repeat("(", 100) + "seq = 1", 50, "too deep"},
		{strings.Repeat("not ", 100) + "seq = 1", 200, "too deep"},
	} {
		_, err := Where(c.text, columns())
		se, ok := errors.AsType[*SyntaxError](err)
		if !ok || se.Pos != c.pos || !strings.Contains(err.Error(), c.msg) {
			t.Errorf("%q: %v, want %q at %d", c.text, err, c.msg, c.pos)
		}
	}
}

// FuzzWhere: no filter makes the parser panic; one that it takes can be bound to the schema.
func FuzzWhere(f *testing.F) {
	for _, s := range []string{
		"device = 'a' and event_time >= '2026-01-31'", "not (seq in (1,2) or value is not null)", "value_int != 18446744073709551615",
		"device not in ('')", "((((", "bytes<='00'", "presumed = true or", "value > 1e999",
	} {
		f.Add(s)
	}
	sc := columns()
	f.Fuzz(func(t *testing.T, text string) {
		e, err := Where(text, sc)
		if err != nil {
			if _, ok := errors.AsType[*SyntaxError](err); !ok {
				t.Errorf("%q: %v is no *SyntaxError", text, err)
			}
			return
		}
		if _, err := iceberg.BindExpr(sc, e, true); err != nil {
			t.Errorf("%q was taken and cannot be bound: %v", text, err)
		}
	})
}
