package app_test

import (
	"bytes"
	"os/exec"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/headwater-iot/headwater/"

// inner are the packages that CPU time is put down to, by the innermost frame that is of one of them: what a stage
// calls of shared packages, libraries and the runtime is its own.
func inner() [][2]string {
	return [][2]string{
		{module + "gateway/internal/frontdoor", "frontdoor"},
		{"github.com/mochi-mqtt/", "frontdoor"},
		{module + "gateway/internal/intake", "intake"},
		{module + "gateway/internal/log", "log"},
		{module + "gateway/internal/land", "land"},
		{module + "gateway/internal/cursor", "land"},
		{module + "gateway/internal/lake", "commit"},
		{module + "gateway/internal/commit", "commit"},
	}
}

// outer are frames that say what a stack is for, whoever is in it.
func outer() [][2]string {
	return [][2]string{
		{"runtime.gcBgMarkWorker", "gc"},
		{"runtime.gcAssistAlloc", "gc"},
		{"runtime.bgsweep", "gc"},
		{"runtime.bgscavenge", "gc"},
		{"runtime.gcStart", "gc"},
		{module + "gateway/internal/lake/rowfile.WriteReadings", "parquet"},
	}
}

// shares returns the share of each stage in a CPU profile.
func shares(b *testing.B, profile string) map[string]float64 {
	b.Helper()
	cmd := exec.CommandContext(b.Context(), "go", "tool", "pprof", "-traces", "-unit=ms", profile)
	var complaints bytes.Buffer
	cmd.Stderr = &complaints
	out, err := cmd.Output()
	if err != nil {
		b.Fatalf("read the profile: %v\n%s", err, complaints.String())
	}
	by, total := map[string]float64{}, 0.0
	for _, block := range strings.Split(string(out), "-----------+")[1:] {
		ms, stack := trace(block)
		by[stageOf(stack)] += ms
		total += ms
	}
	if total == 0 {
		b.Fatalf("there is nothing in the profile:\n%s", out)
	}
	for stage := range by {
		by[stage] /= total
	}
	return by
}

// trace reads one stack, innermost frame first: the weight stands before the first frame.
func trace(block string) (ms float64, stack []string) {
	for _, line := range strings.Split(block, "\n")[1:] {
		words := strings.Fields(line)
		if len(words) > 1 && stack == nil {
			ms, _ = strconv.ParseFloat(strings.TrimSuffix(words[0], "ms"), 64)
			words = words[1:]
		}
		if len(words) > 0 {
			stack = append(stack, words[0])
		}
	}
	return ms, stack
}

func stageOf(stack []string) string {
	for _, rules := range [][][2]string{outer(), inner()} {
		for _, frame := range stack {
			for _, rule := range rules {
				if strings.HasPrefix(frame, rule[0]) {
					return rule[1]
				}
			}
		}
	}
	for _, frame := range stack {
		if !strings.HasPrefix(frame, "runtime.") && !strings.HasPrefix(frame, "internal/runtime") {
			return "other"
		}
	}
	return "scheduler"
}
