// Package clitest is what scripts that test a command line need beyond
// testscript itself. Only tests import it.
//
// Promise: a script sees the exit status, the output and the effect of signals
// of the real main, in a process of its own.
package clitest

import (
	"bufio"
	"errors"
	"io"
	"os/exec"
	"strconv"
	"strings"
	"syscall"

	"github.com/rogpeppe/go-internal/testscript"
)

// Commands returns the commands that a script gets: status and until.
func Commands() map[string]func(*testscript.TestScript, bool, []string) {
	return map[string]func(*testscript.TestScript, bool, []string){"status": exits, "until": until}
}

// exits runs a program and checks its exit status: status 78 headwater-agent check ...
// Its output is left for stdout and stderr in the files out and err.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: status N program args...")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	err = ts.Exec(args[1], args[2:]...)
	got := 0
	if e, failed := errors.AsType[*exec.ExitError](err); failed {
		got = e.ExitCode()
	} else if err != nil {
		ts.Fatalf("%v", err)
	}
	if got != want {
		ts.Fatalf("exit status %d, want %d", got, want)
	}
}

// until runs a program until a line of its stderr holds a text, sends it signals, and checks its
// exit status: until TEXT SIGNALS STATUS program args... Signals are a comma-separated list of
// TERM and INT.
func until(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 4 {
		ts.Fatalf("usage: until TEXT SIGNALS STATUS program args...")
	}
	want, err := strconv.Atoi(args[2])
	ts.Check(err)
	path, err := exec.LookPath(args[3])
	ts.Check(err)
	cmd := exec.Command(path, args[4:]...)
	cmd.Dir = ts.Getenv("WORK")
	cmd.Env = append(cmd.Environ(), "PATH="+ts.Getenv("PATH"))
	errout, err := cmd.StderrPipe()
	ts.Check(err)
	ts.Check(cmd.Start())
	ts.Defer(func() { _ = cmd.Process.Kill() }) // done already when all went well
	lines, found := bufio.NewScanner(errout), false
	for !found && lines.Scan() {
		ts.Logf("%s", lines.Text())
		found = strings.Contains(lines.Text(), args[0])
	}
	if !found {
		_ = cmd.Wait()
		ts.Fatalf("%s ended without saying %q", args[3], args[0])
	}
	for name := range strings.SplitSeq(args[1], ",") {
		ts.Check(cmd.Process.Signal(map[string]syscall.Signal{"TERM": syscall.SIGTERM, "INT": syscall.SIGINT}[name]))
	}
	rest := new(strings.Builder)
	_, err = io.Copy(rest, errout)
	ts.Check(err)
	ts.Logf("%s%s", lines.Bytes(), rest)
	_ = cmd.Wait() // the status says it
	if got := cmd.ProcessState.ExitCode(); got != want {
		ts.Fatalf("exit status %d, want %d\n%s", got, want, rest)
	}
}
