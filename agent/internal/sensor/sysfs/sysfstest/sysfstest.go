// Package sysfstest makes the trees of files that readers of the kernel's files are tested on.
//
// A tree is an archive in testdata: names of the kernel have colons, which no file of a Go module may have. Unpack
// promises that what the archive names is there; TestGolden of packages iio and power rests on it. Nothing can be lost
// here.
package sysfstest

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"
)

// Unpack makes the tree of testdata/NAME.txtar in a folder of the test. It returns its root, and the file "golden" of
// the archive: what a reader of the tree must give.
func Unpack(t testing.TB, name string) (root, golden string) {
	t.Helper()
	archive, err := txtar.ParseFile(filepath.Join("testdata", name+".txtar"))
	if err != nil {
		t.Fatal(err)
	}
	root = t.TempDir()
	for _, f := range archive.Files {
		if f.Name == "golden" {
			golden = string(f.Data)
			continue
		}
		Write(t, root, f.Name, string(f.Data))
	}
	return root, golden
}

// Write makes a file of a tree, and the folders above it.
func Write(t testing.TB, root, path, text string) {
	t.Helper()
	path = filepath.Join(root, path)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
