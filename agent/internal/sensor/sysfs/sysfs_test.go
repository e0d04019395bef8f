package sysfs

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"
)

func write(t *testing.T, root, path, text string) {
	t.Helper()
	path = filepath.Join(root, path)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestTextDoesNotWait(t *testing.T) {
	root := t.TempDir()
	pipe := filepath.Join(root, "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Skipf("no named pipes here: %v", err)
	}
	if _, err := Tree(root).Text("pipe"); !errors.Is(err, ErrEmpty) {
		t.Errorf("nobody writes: %v", err)
	}
	w, err := os.OpenFile(pipe, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	if _, err := Tree(root).Text("pipe"); !errors.Is(err, ErrNoWait) {
		t.Errorf("somebody may write some day: %v", err)
	}
}

func TestTextSaysWhatIsWrong(t *testing.T) {
	root := t.TempDir()
	write(t, root, "good", " 42\n")
	write(t, root, "long", strings.Repeat("7", 10_000))
	write(t, root, "endless", strings.Repeat("7", maxText+1))
	write(t, root, "empty", "\n")
	tree := Tree(root)
	if v, err := tree.Int("good"); v != 42 || err != nil {
		t.Errorf("%d, %v", v, err)
	}
	if text, err := tree.Text("long"); len(text) != 10_000 || err != nil {
		t.Errorf("%d bytes, %v", len(text), err)
	}
	for path, want := range map[string]error{
		"empty": ErrEmpty, "endless": ErrTooLong, "none": fs.ErrNotExist, ".": syscall.EISDIR, "long": strconv.ErrRange,
	} {
		if _, err := tree.Int(path); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", path, err, want)
		}
	}
	if tree.Has("none") || !tree.Has("good") {
		t.Error("Has does not look")
	}
}

func TestGlobCountsAsPeopleDo(t *testing.T) {
	root := filepath.Join(t.TempDir(), "a[b]*c") // a root is no pattern
	for _, name := range []string{"t10/x", "t9/x10", "t9/x9", "t0/x", "u/x"} {
		write(t, root, name, "1")
	}
	want := []string{"t0/x", "t9/x9", "t9/x10", "t10/x"}
	if diff := cmp.Diff(want, Tree(root).Glob("t*/x*")); diff != "" {
		t.Error(diff)
	}
	names := []string{"", "a", "a0", "a00", "a1", "a01x", "a2", "a10", "b", "10", "9"}
	for _, a := range names {
		for _, b := range names {
			if Natural(a, b) != -Natural(b, a) {
				t.Errorf("%q and %q have two orders", a, b)
			}
		}
	}
	slices.SortFunc(names, Natural)
	if got := strings.Join(names, " "); got != " 9 10 a a0 a00 a1 a01x a2 a10 b" {
		t.Errorf("%q", got)
	}
}

func TestPlainNames(t *testing.T) {
	for name, want := range map[string]string{
		"CPU Thermal": "cpu_thermal", "--a..b--": "a_b", "wlan0.1": "wlan0_1", "°C": "c", "": "",
	} {
		if got := Plain(name); got != want {
			t.Errorf("%q: %q", name, got)
		}
	}
}

func TestSoonGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hung := make(chan struct{})
		defer close(hung)
		if _, err := Soon(func() (int, error) { <-hung; return 1, nil }); !errors.Is(err, ErrHangs) {
			t.Errorf("it waited: %v", err)
		}
		if v, err := Soon(func() (int, error) { return 1, fs.ErrInvalid }); v != 1 || !errors.Is(err, fs.ErrInvalid) {
			t.Errorf("%d, %v", v, err)
		}
	})
}

func TestCheckRoot(t *testing.T) {
	problems := 0
	for _, root := range []string{"", "/host", "host"} {
		CheckRoot(root, func(string, string, ...any) { problems++ })
	}
	if problems != 1 {
		t.Errorf("%d problems", problems)
	}
}
