package contract

import (
	"errors"
	"strings"
	"testing"

	"github.com/headwater-iot/headwater/shared/record"
	"github.com/headwater-iot/headwater/shared/strictyaml"
)

const climate = `apiVersion: v3.1.0
kind: DataContract
id: greenhouse-climate
version: 1.2.0
status: active
team:
  name: climate
  members: [{username: ada@example.org, role: owner}]
schema:
  - name: climate
    physicalType: series
    logicalType: object
    properties:
      - name: temperature
        logicalType: number
        required: true
        logicalTypeOptions: {minimum: -40, maximum: 85}
        customProperties:
          - {property: unit, value: Cel}
          - {property: maxRate, value: {change: 5, per: 1m}}
          - {property: actions, value: {range: quarantine, rate: flag}}
slaProperties:
  - {property: retention, value: 400, unit: d}
customProperties:
  - {property: devices, value: ['greenhouse-*']}
  - {property: allowedLateness, value: 30d}
`

func TestParse(t *testing.T) {
	c, err := Parse("climate.odcs.yaml", []byte(climate))
	if err != nil {
		t.Fatal(err)
	}
	s := c.Series["temperature"]
	if s == nil || s.Unit != "Cel" || !s.Required || *s.Minimum != -40 || s.Action(RuleRange) != Quarantine || s.Action(RuleNull) != Flag {
		t.Errorf("series %+v", s)
	}
	if c.Owner != "ada@example.org" || c.Retention.Hours() != 400*24 || c.AllowedLateness.Hours() != 30*24 || !c.LandUnknown {
		t.Errorf("contract %+v", c)
	}
}

func TestProblemsHaveTheirLine(t *testing.T) {
	text := strings.Replace(climate, "maxRate", "maxrate", 1)
	text = strings.Replace(text, "range: quarantine", "range: reject", 1)
	text = strings.Replace(text, "status: active", "status: live", 1)
	_, err := Parse("bad.yaml", []byte(text))
	var problems strictyaml.Problems
	if !errors.As(err, &problems) || len(problems) != 3 {
		t.Fatalf("want three problems: %v", err)
	}
	for i, want := range []string{"bad.yaml:5:", "bad.yaml:20:", "bad.yaml:21:"} {
		if !strings.HasPrefix(problems[i].Error(), want) {
			t.Errorf("problem %d: %v; want it at %s", i, problems[i], want)
		}
	}
	if !strings.Contains(problems[1].Text, "did you mean maxRate") {
		t.Errorf("no hint in %v", problems[1])
	}
}

func TestJudge(t *testing.T) {
	c, err := Parse("climate.odcs.yaml", []byte(climate))
	if err != nil {
		t.Fatal(err)
	}
	const minute = 60_000_000
	col := &record.Column{
		Series: "temperature", Unit: "K", Kind: record.Float,
		Null:   []bool{false, false, false, true, false},
		Floats: []float64{294.85, 295.35, 400, 0, 320.15},
	}
	v := c.Judge(Cells{Column: col, Event: []int64{0, minute, 2 * minute, 3 * minute, 4 * minute}, Received: 5 * minute}, &State{})
	if v.Column.Unit != "Cel" || v.Column.Floats[0] != 21.7 || v.Column.Floats[1] != 22.2 {
		t.Errorf("converted to %+v", v.Column)
	}
	want := []Fate{{}, {}, {Quarantine, RuleRange}, {Flag, RuleNull}, {Flag, RuleRate}}
	for i := range want {
		if v.Fates[i] != want[i] {
			t.Errorf("cell %d: %+v, want %+v", i, v.Fates[i], want[i])
		}
	}
	if col.Floats[0] != 294.85 || col.Unit != "K" {
		t.Error("the batch was changed")
	}
}
