package fileio

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

func TestSyncOrder(t *testing.T) {
	root := t.TempDir()
	var got []string
	l := Local{Fault: func(op Op, path string) error {
		rel, _ := filepath.Rel(root, path)
		got = append(got, string(op)+" "+rel)
		return nil
	}}
	if err := l.WriteFile(Location(filepath.Join(root, "a/b/c.txt")), []byte("x")); err != nil {
		t.Fatal(err)
	}
	want := []string{
		"mkdir a", "sync directory .", "mkdir a/b", "sync directory a",
		"create a/b/c.txt", "write a/b/c.txt", "sync a/b/c.txt", "sync directory a/b",
	}
	if !slices.Equal(got, want) {
		t.Errorf("operations\n got %q\nwant %q", got, want)
	}
}

func TestCreateRefusesExisting(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	if err := (Local{}).WriteFile(path, []byte("live")); err != nil {
		t.Fatal(err)
	}
	if err := (Local{}).WriteFile(path, []byte("other")); !errors.Is(err, fs.ErrExist) {
		t.Errorf("second WriteFile: %v, want ErrExist", err)
	}
	if b, _ := os.ReadFile(path); string(b) != "live" {
		t.Errorf("file holds %q", b)
	}
}

// TestFaults fails each operation of a write in turn: the write must fail, with that error.
func TestFaults(t *testing.T) {
	injected := errors.New("injected")
	for fail := 0; ; fail++ {
		n := 0
		l := Local{Fault: func(Op, string) error {
			n++
			if n == fail+1 {
				return injected
			}
			return nil
		}}
		err := l.WriteFile(filepath.Join(t.TempDir(), "d/f"), []byte("x"))
		if n <= fail {
			if err != nil {
				t.Fatal(err)
			}
			if fail < 6 {
				t.Fatalf("only %d operations", fail)
			}
			return
		}
		if !errors.Is(err, injected) {
			t.Errorf("operation %d failed, the write said %v", fail, err)
		}
	}
}

func TestPath(t *testing.T) {
	for _, path := range []string{"/a/b", "/a b/ü#?%20"} {
		if got, err := Path(Location(path)); err != nil || got != path {
			t.Errorf("Path(Location(%q)) = %q, %v", path, got, err)
		}
	}
	if _, err := Path("file://elsewhere/a"); err == nil {
		t.Error("a location on another host was accepted")
	}
}
