package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/headwater-iot/headwater/shared/need"
)

// TestReadmeSnippetsWork runs the Python of the README against a live gateway, twice: they must still work, and see
// more, after the next commits.
func TestReadmeSnippetsWork(t *testing.T) {
	python := need.Python(t)
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	snippets := regexp.MustCompile("(?s)```python\n(.*?)```").FindAllStringSubmatch(string(readme), -1)
	if len(snippets) != 2 {
		t.Fatalf("the README has %d Python snippets, want PyIceberg's and DuckDB's", len(snippets))
	}
	g := newGateway(t).start()
	newAgent(t, "reader", g.mqtt, "  - {name: air, interval: 10ms, bme280: {bus: sim}}\n", "outbox: {flush_interval: 1s}").start()
	for _, atLeast := range []int64{100, 400} {
		waitFor(t, "readings to land", func() bool { return g.ledger("reader").Landed >= atLeast })
		for _, s := range snippets {
			if lines := strings.Count(s[1], "\n"); lines != 5 {
				t.Errorf("a snippet has %d lines, want five:\n%s", lines, s[1])
			}
			code := strings.ReplaceAll(s[1], "var/gateway", filepath.ToSlash(g.data))
			out, err := exec.Command(python, "-c", code).CombinedOutput()
			if err != nil || !strings.Contains(string(out), "temperature") {
				t.Errorf("%v\n%s\nprinted:\n%s", err, code, out)
			}
		}
	}
}
