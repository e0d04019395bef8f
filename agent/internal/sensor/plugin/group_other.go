//go:build !unix

package plugin

import "os/exec"

// group does nothing where there are no process groups: the process alone is ended.
func group(*exec.Cmd, bool) {}

func kill(*exec.Cmd) {}
