package durable

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// The steps that a Disk takes, as Step sees them.
const (
	StepCreate  = "create"   // make or empty the temporary file
	StepWrite   = "write"    // fill it
	StepSync    = "sync"     // fsync it
	StepRename  = "rename"   // give it its name
	StepRemove  = "remove"   // unlink a file
	StepMkdir   = "mkdir"    // make one directory
	StepSyncDir = "sync-dir" // fsync the directory that holds a changed name
)

// Disk is the way to the file system. The zero value is the real thing.
type Disk struct {
	// Step, where set, is called before every step with the path it changes. An error stands for the
	// failure of that step.
	Step func(step, path string) error
}

// do takes one step.
func (d Disk) do(step, path string, f func() error) error {
	if d.Step != nil {
		if err := d.Step(step, path); err != nil {
			return fmt.Errorf("%s %s: %w", step, path, err)
		}
	}
	return f()
}

// WriteFile replaces the content of path in one step that survives a power cut. Only one writer may
// be at work on a path: the temporary file beside it is always path + ".tmp".
func (d Disk) WriteFile(path string, data []byte, perm fs.FileMode) error {
	tmp := path + ".tmp"
	if err := d.writeTemp(tmp, data, perm); err != nil {
		return errors.Join(err, removeIfThere(tmp))
	}
	return d.Rename(tmp, path)
}

// writeTemp writes and fsyncs a file that nobody reads yet.
func (d Disk) writeTemp(tmp string, data []byte, perm fs.FileMode) (err error) {
	var f *os.File
	err = d.do(StepCreate, tmp, func() error {
		f, err = os.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, perm)
		return err
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	err = d.do(StepWrite, tmp, func() error {
		_, err := f.Write(data)
		return err
	})
	if err != nil {
		return err
	}
	return d.do(StepSync, tmp, f.Sync)
}

// Rename moves a file whose content is synced already, and syncs the directories it left and entered.
func (d Disk) Rename(from, to string) error {
	if err := d.do(StepRename, to, func() error { return os.Rename(from, to) }); err != nil {
		return err
	}
	if err := d.SyncDir(filepath.Dir(to)); err != nil {
		return err
	}
	if filepath.Dir(from) == filepath.Dir(to) {
		return nil
	}
	return d.SyncDir(filepath.Dir(from))
}

// Remove removes a file for good. A file that is not there is no error.
func (d Disk) Remove(path string) error {
	if err := d.do(StepRemove, path, func() error { return removeIfThere(path) }); err != nil {
		return err
	}
	return d.SyncDir(filepath.Dir(path))
}

func removeIfThere(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// SyncDir makes the names in a directory durable.
func (d Disk) SyncDir(dir string) error {
	return d.do(StepSyncDir, dir, func() (err error) {
		f, err := os.Open(dir)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, f.Close()) }()
		return f.Sync()
	})
}

// MkdirAll makes a directory and the parents it lacks, each durable before the next. The parent of dir
// is synced even if dir exists: an earlier process may have died between making and syncing it.
func (d Disk) MkdirAll(dir string, perm fs.FileMode) error {
	dir = filepath.Clean(dir)
	parent := filepath.Dir(dir)
	info, err := os.Stat(dir)
	switch {
	case err == nil && !info.IsDir():
		return fmt.Errorf("make directory %s: a file is in the way", dir)
	case err == nil:
		return d.SyncDir(parent)
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	if err := d.MkdirAll(parent, perm); err != nil {
		return err
	}
	err = d.do(StepMkdir, dir, func() error { return os.Mkdir(dir, perm) })
	if err != nil && !errors.Is(err, fs.ErrExist) { // somebody else may have made it meanwhile
		return err
	}
	return d.SyncDir(parent)
}
