package contract

import (
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const drafted = `    properties:
      - name: Humidity
        logicalType: number
        logicalTypeOptions: {minimum: 0, maximum: 100} # seen: 40 to 45
        customProperties:
          - {property: unit, value: "%RH"}
          - {property: every, value: 1s}
      - name: mixed
        logicalType: number
        # No unit and no range: units were seen that do not lie on one scale: ["Cel","Pa"]
        customProperties:
          - {property: every, value: 1s}
      - name: rare
        logicalType: number
        # No range: seen 1 times only, 1 to 1
        customProperties:
          - {property: unit, value: Pa}
      - name: state
        logicalType: string
      - name: temperature
        logicalType: number
        logicalTypeOptions: {minimum: -1.4, maximum: 20} # seen: 5.5 to 12.3
        customProperties:
          - {property: unit, value: Cel}
          - {property: every, value: 10s}
      - name: total
        logicalType: integer
        # It only ever rose, as a counter: 9.007199254740992e+15 to 9.00719925474101e+15
        logicalTypeOptions: {minimum: 0}
        customProperties:
          - {property: every, value: 1s}
      - name: "yes: [odd"
`

func TestDraft(t *testing.T) {
	var o Observed
	number := func(v float64) Value { return Value{Number: &v} }
	text := func(v string) Value { return Value{Text: &v} }
	for i, v := range []float64{5.5, 12.3, 9, 10, math.NaN(), 11, 11, 11, 11, 11, 11} {
		o.See("b", "temperature", "Cel", int64(1+i)*10_000_100, number(v))
	}
	o.See("a", "temperature", "K", 5, number(283.15))
	o.See("a", "Humidity", "/", 1, number(0.4))
	for i := range enough {
		o.See("a", "Humidity", "%RH", int64(2+i)*1_000_000, number(45))
	}
	o.See("a", "mixed", "Cel", 1, number(1))
	for i := range enough {
		o.See("a", "mixed", "Pa", int64(2+i)*1_000_000, number(1))
	}
	o.See("a", "rare", "Pa", 2, number(1))
	o.See("a", "state", "", 1, text("on"))
	o.See("a", "yes: [odd", "", 1, Value{})
	for i := range enough {
		v := float64(1<<53 + 2*i)
		o.See("a", "total", "", int64(i+1)*1_000_000, Value{Number: &v, Integer: true})
	}
	draft := o.Draft("first", nil)
	if _, got, _ := strings.Cut(string(draft), "logicalType: object\n"); got != drafted {
		t.Errorf("draft:\n%s", draft)
	}
	c, err := Parse("draft.yaml", draft)
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Devices) != 2 || len(c.Series) != 7 || c.Series["temperature"].Unit != "Cel" {
		t.Errorf("%+v", c)
	}
	if o.Empty() || !new(Observed).Empty() {
		t.Error("empty is not empty")
	}
}

// TestDraftOfOddities: whatever was seen, the draft is a contract.
func TestDraftOfOddities(t *testing.T) {
	var o Observed
	for _, unit := range []string{"", "Cel", "%", "'\"\n", "°C"} {
		for _, name := range []string{"true", "a b", "#", "ü\x00", "-", strings.Repeat("n", 200), "1e3"} {
			for i, v := range []float64{math.MaxFloat64, -math.MaxFloat64, 5e-324, 0, math.Inf(1)} {
				o.See(name, name+unit, unit, int64(i)<<i*8, Value{Number: &v})
			}
		}
	}
	draft := o.Draft("odd", nil)
	path := filepath.Join(t.TempDir(), "odd.yaml")
	if err := os.WriteFile(path, draft, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Parse(path, draft); err != nil {
		t.Errorf("%v", err)
	}
}
