//go:build chaos

package log

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

const (
	shutdownRequest = 0x8004587d // FS_IOC_SHUTDOWN
	noLogFlush      = 2          // what is not on the disk is gone, the journal too
	cuts            = 15
)

// TestChaosPowerCut cuts the power of a file system under a process that appends. It needs root and loop devices.
func TestChaosPowerCut(t *testing.T) {
	total, missing := cutPower(t)
	if missing > 0 {
		t.Errorf("%d of %d acknowledged records are lost", missing, total)
	}
	t.Logf("%d power cuts, %d records acknowledged, %d lost", cuts, total, missing)
}

// TestChaosPowerCutSeesLoss is the negative control: without fsync the same cuts lose records.
func TestChaosPowerCutSeesLoss(t *testing.T) {
	total, missing := cutPower(t, childNoSync+"=1")
	if missing == 0 {
		t.Errorf("without fsync none of %d records was lost: the test could not see a loss", total)
	}
	t.Logf("without fsync: %d power cuts, %d records acknowledged, %d lost", cuts, total, missing)
}

// cutPower returns how many records were acknowledged, and how many of them were gone after their power cut. Every cut
// has a log of its own.
func cutPower(t *testing.T, env ...string) (total, missing int) {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("needs root for loop devices")
	}
	dir := t.TempDir()
	image, mount := filepath.Join(dir, "disk"), filepath.Join(dir, "mount")
	if err := os.Mkdir(mount, 0o755); err != nil {
		t.Fatal(err)
	}
	command(t, "truncate", "-s", "64M", image)
	command(t, "mkfs.ext4", "-q", "-F", image)
	loop := command(t, "losetup", "-f", "--show", image)
	t.Cleanup(func() { command(t, "losetup", "-d", loop) })
	t.Cleanup(func() { _ = exec.Command("umount", mount).Run() }) // a test that failed half way has left it mounted
	for i := range cuts {
		command(t, "mount", "-t", "ext4", loop, mount)
		at := filepath.Join(mount, fmt.Sprint("log", i))
		// Only what was heard before the cut counts. The kernel reports success for an fsync that it aborts in this way:
		// a bare loop of write and fdatasync loses its last record too, in one cut of nine, and nothing that came before.
		said, _ := child(t, at, 40+20*i, env...)(func() { shutdown(t, mount) })
		command(t, "umount", mount)
		command(t, "mount", "-t", "ext4", loop, mount)
		total += len(said)
		if l, err := tryOpen(at); err == nil {
			missing += lost(t, l, said)
			l.Close()
		} else {
			t.Logf("cut %d: %v", i, err)
			missing += len(said)
		}
		command(t, "umount", mount)
	}
	return total, missing
}

// shutdown takes the disk away at once.
func shutdown(t *testing.T, mount string) {
	t.Helper()
	f, err := os.Open(mount)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := unix.IoctlSetPointerInt(int(f.Fd()), shutdownRequest, noLogFlush); err != nil {
		t.Fatalf("shut the file system down: %v", err)
	}
}

func command(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(string(out))
}
