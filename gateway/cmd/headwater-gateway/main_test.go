package main

import (
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/headwater-iot/headwater/shared/cli/clitest"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"headwater-gateway": main})
}

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{Dir: "testdata", Cmds: clitest.Commands()})
}
