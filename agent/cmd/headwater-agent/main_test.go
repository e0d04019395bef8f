package main

import (
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/headwater-iot/headwater/shared/cli/clitest"
	"github.com/headwater-iot/headwater/shared/need"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){program: main})
}

func TestScripts(t *testing.T) {
	configs := filepath.Join(need.Repo(t), "configs")
	testscript.Run(t, testscript.Params{
		Dir: "testdata",
		Setup: func(e *testscript.Env) error {
			e.Setenv("CONFIGS", configs)
			return nil
		},
		Cmds: clitest.Commands(),
	})
}
