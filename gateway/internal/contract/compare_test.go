package contract

import (
	"strings"
	"testing"
)

func TestCompare(t *testing.T) {
	const x = "logicalType: number, "
	for _, tt := range []struct {
		name, old, next string // a series, or | and custom properties of the contract
		path            string
		want            Compatibility
	}{
		{"words", x + "description: a", x + "description: b", "", Compatible},
		{"wider range", x + "logicalTypeOptions: {minimum: 0, maximum: 1}", x + "logicalTypeOptions: {minimum: -1, maximum: 1}", "x.range", Compatible},
		{"range opened", x + "logicalTypeOptions: {maximum: 1}", x, "x.range", Compatible},
		{"bound taken in", x + "logicalTypeOptions: {exclusiveMaximum: 1}", x + "logicalTypeOptions: {maximum: 1}", "x.range", Compatible},
		{"bound left out", x + "logicalTypeOptions: {maximum: 1}", x + "logicalTypeOptions: {exclusiveMaximum: 1}", "x.range", Migration},
		{"tighter range", x + "logicalTypeOptions: {maximum: 2}", x + "logicalTypeOptions: {maximum: 1}", "x.range", Migration},
		{"range moved", x + "logicalTypeOptions: {minimum: 0, maximum: 2}", x + "logicalTypeOptions: {minimum: 1, maximum: 3}", "x.range", Migration},
		{"first range", x, x + "logicalTypeOptions: {maximum: 2}", "x.range", Migration},
		{"finer multiple", x + "logicalTypeOptions: {multipleOf: 1}", x + "logicalTypeOptions: {multipleOf: 0.1}", "x.multipleOf", Compatible},
		{"coarser multiple", x + "logicalTypeOptions: {multipleOf: 0.1}", x + "logicalTypeOptions: {multipleOf: 1}", "x.multipleOf", Migration},
		{"integer to number", "logicalType: integer", "logicalType: number", "x.logicalType", Migration},
		{"number to integer", "logicalType: number", "logicalType: integer", "x.logicalType", Breaking},
		{"number to string", "logicalType: number", "logicalType: string", "x.logicalType", Breaking},
		{"type declared", "", "logicalType: number", "x.logicalType", Migration},
		{"unit on the same scale", x + ext("unit", "Cel"), x + ext("unit", "K"), "x.unit", Migration},
		{"unit declared", x, x + ext("unit", "K"), "x.unit", Migration},
		{"unit of another dimension", x + ext("unit", "Cel"), x + ext("unit", "Pa"), "x.unit", Breaking},
		{"unit dropped", x + ext("unit", "Cel"), x, "x.unit", Breaking},
		{"required", x, x + "required: true", "x.required", Breaking},
		{"no longer required", x + "required: true", x, "x.required", Compatible},
		{"enum grows", x + ext("enum", "[1]"), x + ext("enum", "[2, 1]"), "x.enum", Compatible},
		{"enum shrinks", x + ext("enum", "[2, 1]"), x + ext("enum", "[1]"), "x.enum", Migration},
		{"pattern", "logicalType: string", "logicalType: string, logicalTypeOptions: {pattern: a}", "x.pattern", Migration},
		{"shorter", "logicalType: string, logicalTypeOptions: {maxLength: 5}", "logicalType: string, logicalTypeOptions: {maxLength: 4}", "x.maxLength", Migration},
		{"faster", x + ext("maxRate", "{change: 1, per: 1m}"), x + ext("maxRate", "{change: 1, per: 1s}"), "x.maxRate", Compatible},
		{"stuck sooner", x + ext("stuck", "1h"), x + ext("stuck", "30m"), "x.stuck", Migration},
		{"more in an interval", x + ext("atMost", "{count: 1, per: 1m}"), x + ext("atMost", "{count: 2, per: 1m}"), "x.atMost", Compatible},
		{"another interval", x + ext("atMost", "{count: 1, per: 1m}"), x + ext("atMost", "{count: 2, per: 1h}"), "x.atMost", Migration},
		{"every", x + ext("every", "10s"), x + ext("every", "20s"), "x.every", Migration},
		{"action", x + ext("actions", "{range: flag}"), x + ext("actions", "{range: quarantine}"), "x.actions.range", Migration},
		{"pii", "logicalType: string", "logicalType: string, " + ext("pii", "hash"), "x.pii", Breaking},
		{"quality", x, x + "quality: [{metric: nullValues, mustBe: 0}]", "x.quality", Compatible},
		{"series removed", x, "|" + extra("tool.only", "1"), "x", Breaking},
		{"series added", "|" + extra("tool.only", "1"), x, "x", Compatible},
		{"devices widened", "|" + extra("devices", "[green-1, 'green-b*']"), "|" + extra("devices", "['green-*']"), "devices", Compatible},
		{"devices narrowed", "|" + extra("devices", "['green-*']"), "|" + extra("devices", "['green-?']"), "devices", Breaking},
		{"less late", "|" + extra("allowedLateness", "30d"), "|" + extra("allowedLateness", "1d"), "allowedLateness", Migration},
		{"lateness unlimited", "|" + extra("allowedLateness", "30d"), "|" + extra("onLate", "flag"), "allowedLateness", Compatible},
		{"unknown series held", "|" + extra("onLate", "flag"), "|" + extra("unknownSeries", "quarantine"), "unknownSeries", Migration},
		{"retention shorter", "|], slaProperties: [{property: retention, value: 2, unit: y}", "|], slaProperties: [{property: retention, value: 400, unit: d}", "retention", Breaking},
		{"retention longer", "|], slaProperties: [{property: retention, value: 2, unit: y}", "|", "retention", Compatible},
		{"retention set", "|", "|], slaProperties: [{property: retention, value: 2, unit: y}", "retention", Breaking},
		{"level weaker", "|], slaProperties: [{property: latency, value: 60, unit: s}", "|], slaProperties: [{property: latency, value: 90, unit: s}", "latency", Migration},
		{"level stronger", "|], slaProperties: [{property: completeness, value: 99}", "|], slaProperties: [{property: completeness, value: 99.9}", "completeness", Compatible},
	} {
		t.Run(tt.name, func(t *testing.T) {
			old, next := version(t, tt.old, "1.0.0"), version(t, tt.next, "2.0.0")
			got := Compare(old, next)
			if got.Verdict != tt.want || len(got.Changes) == 0 || got.Version != "" {
				t.Fatalf("%+v, want %s", got, tt.want)
			}
			if c := got.Changes[0]; c.Path != tt.path || c.Verdict > tt.want || c.What == "" || c.Why == "" {
				t.Errorf("%+v, want path %q", got.Changes, tt.path)
			}
			if err := next.Replaces(old); (err != nil) != (tt.want == Breaking) {
				t.Errorf("replaces: %v", err)
			}
			if same := Compare(old, old); same.Verdict != Same || same.Changes != nil {
				t.Errorf("with itself: %+v", same)
			}
		})
	}
}

