package commit_test

import (
	"fmt"
	"strings"

	"pgregory.net/rapid"

	"github.com/headwater-iot/headwater/gateway/internal/decision"
	"github.com/headwater-iot/headwater/gateway/internal/land"
)

// drawContract draws a contract for devices of these tests, with rules that some of their readings break.
func drawContract(t *rapid.T, id, devices string) []byte {
	var b strings.Builder
	version := rapid.IntRange(0, 3).Draw(t, "version")
	fmt.Fprintf(&b, "apiVersion: v3.1.0\nkind: DataContract\nid: %s\nversion: 1.0.%d\nstatus: active\n", id, version)
	b.WriteString("schema:\n- name: all\n  physicalType: series\n  logicalType: object\n  properties:\n")
	for _, name := range []string{"s0a", "s1a"} {
		action := rapid.SampledFrom([]string{"flag", "quarantine", "drop_with_gap"}).Draw(t, "action")
		fmt.Fprintf(&b, "  - name: %s\n    logicalType: number\n", name)
		if rapid.Bool().Draw(t, "range") {
			// Values are the epoch << 20 and the seq; epochs are 101 to 303.
			low := rapid.IntRange(0, 304<<20).Draw(t, "low")
			fmt.Fprintf(&b, "    logicalTypeOptions: {minimum: %d, maximum: %d}\n", low, low+rapid.IntRange(1, 100<<20).Draw(t, "width"))
		}
		fmt.Fprintf(&b, "    customProperties:\n    - {property: onViolation, value: %s}\n", action)
		for _, rule := range []string{
			"{property: unit, value: K}", "{property: maxRate, value: {change: 50, per: 1s}}", "{property: stuck, value: 30ms}",
			"{property: atMost, value: {count: 2, per: 50ms}}", "{property: anomaly, value: {method: steps, threshold: 3}}",
		} {
			if rapid.IntRange(0, 2).Draw(t, "rule") == 0 && !strings.Contains(rule, "anomaly") {
				fmt.Fprintf(&b, "    - %s\n", rule)
			}
		}
	}
	fmt.Fprintf(&b, "customProperties:\n- {property: devices, value: ['%s']}\n", devices)
	fmt.Fprintf(&b, "- {property: unknownSeries, value: %s}\n", rapid.SampledFrom([]string{"land", "flag", "quarantine", "drop_with_gap"}).Draw(t, "unknown"))
	if rapid.Bool().Draw(t, "lateness") {
		fmt.Fprintf(&b, "- {property: allowedLateness, value: %ds}\n- {property: onLate, value: quarantine}\n", rapid.IntRange(600, 1100).Draw(t, "late"))
	}
	return []byte(b.String())
}

// drawDecision draws a change of contracts.
func drawDecision(t *rapid.T) message {
	d := decision.Contract{Action: rapid.SampledFrom([]decision.Action{decision.Apply, decision.Apply, decision.Shadow, decision.Remove}).Draw(t, "decision")}
	d.ID = rapid.SampledFrom([]string{"all", "one"}).Draw(t, "id")
	if d.Action != decision.Remove {
		d.Source = drawContract(t, d.ID, map[string]string{"all": "*", "one": "probe-1"}[d.ID])
		d.Version = "1"
	}
	payload, err := d.Append(nil)
	if err != nil {
		t.Fatal(err)
	}
	return message{kind: land.KindContract, payload: payload}
}

// withDecisions puts changes of contracts between messages.
func withDecisions(t *rapid.T, messages []message) []message {
	for range rapid.IntRange(0, 4).Draw(t, "decisions") {
		at := rapid.IntRange(0, len(messages)).Draw(t, "at")
		messages = append(messages[:at:at], append([]message{drawDecision(t)}, messages[at:]...)...)
	}
	return messages
}
