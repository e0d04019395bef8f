package rules

import (
	"encoding/json"
	"errors"
	"flag"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/headwater-iot/headwater/shared/need"
)

var update = flag.Bool("update", false, "rewrite the dependency lists")

const (
	agentMain   = "agent/cmd/headwater-agent"
	gatewayMain = "gateway/cmd/headwater-gateway"
)

// pkg is what `go list` says of a package.
type pkg struct {
	ImportPath                         string
	Imports, TestImports, XTestImports []string
	Standard                           bool
}

// ours says the path of one of our packages from the root, or "".
func ours(path string) string {
	rel, _ := strings.CutPrefix(path, module)
	if rel == path {
		return ""
	}
	return rel
}

// list asks the Go tool, for the platform of a small Linux board so that every machine gets the same answer.
func list(t *testing.T, args ...string) []pkg {
	t.Helper()
	cmd := exec.Command("go", append([]string{"list", "-json=ImportPath,Imports,TestImports,XTestImports,Standard"}, args...)...)
	cmd.Dir = need.Repo(t)
	cmd.Env = append(os.Environ(), "GOOS=linux", "GOARCH=arm64", "CGO_ENABLED=0", "GOFLAGS=-mod=readonly")
	var complaints strings.Builder
	cmd.Stderr = &complaints
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list %q: %v\n%s", args, err, complaints.String())
	}
	var all []pkg
	for in := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p pkg
		err := in.Decode(&p)
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatalf("go list %q: %v", args, err)
		}
		all = append(all, p)
	}
}

// below says whether a path is a folder or lies in it.
func below(path, folder string) bool {
	return path == folder || strings.HasPrefix(path, folder+"/")
}

// home is the one folder per program that may import a module, with the reason.
type home struct {
	module string
	in     []string
	why    string
}

func homes() []home {
	return []home{
		{"github.com/eclipse/paho.mqtt.golang", []string{"agent/internal/uplink", "gateway/internal/consumer"}, "the rest of the program must not know the transport"},
		{"github.com/mochi-mqtt/server/v2", []string{"gateway/internal/frontdoor"}, "the rest of the program must not know the transport"},
		{"go.etcd.io/bbolt", []string{"agent/internal/segment", "gateway/internal/log"}, "one package owns what is on the disk"},
		{"github.com/apache/iceberg-go", []string{"gateway/internal/lake"}, "one package knows how a table is committed"},
		{"periph.io/x", []string{"agent/internal/sensor"}, "one package knows the hardware"},
		{"github.com/DataDog/sketches-go", []string{"gateway/internal/sketch"}, "one package says how far off a quantile may be"},
	}
}

// stages are joined by app only: a stage that knows another cannot be tested, or replaced, alone.
func stages() []string {
	return []string{
		"agent/internal/sensor", "agent/internal/sampler", "agent/internal/outbox", "agent/internal/uplink",
		"gateway/internal/frontdoor", "gateway/internal/consumer", "gateway/internal/intake", "gateway/internal/log", "gateway/internal/land", "gateway/internal/lake",
	}
}

// badImport returns why a package must not import another, or "".
func badImport(from, to string) string {
	side := func(p string) string { return strings.SplitN(p, "/", 2)[0] }
	own := ours(to)
	switch {
	case to == "log":
		return "it writes to the default logger"
	case strings.HasPrefix(to, "github.com/stretchr/testify") || strings.HasPrefix(to, "github.com/golang/mock"):
		return "plain Go and go-cmp say what went wrong as well"
	case own != "" && side(from) != side(own) && side(own) != "shared":
		return "agent, gateway and firmware-bridge meet in shared only, and shared knows none of them"
	case below(from, "shared/record") && own != "":
		return "record is the ground that all stand on"
	}
	for _, x := range stages() {
		for _, y := range stages() {
			if x != y && below(from, x) && below(own, y) {
				return "a stage that knows another cannot be tested, or replaced, alone; only internal/app joins them"
			}
		}
	}
	for _, h := range homes() {
		if below(to, h.module) && !slices.ContainsFunc(h.in, func(in string) bool { return below(from, in) }) {
			return h.why
		}
	}
	return ""
}

