package need

import (
	"os/exec"
	"testing"
)

// Datacontract returns an interpreter that also has datacontract-cli and jsonschema.
func Datacontract(t testing.TB) string {
	t.Helper()
	python := Python(t)
	if err := exec.Command(python, "-c", "import datacontract, jsonschema").Run(); err != nil {
		missing(t, "needs Python with datacontract-cli and jsonschema: run scripts/venv.sh")
		return ""
	}
	return python
}
