package fileio

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	iceio "github.com/apache/iceberg-go/io"
)

// bufferBytes gathers the many small writes of a Parquet file (page headers) into few system calls.
const bufferBytes = 256 << 10

// Op is one operation on the disk, as Fault sees it.
type Op string

// The operations.
const (
	OpMkdir   Op = "mkdir"
	OpCreate  Op = "create"
	OpWrite   Op = "write"
	OpSync    Op = "sync"
	OpSyncDir Op = "sync directory"
	OpRemove  Op = "remove"
)

// Local is the local file system with fsync. The zero value is ready.
type Local struct {
	iceio.LocalFS

	// Fault is called before every operation that changes the disk; an error is returned in its place. Tests only.
	Fault func(op Op, path string) error
	// Made is told of every file that is made, before anything is in it, from any goroutine. nil = nobody asks.
	Made func(path string)
}

// Location returns the file:// location of a local path, which must be absolute.
func Location(path string) string {
	return (&url.URL{Scheme: "file", Path: filepath.ToSlash(path)}).String()
}

// Path returns the local path that a location names.
func Path(location string) (string, error) {
	if !strings.HasPrefix(location, "file:") {
		return location, nil
	}
	u, err := url.Parse(location)
	if err != nil {
		return "", fmt.Errorf("location %q: %w", location, err)
	}
	if u.Host != "" && u.Host != "localhost" {
		return "", fmt.Errorf("location %q is on another host", location)
	}
	return filepath.FromSlash(u.Path), nil
}

// Create makes a new file. It is durable when the writer's Close returns nil.
func (l Local) Create(name string) (iceio.FileWriter, error) {
	path, err := Path(name)
	if err != nil {
		return nil, err
	}
	if err := l.mkdirs(filepath.Dir(path)); err != nil {
		return nil, err
	}
	if err := l.fault(OpCreate, path); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return nil, err
	}
	if l.Made != nil {
		l.Made(path)
	}
	w := &writer{fs: l, file: f, path: path}
	w.buf = bufio.NewWriterSize(faultWriter{w}, bufferBytes)
	return w, nil
}

// WriteFile makes a new file of content, durable when it returns nil.
func (l Local) WriteFile(name string, content []byte) error {
	w, err := l.Create(name)
	if err != nil {
		return err
	}
	_, err = w.Write(content)
	return errors.Join(err, w.Close())
}

// Remove removes a file. That it is gone need not survive a power cut: the list of files to remove does.
func (l Local) Remove(name string) error {
	path, err := Path(name)
	if err != nil {
		return err
	}
	if err := l.fault(OpRemove, path); err != nil {
		return err
	}
	return os.Remove(path)
}

// mkdirs makes dir and its parents, and syncs the parent of each one it made.
func (l Local) mkdirs(dir string) error {
	if info, err := os.Stat(dir); err == nil {
		if !info.IsDir() {
			return &fs.PathError{Op: "mkdir", Path: dir, Err: errors.New("is not a directory")}
		}
		return nil
	}
	parent := filepath.Dir(dir)
	if parent != dir {
		if err := l.mkdirs(parent); err != nil {
			return err
		}
	}
	if err := l.fault(OpMkdir, dir); err != nil {
		return err
	}
	if err := os.Mkdir(dir, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return l.syncDir(parent)
}

func (l Local) syncDir(dir string) error {
	if err := l.fault(OpSyncDir, dir); err != nil {
		return err
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

func (l Local) fault(op Op, path string) error {
	if l.Fault == nil {
		return nil
	}
	if err := l.Fault(op, path); err != nil {
		return fmt.Errorf("%s %s: %w", op, path, err)
	}
	return nil
}

// Recorder notes which files were created through it.
type Recorder struct {
	Local

	mu      sync.Mutex
	created []string // under mu: manifests are written from several goroutines
}

// Create makes a new file and notes its name.
func (r *Recorder) Create(name string) (iceio.FileWriter, error) {
	r.mu.Lock()
	r.created = append(r.created, name)
	r.mu.Unlock()
	return r.Local.Create(name)
}

// WriteFile makes a new file of content and notes its name.
func (r *Recorder) WriteFile(name string, content []byte) error {
	r.mu.Lock()
	r.created = append(r.created, name)
	r.mu.Unlock()
	return r.Local.WriteFile(name, content)
}

// Created returns the names of the files so far.
func (r *Recorder) Created() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.created)
}

// writer is a file that becomes durable at Close.
type writer struct {
	fs     Local
	file   *os.File
	buf    *bufio.Writer
	path   string
	err    error // first error of a write: a file with a hole must not be declared durable
	closed bool
}

func (w *writer) Write(p []byte) (int, error) {
	n, err := w.buf.Write(p)
	return n, w.keep(err)
}

func (w *writer) ReadFrom(r io.Reader) (int64, error) {
	n, err := w.buf.ReadFrom(r)
	return n, w.keep(err)
}

func (w *writer) keep(err error) error {
	if w.err == nil {
		w.err = err
	}
	return err
}

// Close flushes, syncs the file, closes it and syncs its directory. After a failed write it fails with that error.
func (w *writer) Close() error {
	if w.closed {
		return w.err
	}
	w.closed = true
	w.keep(w.buf.Flush())
	if w.err == nil {
		w.keep(w.fs.fault(OpSync, w.path))
	}
	if w.err == nil {
		w.keep(w.file.Sync())
	}
	w.keep(w.file.Close())
	if w.err == nil {
		w.keep(w.fs.syncDir(filepath.Dir(w.path)))
	}
	return w.err
}

// faultWriter is the file as the buffer sees it: the place where a write can be made to fail.
type faultWriter struct{ w *writer }

func (f faultWriter) Write(p []byte) (int, error) {
	if err := f.w.fs.fault(OpWrite, f.w.path); err != nil {
		return 0, err
	}
	return f.w.file.Write(p)
}