func TestImports(t *testing.T) {
	for _, p := range list(t, "-e", "./...") {
		from := ours(p.ImportPath)
		for _, to := range p.Imports {
			if why := badImport(from, to); why != "" {
				t.Errorf("%s imports %s: %s", from, to, why)
			}
			if ours(to) == "shared/need" {
				t.Errorf("%s imports %s outside a test: it would link package testing", from, to)
			}
		}
		// Tests may use another stage or a broker to stand against; they keep the other rules.
		for _, to := range append(p.TestImports, p.XTestImports...) {
			if why := badImport(from, to); why != "" && (to == "log" || strings.Contains(to, "testify")) {
				t.Errorf("a test of %s imports %s: %s", from, to, why)
			}
		}
	}
}

// TestImportRulesSeeViolations is the negative control.
func TestImportRulesSeeViolations(t *testing.T) {
	for _, c := range []struct {
		from, to string
		bad      bool
	}{
		{"agent/internal/app", module + "agent/internal/outbox", false},
		{"agent/internal/uplink", module + "agent/internal/outbox", true},
		{"gateway/internal/land", module + "gateway/internal/table", false},
		{"gateway/internal/land", module + "gateway/internal/lake/fileio", true},
		{"agent/internal/app", module + "gateway/internal/table", true},
		{"shared/wire", module + "agent/internal/outbox", true},
		{"shared/wire", module + "shared/record", false},
		{"shared/record", module + "shared/wire", true},
		{"agent/internal/sensor/bme280", "periph.io/x/devices/v3/bmxx80", false},
		{"agent/internal/sampler", "periph.io/x/conn/v3/physic", true},
		{"gateway/internal/logistics", "go.etcd.io/bbolt", true},
		{"shared/run", "log/slog", false},
		{"shared/run", "log", true},
	} {
		if why := badImport(c.from, c.to); (why != "") != c.bad {
			t.Errorf("%s imports %s: the rules say %q", c.from, c.to, why)
		}
	}
}

// TestForbiddenDependencies keeps packages out of the agent, however they would come in.
func TestForbiddenDependencies(t *testing.T) {
	forbidden := map[string]string{
		"text/template":                       "it defeats dead-code removal: +1.7 MB",
		"html/template":                       "it defeats dead-code removal: +2.5 MB",
		"testing":                             "test support is linked into the program",
		"database/sql":                        "the agent has bbolt",
		"encoding/gob":                        "the wire format is shared/wire",
		"github.com/prometheus/client_golang": "+4.2 MB for what shared/meter does",
		"github.com/apache/arrow-go/v18":      "it is larger than the whole agent",
		"github.com/apache/iceberg-go":        "tables are the gateway's business",
		"github.com/mochi-mqtt/server/v2":     "the agent has no broker",
		module + "gateway":                    "a device does not carry the gateway",
	}
	for _, p := range list(t, "-deps", "./"+agentMain) {
		for path, why := range forbidden {
			if below(p.ImportPath, path) {
				t.Errorf("the agent depends on %s: %s", p.ImportPath, why)
			}
		}
	}
	for _, p := range list(t, "-deps", "./"+gatewayMain) {
		if below(p.ImportPath, module+"agent") {
			t.Errorf("the gateway depends on %s", p.ImportPath)
		}
	}
}

// TestDependencyLists makes every new dependency of a binary a line in a review.
func TestDependencyLists(t *testing.T) {
	for name, main := range map[string]string{"agent": agentMain, "gateway": gatewayMain} {
		t.Run(name, func(t *testing.T) {
			var lines []string
			for _, p := range list(t, "-deps", "./"+main) {
				if !p.Standard {
					lines = append(lines, p.ImportPath)
				}
			}
			slices.Sort(lines)
			golden := "testdata/deps-" + name + ".txt"
			if *update {
				if err := os.WriteFile(golden, []byte(strings.Join(lines, "\n")+"\n"), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			committed, err := os.ReadFile(golden)
			if diff := cmp.Diff(strings.Fields(string(committed)), lines); err != nil || diff != "" {
				t.Errorf("%v; what it is linked from has changed (-committed +now):\n%s\nif that is meant: go test ./shared/rules -update", err, diff)
			}
		})
	}
}
