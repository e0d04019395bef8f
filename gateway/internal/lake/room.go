package lake

import (
	"errors"
	"fmt"
	"slices"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/headwater-iot/headwater/gateway/internal/disk"
	"github.com/headwater-iot/headwater/shared/health"
)

func fullCondition() *health.Condition {
	return &health.Condition{Code: "lake-full", Title: "The lake's disk is full: readings wait in the log", Severity: health.Error}
}

// room refuses what brings rows at the reserve. Maintenance does not ask: expiry, and the merging that goes before it,
// may use the reserve to make room; so may a takeover, which is a few kilobytes at a start.
func (l *Lake) room() error {
	if l.cfg.ReservePercent == 0 {
		return nil
	}
	r, err := disk.ReserveOf(l.cfg.Dir, l.cfg.ReservePercent, l.space)
	if err != nil || r.Missing == 0 {
		return nil //nolint:nilerr // a file system that does not say has no reserve; a write will tell
	}
	return fmt.Errorf("%w: %s", ErrFull, r)
}

// attempted settles an attempt to bring rows: health says whether the disk had room, and files that did not become
// part of anything for want of it are given back. The next attempt would otherwise find less room than this one.
func (l *Lake) attempted(err error) error {
	if errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT) {
		err = fmt.Errorf("%w: %w", ErrFull, err)
		for _, name := range l.made.take() {
			if rerr := l.cfg.FS.Remove(name); rerr != nil {
				l.cfg.Logger.Warn("a file of a commit that found no room was not deleted; nobody names it", "file", name, "error", rerr)
			}
		}
		if r, serr := disk.ReserveOf(l.cfg.Dir, l.cfg.ReservePercent, l.space); serr == nil {
			err = fmt.Errorf("%w; %s", err, r)
		}
	}
	switch {
	case errors.Is(err, ErrFull):
		l.full.Store(true)
		l.cfg.Health.Raise(l.alarm, err.Error())
	case err == nil:
		l.full.Store(false)
		l.cfg.Health.Clear(l.alarm)
	}
	return err
}

// Full reports whether the last commit found no room.
func (l *Lake) Full() bool { return l.full.Load() }

// made is the list of files that were made and that no transaction can know yet.
type made struct {
	mu    sync.Mutex // manifests are written from several goroutines
	files []string
}

func (m *made) note(path string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.files = append(m.files, path)
}

// take empties the list.
func (m *made) take() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	files := slices.Clone(m.files)
	m.files = nil
	return files
}
