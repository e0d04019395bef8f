//go:build unix

package plugin

import (
	"os/exec"
	"syscall"
)

// group makes the process the first of a group of its own, and the end of its context the end of the group.
func group(cmd *exec.Cmd, gentle bool) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	end := syscall.SIGKILL
	if gentle {
		end = syscall.SIGTERM
	}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, end) }
}

// kill ends whatever is left of the group. Its number is not given away while anybody is in it, and when nobody is,
// not before all others were: it comes too soon after the end of the first to meet another group.
func kill(cmd *exec.Cmd) { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
