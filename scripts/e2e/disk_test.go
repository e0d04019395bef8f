package e2e

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/headwater-iot/headwater/shared/need"
)

// mount gives a directory a small file system of its own until the test is over.
func mount(t *testing.T, dir string, args ...string) {
	t.Helper()
	need.Mount(t)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	command(t, "mount", append(args, dir)...)
	t.Cleanup(func() { _ = exec.Command("umount", "-l", dir).Run() }) // the test may have unmounted it
}

// tmpfs is a disk of so many MiB that fills as fast as memory.
func tmpfs(t *testing.T, dir string, mib int) {
	t.Helper()
	mount(t, dir, "-t", "tmpfs", "-o", fmt.Sprintf("size=%dm", mib), "tmpfs")
}

// ext4 is a real disk in a file, which goes read-only when it is told of an error. It returns its device.
func ext4(t *testing.T, dir string, mib int) string {
	t.Helper()
	need.Loop(t)
	mkfs := need.Tool(t, "mkfs.ext4", "apt-get install e2fsprogs")
	image := filepath.Join(t.TempDir(), "disk")
	command(t, "truncate", "-s", fmt.Sprintf("%dM", mib), image)
	command(t, mkfs, "-q", "-F", image)
	loop := command(t, "losetup", "-f", "--show", image)
	t.Cleanup(func() { _ = exec.Command("losetup", "-d", loop).Run() })
	mount(t, dir, "-t", "ext4", "-o", "errors=remount-ro", loop)
	return loop
}

func command(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(string(out))
}

// free returns the free and all bytes of the file system of dir.
func free(t *testing.T, dir string) (free, total int64) {
	t.Helper()
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		t.Fatal(err)
	}
	return int64(st.Bavail) * st.Bsize, int64(st.Blocks) * st.Bsize
}

// ballast fills a file system with a file of somebody else until so many bytes are free, and returns the file.
func ballast(t *testing.T, dir string, leave int64) string {
	t.Helper()
	path := filepath.Join(dir, "ballast")
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	chunk := make([]byte, 4<<10)
	for n, _ := free(t, dir); n > leave+int64(len(chunk)); n, _ = free(t, dir) {
		if _, err := f.Write(chunk); err != nil {
			break // full to the last byte, or taken by the gateway meanwhile
		}
	}
	return path
}

// configure gives the gateway a configuration file.
func (g *gateway) configure(text string) {
	g.t.Helper()
	g.config = filepath.Join(g.t.TempDir(), "gateway.yaml")
	if err := os.WriteFile(g.config, []byte("mqtt: {listen: \""+g.mqtt+"\"}\n"+text), 0o644); err != nil {
		g.t.Fatal(err)
	}
}

// labelled returns one sample of a metric, such as name{reason="x"}; 0 where there is none.
func labelled(addr, sample string) float64 {
	client := http.Client{Timeout: 5 * time.Second}
	resp, err := client.Get("http://" + addr + "/metrics")
	if err != nil {
		return 0
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(body)) {
		var v float64
		if rest, ok := strings.CutPrefix(line, sample+" "); ok {
			if _, err := fmt.Sscan(rest, &v); err == nil {
				return v
			}
		}
	}
	return 0
}
