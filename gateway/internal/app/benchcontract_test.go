package app_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// typical is a contract with the rules that most series have: unit, range, rate of change, a value that is stuck, a value
// that is required. The devices of the load keep it.
func (l load) typical() string {
	var b strings.Builder
	b.WriteString(`apiVersion: v3.1.0
kind: DataContract
id: typical
version: 1.0.0
status: active
customProperties:
- {property: futureSkew, value: 10m}
- {property: allowedLateness, value: 3650d}
schema:
- name: all
  physicalType: series
  logicalType: object
  properties:
`)
	for j := range l.Series {
		name, unit := channel(j)
		fmt.Fprintf(&b, `  - name: %s
    logicalType: number
    required: true
    logicalTypeOptions: {minimum: -1000000, maximum: 1000000}
    customProperties:
    - {property: unit, value: %q}
    - {property: maxRate, value: {change: 1000000, per: 1s}}
    - {property: stuck, value: 12h}
    - {property: onViolation, value: quarantine}
`, name, unit)
	}
	return b.String()
}

// BenchmarkGatewayContract takes the same batches without a contract and under a typical one, by turns. cost_% is the CPU
// time of the gateway that the contract adds, of all that it takes from MQTT to committed Iceberg.
func BenchmarkGatewayContract(b *testing.B) {
	for _, l := range loads() {
		b.Run(l.String(), func(b *testing.B) {
			sent := l.encode(b)
			dir := b.TempDir()
			if err := os.WriteFile(filepath.Join(dir, "typical.odcs.yaml"), []byte(l.typical()), 0o600); err != nil {
				b.Fatal(err)
			}
			var free, judged, idle float64
			for b.Loop() {
				b.Setenv(contractsVar, "")
				idle += measure(b, l, nil, "").cpu.Seconds()
				free += measure(b, l, sent, "").cpu.Seconds()
				b.Setenv(contractsVar, dir)
				judged += measure(b, l, sent, "").cpu.Seconds()
			}
			n := float64(l.readings() * b.N)
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(n/(free-idle), "free_readings/CPU-s")
			b.ReportMetric(n/(judged-idle), "judged_readings/CPU-s")
			b.ReportMetric(100*(judged-free)/(judged-idle), "cost_%")
		})
	}
}
