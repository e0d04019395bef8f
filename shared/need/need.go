package need

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// Environment variables that steer what tests do about missing things.
const (
	NoSkipEnv   = "HEADWATER_NO_SKIP"  // "1": fail where a test would be skipped
	DataEnv     = "HEADWATER_DATA"     // the folder of real series
	PythonEnv   = "HEADWATER_PYTHON"   // the Python interpreter with the readers
	EmulatorEnv = "HEADWATER_EMULATOR" // what runs the test binary, such as qemu-arm; "" = this machine itself
)

// Tool returns the path of a program, or ends the test with how to install it.
func Tool(t testing.TB, name, install string) string {
	t.Helper()
	// System services live in sbin, which is not in every user's PATH.
	for _, candidate := range []string{name, "/usr/sbin/" + name, "/sbin/" + name} {
		if path, err := exec.LookPath(candidate); err == nil {
			return path
		}
	}
	missing(t, "needs "+name+", which is not installed: "+install)
	return ""
}

// Root ends the test unless it runs as root.
func Root(t testing.TB) {
	t.Helper()
	if os.Geteuid() != 0 {
		missing(t, "needs root: run it with sudo")
	}
}

// Self returns a command that runs this test binary once more, emulated if it is emulated itself.
func Self(args ...string) *exec.Cmd {
	if emulator := os.Getenv(EmulatorEnv); emulator != "" {
		return exec.Command(emulator, append([]string{os.Args[0]}, args...)...)
	}
	return exec.Command(os.Args[0], args...)
}

// Mount ends the test unless it may mount file systems: root of a container often may not.
func Mount(t testing.TB) {
	t.Helper()
	Root(t)
	dir := t.TempDir()
	if err := exec.Command("mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", dir).Run(); err != nil {
		missing(t, "needs to mount file systems: run it on a machine, or in a privileged container")
		return
	}
	_ = exec.Command("umount", dir).Run() // what stays is 1 MiB of nothing
}

// Loop ends the test unless there are loop devices, for file systems in a file.
func Loop(t testing.TB) {
	t.Helper()
	Mount(t)
	if err := exec.Command("losetup", "-f").Run(); err != nil {
		missing(t, "needs a loop device: modprobe loop, or a privileged container with /dev/loop-control")
	}
}

// Python returns an interpreter that has the packages of scripts/requirements.txt.
func Python(t testing.TB) string {
	t.Helper()
	path := os.Getenv(PythonEnv)
	if path == "" {
		path = filepath.Join(Repo(t), ".venv", "bin", "python")
	}
	if err := exec.Command(path, "-c", "import duckdb, pyarrow, pyiceberg").Run(); err != nil {
		missing(t, "needs Python with pyiceberg, pyarrow and duckdb: run scripts/venv.sh")
		return ""
	}
	return path
}

// Data returns the folder of real series, or skips the test: the data is not part of the repository.
func Data(t testing.TB) string {
	t.Helper()
	dir := os.Getenv(DataEnv)
	if dir == "" {
		dir = filepath.Join(Repo(t), "..", "shared", "data")
	}
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		t.Skipf("needs real data, and %s is not there: set %s", dir, DataEnv)
	}
	return dir
}

// Repo returns the root of the repository: the nearest folder above the test that has the module's go.mod.
func Repo(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			t.Fatal("find the repository: no go.mod above the test")
		}
		dir = parent
	}
}

// missing ends the test.
func missing(t testing.TB, reason string) {
	t.Helper()
	if os.Getenv(NoSkipEnv) == "1" {
		t.Fatal(reason)
		return // only a test's fake comes here
	}
	t.Skip(reason)
}
