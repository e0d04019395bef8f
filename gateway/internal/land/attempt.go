package land

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"

	"github.com/headwater-iot/headwater/shared/wire"
)

// maxAttempts is the attempt at which a record is no longer opened.
const maxAttempts = 3

const (
	attemptFile = "trying"
	attemptSize = 96 // a fixed size, so that one write replaces the whole note
)

// Attempts notes which record is being opened, so that one that takes the process down (out of memory, a fault in
// the runtime) is opened twice at most.
//
// The file stands while the process lives and is removed by Close. A start that finds it is careful: records are
// opened one at a time, each noted in the file while it is open, until Calm. A record found noted with n attempts is
// on attempt n+1; the third is not opened. A kill that hits a healthy record inside its few microseconds costs one
// attempt, and the note is gone once the record is open, so chance does not add up.
// No fsync: the note has to outlive the process, not the machine.
type Attempts struct {
	logger  *slog.Logger
	path    string
	f       *os.File
	careful atomic.Bool

	mu   sync.Mutex // serialises careful attempts; guards last and f
	last note       // what an earlier run died on, if it was noted
}

type note struct {
	log       string
	partition int
	offset    uint64
	n         int
}

// OpenAttempts begins to note attempts in dir.
func OpenAttempts(dir string, logger *slog.Logger) (*Attempts, error) {
	a := &Attempts{logger: logger, path: filepath.Join(dir, attemptFile)}
	old, err := os.ReadFile(a.path)
	switch {
	case err == nil:
		a.careful.Store(true)
		a.last = readNote(old)
		logger.Info("the last run did not stop in peace; records are opened one at a time until the first commit",
			"noted", a.last.n > 0, "partition", a.last.partition, "offset", a.last.offset, "attempts", a.last.n)
	case !errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("read attempts: %w", err)
	}
	if a.f, err = os.OpenFile(a.path, os.O_RDWR|os.O_CREATE, 0o600); err != nil {
		return nil, fmt.Errorf("note attempts: %w (the state directory must be writable)", err)
	}
	return a, nil
}

// readNote reads a note; anything else is no note, because a wrong one must not cost a record its opening.
func readNote(b []byte) note {
	var n note
	_, err := fmt.Sscanf(string(bytes.TrimRight(b, " \n")), "trying %s %d %d %d", &n.log, &n.partition, &n.offset, &n.n)
	if err != nil {
		return note{}
	}
	return n
}

// try calls open with the number of this attempt.
func (a *Attempts) try(log wire.ID, partition int, offset uint64, open func(n int)) {
	if !a.careful.Load() {
		open(1)
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	now := note{log: log.String(), partition: partition, offset: offset, n: 1}
	if a.last.log == now.log && a.last.partition == partition && a.last.offset == offset {
		now.n = a.last.n + 1
	}
	a.write(fmt.Sprintf("trying %s %d %d %d", now.log, now.partition, now.offset, now.n))
	open(now.n)
	a.write("")
}

func (a *Attempts) write(text string) {
	if a.f == nil {
		return
	}
	if _, err := a.f.WriteAt(fmt.Appendf(nil, "%-*s\n", attemptSize-1, text), 0); err != nil {
		a.logger.Warn("an attempt could not be noted; landing goes on", "path", a.path, "error", err)
	}
}

// Calm ends the careful opening: what an earlier run died on has landed.
func (a *Attempts) Calm() { a.careful.Store(false) }

// Close removes the file: this run stops in peace. It may be called twice.
func (a *Attempts) Close() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.f == nil {
		return nil
	}
	err := errors.Join(a.f.Close(), os.Remove(a.path))
	a.f = nil
	if err != nil {
		return fmt.Errorf("stop noting attempts: %w", err)
	}
	return nil
}
