// Command testreport reads the output of `go test -json` and prints what a person wants to know: the
// closing line of every package, all that a failed test said, which tests were skipped and why, and
// the slowest ones. It ends with status 1 if anything failed, or if there was nothing to report.
//
// Promise: a failure is never hidden, not even a build error, a test that was cut off, or a stream that
// ends in the middle (TestReport). The output of tests that passed is lost.
package main

import (
	"bufio"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
)

// event is one line of `go test -json`.
type event struct {
	Action, Package, Test, Output string
	Elapsed                       float64 // seconds
}

// id names a test.
type id struct{ pkg, test string }

// report gathers the events.
type report struct {
	out      io.Writer
	open     map[id]*strings.Builder // output of tests that have not ended
	skipped  map[string][]string     // test names by reason
	slow     []event
	packages map[string]bool // that have ended
	started  map[string]bool
	passed   int
	failed   int
	names    []string // of what failed
}

func main() {
	ok, err := summarize(os.Stdin, os.Stdout)
	if err != nil {
		fmt.Fprintln(os.Stderr, "testreport:", err)
	}
	if err != nil || !ok {
		os.Exit(1)
	}
}

// summarize reads events to the end and says whether all is well.
func summarize(in io.Reader, out io.Writer) (bool, error) {
	r := &report{
		out: out, open: map[id]*strings.Builder{}, skipped: map[string][]string{},
		packages: map[string]bool{}, started: map[string]bool{},
	}
	lines := bufio.NewReader(in)
	for {
		line, err := lines.ReadString('\n')
		if line != "" {
			r.line(line)
		}
		if err == io.EOF {
			break
		}
		if err != nil {
			return false, err
		}
	}
	r.close()
	return r.failed == 0 && len(r.packages) > 0, nil
}

// line takes one line, which the Go tool may also write in plain text.
func (r *report) line(line string) {
	var e event
	if json.Unmarshal([]byte(line), &e) != nil {
		fmt.Fprint(r.out, line)
		return
	}
	key := id{e.Package, e.Test}
	switch e.Action {
	case "start":
		r.started[e.Package] = true
	case "output":
		if e.Test == "" {
			r.packageOutput(e.Output)
			return
		}
		if r.open[key] == nil {
			r.open[key] = &strings.Builder{}
		}
		r.open[key].WriteString(e.Output)
	case "build-output":
		fmt.Fprint(r.out, e.Output)
	case "build-fail":
		r.failed++
	case "pass", "fail", "skip":
		r.end(e, key)
	}
}

// packageOutput prints what belongs to no test: the closing line, and what a dying test binary said.
func (r *report) packageOutput(text string) {
	if text != "PASS\n" && text != "FAIL\n" && !strings.HasPrefix(text, "?") {
		fmt.Fprint(r.out, text)
	}
}

// end takes the end of a test or of a package.
func (r *report) end(e event, key id) {
	if e.Test == "" {
		r.packages[e.Package] = true
		if e.Action == "fail" {
			r.failed++
		}
		return
	}
	var said string
	if b := r.open[key]; b != nil {
		said = b.String()
	}
	delete(r.open, key)
	switch e.Action {
	case "pass":
		r.passed++
	case "skip":
		reason := skipReason(said)
		r.skipped[reason] = append(r.skipped[reason], e.Test)
	case "fail":
		r.failed++
		r.names = append(r.names, e.Package+" "+e.Test)
		fmt.Fprint(r.out, said)
	}
	if !strings.Contains(e.Test, "/") {
		r.slow = append(r.slow, e)
	}
}

// skipReason returns what t.Skip said: the last line that has a file and line before it.
func skipReason(said string) string {
	reason := "no reason given"
	for line := range strings.Lines(said) {
		line = strings.TrimSpace(line)
		if _, after, ok := strings.Cut(line, ".go:"); ok {
			if _, text, ok := strings.Cut(after, ": "); ok {
				reason = text
			}
		}
	}
	return reason
}

// close prints the sums, and counts as failed what never ended.
func (r *report) close() {
	for key, b := range r.open {
		r.failed++
		fmt.Fprintf(r.out, "%s %s did not end; it said:\n%s", key.pkg, key.test, b)
	}
	for pkg := range r.started {
		if !r.packages[pkg] {
			r.failed++
			fmt.Fprintf(r.out, "%s did not end\n", pkg)
		}
	}
	skipped := 0
	for _, tests := range r.skipped {
		skipped += len(tests)
	}
	fmt.Fprintf(r.out, "\n%d tests passed, %d failures, %d skipped in %d packages\n", r.passed, r.failed, skipped, len(r.packages))
	for _, reason := range slices.Sorted(maps.Keys(r.skipped)) {
		fmt.Fprintf(r.out, "  skipped, %s: %s\n", reason, strings.Join(r.skipped[reason], ", "))
	}
	for _, name := range r.names {
		fmt.Fprintf(r.out, "  FAILED %s\n", name)
	}
	slices.SortStableFunc(r.slow, func(a, b event) int { return cmp.Compare(b.Elapsed, a.Elapsed) })
	for _, e := range r.slow[:min(5, len(r.slow))] {
		if e.Elapsed >= 1 {
			fmt.Fprintf(r.out, "  %6.1fs %s %s\n", e.Elapsed, e.Package, e.Test)
		}
	}
}
