package contract

import (
	"errors"
	"strings"
	"testing"

	"github.com/headwater-iot/headwater/shared/strictyaml"
)

func TestWindowChecks(t *testing.T) {
	for _, tt := range []struct {
		operator string
		pass     []float64
		fail     []float64
	}{
		{"mustBe: 5", []float64{5}, []float64{4.9, 5.1}},
		{"mustNotBe: 5", []float64{4, 6}, []float64{5}},
		{"mustBeGreaterThan: 5", []float64{5.1}, []float64{5, 4}},
		{"mustBeGreaterOrEqualTo: 5", []float64{5, 6}, []float64{4.9}},
		{"mustBeLessThan: 5", []float64{4.9}, []float64{5, 6}},
		{"mustBeLessOrEqualTo: 5", []float64{5, -1}, []float64{5.1}},
		{"mustBeBetween: [1, 2]", []float64{1, 1.5, 2}, []float64{0.9, 2.1}},
		{"mustNotBeBetween: [1, 2]", []float64{0.9, 2.1}, []float64{1, 1.5, 2}},
	} {
		t.Run(tt.operator, func(t *testing.T) {
			c := of(t, "quality: [{name: n, metric: nullValues, unit: percent, severity: error, "+tt.operator+"}]")
			checks := c.Series["x"].Checks
			if len(checks) != 1 || checks[0].Unit != "percent" || checks[0].Metric != "nullValues" || checks[0].Severity != "error" {
				t.Fatalf("checks %+v", checks)
			}
			for _, v := range tt.pass {
				if !checks[0].Holds(v) {
					t.Errorf("%v fails", v)
				}
			}
			for _, v := range tt.fail {
				if checks[0].Holds(v) {
					t.Errorf("%v passes", v)
				}
			}
		})
	}
	c := of(t, "quality: [{metric: missingValues, arguments: {missingValues: [null, '', n/a]}, mustBe: 0}, {type: text, description: for people}, {type: sql, query: q, mustBe: 0}]")
	if checks := c.Series["x"].Checks; len(checks) != 1 || checks[0].Unit != "rows" || strings.Join(checks[0].Missing, "|") != "|n/a" {
		t.Errorf("checks %+v", checks)
	}
}

// TestProblems has what Parse refuses; each text is part of the one problem it gives.
func TestProblems(t *testing.T) {
	for _, tt := range []struct{ series, custom, want string }{
		{"quality: [{metric: rowCount}]", "", "0 operators"},
		{"quality: [{metric: rowCount, mustBe: 1, mustBeLessThan: 2}]", "", "2 operators"},
		{"quality: [{metric: freshness, mustBe: 1}]", "", "want one of nullValues"},
		{"quality: [{mustBe: 1}]", "", "want one of nullValues"},
		{"quality: [{metric: rowCount, unit: pct, mustBe: 1}]", "", "want rows or percent"},
		{"quality: [{metric: rowCount, mustBeBetween: [2, 1]}]", "", "smaller one first"},
		{"quality: [{metric: missingValues, mustBe: 1}]", "", "missingValues needs arguments"},
		{"logicalType: date", "", "a series is a number"},
		{"logicalTypeOptions: {minimum: 1}", "", "need logicalType: number or integer"},
		{"logicalType: number, logicalTypeOptions: {minimum: 2, maximum: 1}", "", "no number is at once"},
		{"logicalType: number, logicalTypeOptions: {exclusiveMinimum: 1, maximum: 1}", "", "no number is at once"},
		{"logicalType: number, logicalTypeOptions: {multipleOf: 0}", "", "above 0"},
		{"logicalType: number, logicalTypeOptions: {minimum: .inf}", "", "out of range"},
		{"logicalType: number, logicalTypeOptions: {pattern: a}", "", "need logicalType: string"},
		{"logicalType: string, logicalTypeOptions: {pattern: '(?=a)'}", "", "look-around"},
		{"logicalType: string, logicalTypeOptions: {pattern: '(a{30}?){30}|((a?b?){30}c?){30}'}", "", "repeats too much"},
		{"logicalType: string, logicalTypeOptions: {minLength: -1}", "", "at least 0"},
		{"logicalType: string, logicalTypeOptions: {minLength: 3, maxLength: 2}", "", "at least 1 and minLength"},
		{"logicalType: string, " + ext("unit", "Cel"), "", "unit needs"},
		{"logicalType: string, " + ext("stuck", "1m"), "", "stuck needs"},
		{"logicalType: string, " + ext("maxRate", "{change: 1, per: 1m}"), "", "maxRate needs"},
		{"logicalType: number, " + ext("maxRate", "{change: 1}"), "", "maxRate needs"},
		{"logicalType: number, " + ext("unit", "°C"), "", "write Cel"},
		{ext("atMost", "{count: 0, per: 1m}"), "", "atMost needs"},
		{ext("atMost", "{count: 1, per: 100ns}"), "", "of at least 1ms"},
		{"logicalType: string, " + ext("anomaly", "{threshold: 6}"), "", "anomaly needs"},
		{"logicalType: number, " + ext("anomaly", "{threshold: -1}"), "", "anomaly needs"},
		{"logicalType: number, " + ext("anomaly", "{threshold: 6}", "actions", "{anomaly: quarantine}"), "", "only be flagged"},
		{ext("enum", "[1]"), "", "needs a logicalType"},
		{"logicalType: integer, " + ext("enum", "[1.5]"), "", "not the number"},
		{"logicalType: boolean, " + ext("enum", "[maybe]"), "", "neither true nor false"},
		{ext("actions", "{series: flag}"), "", "no rule of a series"},
		{ext("actions", "{range: reject}"), "", "no action"},
		{"logicalType: number, " + ext("pii", "hash"), "", "only texts can be hashed"},
		{ext("pii", "remove"), "", "want hash or mask"},
		{ext("every", "-1s"), "", "no length of time"},
		{ext("maxrate", "{change: 1, per: 1m}"), "", "did you mean maxRate"},
		{"", extra("devices", "['[']"), "is no pattern"},
		{"", extra("unknownSeries", "reject"), "want land, flag"},
		{"", extra("allowedLateness", "soon"), "no length of time"},
		{"", extra("compatibility", "forward"), "want backward or none"},
	} {
		text := `{apiVersion: v3.1.0, kind: DataContract, id: test, version: 1.0.0, status: active,
schema: [{name: s, physicalType: series, properties: [{name: x, ` + tt.series + `}]}],
customProperties: [` + tt.custom + `]}`
		_, err := Parse("test.yaml", []byte(text))
		var problems strictyaml.Problems
		if !errors.As(err, &problems) || len(problems) != 1 || !strings.Contains(problems[0].Error(), tt.want) {
			t.Errorf("%s %s: %v; want one problem with %q", tt.series, tt.custom, err, tt.want)
		} else if line := problems[0].Line; tt.series != "" && line != 2 || tt.custom != "" && line != 3 {
			t.Errorf("at the wrong line: %v", problems[0])
		}
	}
}
