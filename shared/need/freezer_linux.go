package need

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
)

// Requests of linux/fs.h, as everywhere but on mips and powerpc.
const (
	fiFreeze = 0xC0045877
	fiThaw   = 0xC0045878
)

// Freezer mounts a file system of its own that can be frozen: every write to it then hangs until it is thawed, as on a
// card that has died. The test ends where the machine cannot do that.
func Freezer(t testing.TB) (dir string, freeze, thaw func()) {
	t.Helper()
	Root(t)
	Tool(t, "fsfreeze", "apt-get install util-linux")
	mkfs, mount := Tool(t, "mkfs.ext4", "apt-get install e2fsprogs"), Tool(t, "mount", "apt-get install mount")
	image, dir := filepath.Join(t.TempDir(), "card"), t.TempDir()
	if err := errors.Join(os.WriteFile(image, nil, 0o600), os.Truncate(image, 64<<20)); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(mkfs, "-q", image).CombinedOutput(); err != nil {
		t.Fatalf("make a file system: %v: %s", err, out)
	}
	if out, err := exec.Command(mount, "-o", "loop", image, dir).CombinedOutput(); err != nil {
		t.Skipf("this machine does not mount an image: %v: %s", err, out)
	}
	t.Cleanup(func() { _ = exec.Command("umount", dir).Run() })
	request := func(what uintptr) error {
		f, err := os.Open(dir)
		if err != nil {
			return err
		}
		defer func() { _ = f.Close() }() // nothing was written
		if _, _, errno := syscall.Syscall(syscall.SYS_IOCTL, f.Fd(), what, 0); errno != 0 {
			return errno
		}
		return nil
	}
	thaw = func() { _ = request(fiThaw) } // fails where it is not frozen
	t.Cleanup(thaw)                       // frozen, it could not be unmounted
	return dir, func() {
		// A test that is cut off cannot die while one of its threads waits for this disk: somebody else thaws it then.
		rescue := exec.Command("sh", "-c", `sleep 60; exec fsfreeze --unfreeze "$0"`, dir)
		rescue.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
		if err := rescue.Start(); err != nil {
			t.Fatalf("prepare to thaw %s: %v", dir, err)
		}
		t.Cleanup(func() {
			_ = syscall.Kill(-rescue.Process.Pid, syscall.SIGKILL)
			_ = rescue.Wait()
		})
		if err := request(fiFreeze); err != nil {
			t.Fatalf("freeze %s: %v", dir, err)
		}
	}, thaw
}