// version returns a contract of a series x, or of none and custom properties.
func version(t *testing.T, text, number string) *Contract {
	t.Helper()
	properties, custom := "{name: x, "+text+"}", ""
	if strings.HasPrefix(text, "|") {
		properties, custom = "", text[1:]
	}
	c, err := Parse("v.yaml", []byte(`{apiVersion: v3.1.0, kind: DataContract, id: test, status: active, version: `+number+`,
schema: [{name: s, physicalType: series, properties: [`+properties+`]}], customProperties: [`+custom+`]}`))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestVersionsRise(t *testing.T) {
	for _, tt := range []struct{ old, next, series, want string }{
		{"1.2.3", "1.2.4", "description: d", ""},
		{"1.9.0", "1.10.0", "description: d", ""},
		{"1.2.3", "1.2.3", "description: d", "must rise"},
		{"1.2.3", "1.1.9", "description: d", "must rise"},
		{"1.2.3", "1.3.0", "required: true", "at least 2.0.0"},
		{"1.2.3", "2.0.0", "required: true", ""},
	} {
		got := Compare(version(t, "", tt.old), version(t, tt.series, tt.next)).Version
		if tt.want == "" && got != "" || !strings.Contains(got, tt.want) {
			t.Errorf("%s -> %s: %q, want %q", tt.old, tt.next, got, tt.want)
		}
	}
	next := version(t, "required: true", "2.0.0")
	next.AllowBreaking = true
	if err := next.Replaces(version(t, "", "1.0.0")); err != nil {
		t.Errorf("compatibility: none still refuses: %v", err)
	}
}
