package durable

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/headwater-iot/headwater/shared/need"
)

// trace is a Disk that writes down its steps, as "step name" with the name relative to dir.
func trace(dir string) (Disk, *[]string) {
	var steps []string
	return Disk{Step: func(step, path string) error {
		rel, err := filepath.Rel(dir, path)
		steps = append(steps, step+" "+rel)
		return err
	}}, &steps
}

// failing is a Disk whose nth step fails, counted from 0, and those after it too, as after a power cut.
func failing(n int) (Disk, error) {
	cut := errors.New("power cut")
	return Disk{Step: func(string, string) error {
		n--
		if n < 0 {
			return cut
		}
		return nil
	}}, cut
}

func read(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// TestTraces holds the order of steps: a missing fsync shows up as a difference.
func TestTraces(t *testing.T) {
	for _, c := range []struct {
		name string
		act  func(d Disk, dir string) error
		want []string
	}{
		{
			"WriteFile", func(d Disk, dir string) error { return d.WriteFile(dir+"/a", []byte("new"), 0o644) },
			[]string{"create a.tmp", "write a.tmp", "sync a.tmp", "rename a", "sync-dir ."},
		},
		{
			"Rename across directories", func(d Disk, dir string) error { return d.Rename(dir+"/old", dir+"/sub/b") },
			[]string{"rename sub/b", "sync-dir sub", "sync-dir ."},
		},
		{
			"Remove", func(d Disk, dir string) error { return d.Remove(dir + "/old") },
			[]string{"remove old", "sync-dir ."},
		},
		{
			"Remove what is not there", func(d Disk, dir string) error { return d.Remove(dir + "/none") },
			[]string{"remove none", "sync-dir ."},
		},
		{
			"MkdirAll", func(d Disk, dir string) error { return d.MkdirAll(dir+"/x/y", 0o755) },
			[]string{"sync-dir ..", "mkdir x", "sync-dir .", "mkdir x/y", "sync-dir x"},
		},
		{
			"MkdirAll of what is there", func(d Disk, dir string) error { return d.MkdirAll(dir+"/sub", 0o755) },
			[]string{"sync-dir ."},
		},
	} {
		dir := t.TempDir()
		if err := errors.Join(os.WriteFile(dir+"/old", nil, 0o644), os.Mkdir(dir+"/sub", 0o755)); err != nil {
			t.Fatal(err)
		}
		d, steps := trace(dir)
		if err := c.act(d, dir); err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
		if !slices.Equal(*steps, c.want) {
			t.Errorf("%s took the steps %q, want %q", c.name, *steps, c.want)
		}
	}
}

func TestWriteFileFailsAtEveryStep(t *testing.T) {
	for n := 0; ; n++ {
		path := filepath.Join(t.TempDir(), "state")
		if err := (Disk{}).WriteFile(path, []byte("old"), 0o600); err != nil {
			t.Fatal(err)
		}
		d, cut := failing(n)
		err := d.WriteFile(path, []byte("new"), 0o600)
		if err == nil {
			if n != 5 {
				t.Errorf("WriteFile has %d steps, want 5", n)
			}
			break
		}
		if !errors.Is(err, cut) {
			t.Errorf("step %d: %v, want the power cut", n, err)
		}
		// Before the rename the old content stands, after it the new one; never a mixture.
		want := "old"
		if n > 3 {
			want = "new"
		}
		if got := read(t, path); got != want {
			t.Errorf("after a cut at step %d the file has %q, want %q", n, got, want)
		}
		if err := (Disk{}).WriteFile(path, []byte("next"), 0o600); err != nil || read(t, path) != "next" {
			t.Errorf("after a cut at step %d the next write gave %v", n, err)
		}
	}
}

func TestWriteFileLeavesNoTemporaryFile(t *testing.T) {
	dir := t.TempDir()
	d, _ := failing(2)
	if err := d.WriteFile(filepath.Join(dir, "state"), []byte("x"), 0o600); err == nil {
		t.Fatal("the sync did not fail")
	}
	left, err := os.ReadDir(dir)
	if err != nil || len(left) != 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestMkdirAll(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(dir+"/file", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := (Disk{}).MkdirAll(dir+"/a/b/c/", 0o700); err != nil {
		t.Error(err)
	}
	if info, err := os.Stat(dir + "/a/b/c"); err != nil || !info.IsDir() {
		t.Errorf("made %v, %v", info, err)
	}
	if err := (Disk{}).MkdirAll(dir+"/file", 0o700); err == nil || !strings.Contains(err.Error(), "in the way") {
		t.Errorf("on top of a file: %v", err)
	}
	if err := (Disk{}).MkdirAll(dir+"/file/below", 0o700); err == nil {
		t.Error("made a directory below a file")
	}
}

func TestRemoveOfADirectoryInUseFails(t *testing.T) {
	dir := t.TempDir()
	if err := (Disk{}).MkdirAll(dir+"/a/b", 0o700); err != nil {
		t.Fatal(err)
	}
	if err := (Disk{}).Remove(dir + "/a"); err == nil || errors.Is(err, fs.ErrNotExist) {
		t.Errorf("removed a directory that is not empty: %v", err)
	}
}

// lockEnv makes the test binary take a lock and die with it: the path to lock.
const lockEnv = "DURABLE_TEST_LOCK"

func TestMain(m *testing.M) {
	if path := os.Getenv(lockEnv); path != "" {
		if _, err := LockFile(path); err != nil {
			os.Exit(3)
		}
		os.Exit(0) // without Close
	}
	os.Exit(m.Run())
}

func TestLockNamesTheHolder(t *testing.T) {
	path := filepath.Join(t.TempDir(), "LOCK")
	held, err := LockFile(path)
	if err != nil {
		t.Fatal(err)
	}
	_, err = LockFile(path)
	if !errors.Is(err, ErrLocked) || !strings.Contains(err.Error(), " with id "+strconv.Itoa(os.Getpid())) {
		t.Errorf("a second lock: %v, want ErrLocked by this process", err)
	}
	child := need.Self()
	child.Env = append(os.Environ(), lockEnv+"="+path)
	if err := child.Run(); err == nil {
		t.Error("another process got the lock too")
	}
	if err := held.Close(); err != nil {
		t.Error(err)
	}
	again, err := LockFile(path)
	if err != nil {
		t.Fatalf("after Close: %v", err)
	}
	if err := again.Close(); err != nil {
		t.Error(err)
	}
}

func TestLockEndsWithItsProcess(t *testing.T) {
	path := filepath.Join(t.TempDir(), "LOCK")
	child := need.Self()
	child.Env = append(os.Environ(), lockEnv+"="+path)
	if err := child.Run(); err != nil {
		t.Fatalf("the child did not get the lock: %v", err)
	}
	if got := read(t, path); got != strconv.Itoa(child.Process.Pid)+"\n" {
		t.Errorf("the child left %q in the lock file", got)
	}
	lock, err := LockFile(path)
	if err != nil {
		t.Fatalf("the dead child still holds the lock: %v", err)
	}
	if err := lock.Close(); err != nil {
		t.Error(err)
	}
}
