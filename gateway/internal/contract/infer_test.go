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
      - name: mixed
        logicalType: number
        # No unit and no range: units were seen that do not lie on one scale: ["Cel","Pa"]
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
        logicalTypeOptions: {minimum: 8.1e+15} # it only ever rose: seen up to 9.007199254740996e+15
      - name: "yes: [odd"
`

func TestDraft(t *testing.T) {
	var o Observed
	number := func(v float64) Value { return Value{Number: &v} }
	text := func(v string) Value { return Value{Text: &v} }
	for i, v := range []float64{5.5, 12.3, 9, 10, math.NaN(), 11} {
		o.See("b", "temperature", "Cel", int64(1+i)*10_000_100, number(v))
	}
	o.See("a", "temperature", "K", 5, number(283.15))
	o.See("a", "Humidity", "%RH", 1, number(45))
	o.See("a", "Humidity", "/", 2, number(0.4))
	o.See("a", "mixed", "Cel", 1, number(1))
	o.See("a", "mixed", "Pa", 2, number(1))
	o.See("a", "state", "", 1, text("on"))
	o.See("a", "yes: [odd", "", 1, Value{})
	for i := range 3 {
		v := float64(1<<53 + 2*i)
		o.See("a", "total", "", int64(i+1), Value{Number: &v, Integer: true})
	}
	o.See("a", "Humidity", "%RH", 3, number(45))
	draft := o.Draft("first", nil)
	if _, got, _ := strings.Cut(string(draft), "logicalType: object\n"); got != drafted {
		t.Errorf("draft:\n%s", draft)
	}
	c, err := Parse("draft.yaml", draft)
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Devices) != 2 || len(c.Series) != 6 || c.Series["temperature"].Unit != "Cel" {
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
