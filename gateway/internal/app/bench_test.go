package app_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/headwater-iot/headwater/gateway/internal/lake"
	"github.com/headwater-iot/headwater/gateway/internal/table"
)

// TestMain is also the main of the processes that the benchmarks measure: the test binary runs itself.
func TestMain(m *testing.M) {
	switch os.Getenv(roleVar) {
	case roleGateway:
		os.Exit(gatewayMain())
	case rolePlain:
		os.Exit(plainMain())
	}
	os.Exit(m.Run())
}

func loads() []load {
	start := lastMidnightButOne()
	return []load{
		{Devices: 50, Batches: 40, Rows: 300, Series: 8, Start: start},
		{Devices: 50, Batches: 600, Rows: 10, Series: 8, Start: start},
		{Devices: 50, Batches: 200, Rows: 300, Series: 1, Start: start},
	}
}

// BenchmarkGateway takes batches from MQTT to committed Iceberg in a gateway process of its own, as fast as that takes
// them. readings/CPU-s is by the CPU time of that process alone, less what one costs that starts and stops without a
// device (idle_CPU-ms). of_plain is the ratio to a process that writes the same rows, which it has in memory, with
// pqarrow and our codec; of_tuned to one that also has our encodings. B/op and allocs/op are those of the devices.
func BenchmarkGateway(b *testing.B) {
	for _, l := range loads() {
		b.Run(l.String(), func(b *testing.B) {
			sent := l.encode(b)
			for b.Loop() {
				idle := measure(b, l, nil, "")
				busy := measure(b, l, sent, "")
				plain, tuned := plainly(b, l, false), plainly(b, l, true)
				rate := float64(l.readings()) / (busy.cpu - idle.cpu).Seconds()
				b.ReportMetric(0, "ns/op")
				b.ReportMetric(rate, "readings/CPU-s")
				b.ReportMetric(rate/plain.rate(), "of_plain")
				b.ReportMetric(rate/tuned.rate(), "of_tuned")
				b.ReportMetric(plain.rate(), "plain_readings/CPU-s")
				b.ReportMetric(float64(l.readings())/busy.wall.Seconds(), "readings/s")
				b.ReportMetric(busy.peakMB, "peak_MB")
				b.ReportMetric(idle.peakMB, "idle_MB")
				b.ReportMetric(plain.PeakMB, "plain_peak_MB")
				b.ReportMetric(float64(idle.cpu.Milliseconds()), "idle_CPU-ms")
				b.ReportMetric(float64(busy.lakeBytes)/float64(l.readings()), "lake_B/reading")
				b.ReportMetric(float64(plain.Bytes)/float64(l.readings()), "plain_B/reading")
			}
		})
	}
}

// BenchmarkGatewayStages says where the CPU time of a gateway goes, in percent. HEADWATER_PROFILE=FILE keeps the
// profile.
func BenchmarkGatewayStages(b *testing.B) {
	if _, err := exec.LookPath("go"); err != nil {
		b.Skip("the go tool is not there to read a profile with")
	}
	for _, l := range loads() {
		b.Run(l.String(), func(b *testing.B) {
			sent := l.encode(b)
			for b.Loop() {
				profile := os.Getenv("HEADWATER_PROFILE")
				if profile == "" {
					profile = filepath.Join(b.TempDir(), "cpu.pprof")
				}
				measure(b, l, sent, profile)
				b.ReportMetric(0, "ns/op")
				for stage, share := range shares(b, profile) {
					b.ReportMetric(100*share, stage+"_%")
				}
			}
		})
	}
}

// usage is what a gateway took.
type usage struct {
	cpu, wall time.Duration
	peakMB    float64
	lakeBytes int64
}

// measure runs a gateway, lets all devices send all they have, and waits until the gateway says that it has landed.
func measure(b *testing.B, l load, sent []cargo, profile string) usage {
	b.Helper()
	dir := b.TempDir()
	g := startGateway(b, dir, profile)
	begun := time.Now()
	if err := deliver(g.mqtt, sent); err != nil {
		b.Fatal(err)
	}
	u := usage{wall: time.Since(begun), peakMB: g.peakMB(b)}
	u.cpu = g.stop(b)
	if sent != nil {
		u.lakeBytes = landed(b, filepath.Join(dir, "lake"), l)
	}
	return u
}

// landed holds the table to what was sent, and returns the bytes of its files.
func landed(b *testing.B, dir string, l load) int64 {
	b.Helper()
	r, err := lake.OpenReader(dir)
	if err != nil {
		b.Fatal(err)
	}
	defer r.Close() //nolint:errcheck // only read
	tables, err := r.Tables(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	for _, t := range tables {
		if t.Name == table.Readings {
			if int(t.Rows) != l.readings() {
				b.Fatalf("%d readings landed, want %d", t.Rows, l.readings())
			}
			b.Logf("%s: %d readings in %d files", l, t.Rows, t.Files)
			return int64(t.Bytes)
		}
	}
	b.Fatal("there is no table of readings")
	return 0
}

func (l load) String() string { return fmt.Sprintf("rows=%d/series=%d", l.Rows, l.Series) }
