package volatile

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/headwater-iot/headwater/shared/need"
)

// mountOn mounts a file system for a test, or skips where the kernel refuses.
func mountOn(t *testing.T, kind, dir, options string) {
	t.Helper()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount(kind, dir, kind, 0, options); err != nil {
		t.Skipf("this machine does not mount %s: %v", kind, err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(dir, syscall.MNT_DETACH) })
}

func TestRealMounts(t *testing.T) {
	need.Root(t)
	root := t.TempDir()
	if why(root) != "" {
		t.Skipf("the temporary directory is in memory itself: %s", why(root))
	}
	says := func(dir string, parts ...string) {
		t.Helper()
		got := Why(dir)
		for _, part := range parts {
			if !strings.Contains(got, part) {
				t.Errorf("%s: %q, want %q in it", dir, got, parts)
			}
		}
		if len(parts) == 0 && got != "" {
			t.Errorf("%s: %q, want nothing", dir, got)
		}
	}
	says(filepath.Join(root, "not", "there", "yet"))
	for _, kind := range []string{"tmpfs", "ramfs"} {
		t.Run(kind, func(t *testing.T) {
			dir := filepath.Join(root, "a "+kind)
			mountOn(t, kind, dir, "")
			says(filepath.Join(dir, "not", "there", "yet"), dir+" is a "+kind)
			// As OpenWrt's /var, a link to /tmp.
			link := filepath.Join(root, kind+"-link")
			if err := os.Symlink(dir, link); err != nil {
				t.Fatal(err)
			}
			says(filepath.Join(link, "data"), dir+" is a "+kind)
			if !Tmpfs(dir) || Tmpfs(root) {
				t.Error("Tmpfs does not tell memory from disk")
			}
		})
	}
	for _, c := range []struct {
		name  string
		parts []string
	}{{"memory", []string{"is an overlay", "is a tmpfs"}}, {"disk", nil}} {
		t.Run("overlay on "+c.name, func(t *testing.T) {
			layers := filepath.Join(root, "layers, "+c.name)
			if c.name == "memory" {
				mountOn(t, "tmpfs", layers, "")
			}
			var options []string
			for _, layer := range []string{"lower", "upper", "work"} {
				dir := filepath.Join(layers, layer)
				if err := os.MkdirAll(dir, 0o755); err != nil {
					t.Fatal(err)
				}
				options = append(options, layer+"dir="+strings.ReplaceAll(dir, ",", `\,`))
			}
			dir := filepath.Join(root, "overlay-"+c.name)
			mountOn(t, "overlay", dir, strings.Join(options, ","))
			says(filepath.Join(dir, "data"), c.parts...)
		})
	}
}

// TestHiddenMount: a mount above another hides it; by the longest path the wrong one would be found.
func TestHiddenMount(t *testing.T) {
	need.Root(t)
	root := t.TempDir()
	inner := filepath.Join(root, "outer", "inner")
	mountOn(t, "tmpfs", inner, "")
	hider := t.TempDir()
	if err := os.Mkdir(filepath.Join(hider, "inner"), 0o755); err != nil {
		t.Fatal(err)
	}
	if Why(hider) != "" {
		t.Skip("the temporary directory is in memory itself")
	}
	if err := syscall.Mount(hider, filepath.Dir(inner), "", syscall.MS_BIND, ""); err != nil {
		t.Skipf("this machine does not bind: %v", err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(filepath.Dir(inner), syscall.MNT_DETACH) })
	if got := Why(inner); got != "" {
		t.Errorf("a hidden mount was taken: %s", got)
	}
}
