package rules

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/headwater-iot/headwater/shared/need"
)

// TestMakefileExplainsItself wants one line of help for every target, and the target in .PHONY.
func TestMakefileExplainsItself(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(need.Repo(t), "Makefile"))
	if err != nil {
		t.Fatal(err)
	}
	phony := regexp.MustCompile(`(?m)^\.PHONY: (.*)$`).FindSubmatch(text)
	if phony == nil {
		t.Fatal("the Makefile has no .PHONY line")
	}
	targets := regexp.MustCompile(`(?m)^([a-z0-9-]+):(.*)$`).FindAllStringSubmatch(string(text), -1)
	for _, target := range targets {
		if !strings.Contains(target[2], "## ") {
			t.Errorf("target %s has no help", target[1])
		}
		if !strings.Contains(" "+string(phony[1])+" ", " "+target[1]+" ") {
			t.Errorf("target %s is not in .PHONY", target[1])
		}
	}
	for _, want := range strings.Fields("build run test bench fuzz lint size cross chaos e2e clean") {
		if !regexp.MustCompile(`(?m)^` + want + `:`).Match(text) {
			t.Errorf("there is no target %s", want)
		}
	}
}

// TestScriptsParse wants every script to be readable by bash, to stop at the first error, and to be executable.
func TestScriptsParse(t *testing.T) {
	bash := need.Tool(t, "bash", "apt-get install bash")
	scripts, err := filepath.Glob(filepath.Join(need.Repo(t), "scripts", "*.sh"))
	if err != nil || len(scripts) == 0 {
		t.Fatalf("find the scripts: %d, %v", len(scripts), err)
	}
	for _, script := range append(scripts, filepath.Join(need.Repo(t), ".ci", "run")) {
		text, err := os.ReadFile(script)
		if err != nil {
			t.Fatal(err)
		}
		if out, err := exec.Command(bash, "-n", script).CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", script, err, out)
		}
		info, err := os.Stat(script)
		if err != nil {
			t.Fatal(err)
		}
		library := !strings.HasPrefix(string(text), "#!")
		if !library && (!strings.Contains(string(text), "set -euo pipefail") || info.Mode()&0o111 == 0) {
			t.Errorf("%s does not `set -euo pipefail`, or is not executable", script)
		}
	}
}
