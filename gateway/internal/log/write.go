package log

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"

	"github.com/headwater-iot/headwater/gateway/internal/disk"
	"github.com/headwater-iot/headwater/shared/durable"
)

// Steps beyond those of durable.Disk, as its Step sees them.
const (
	stepAppend   = "append"   // write a group of records behind the tail
	stepTruncate = "truncate" // take a group back that did not fit, or is in doubt
)

// maxGroup bounds a group, and so the writer's memory: beyond it, fewer fsyncs gain nothing.
const maxGroup = 8 << 20

// writer is the state of the goroutine that writes; nobody else touches it.
type writer struct {
	file *os.File
	buf  []byte
	last int64 // received time of the last record
	bare bool  // the segment holds no record yet: it has to begin with the start counter, which trimming must not lose
}

// write is the one goroutine that touches the tail: it takes all that waits, writes it, syncs it once, and tells.
func (l *Log) write() {
	defer close(l.done)
	for open := true; open; {
		select {
		case <-l.wake:
		case <-l.quit:
			open = false // nothing joins the queue any more; what is in it goes out
		}
		l.cfg.Pulse.Due(0)
		for all := l.take(); len(all) > 0; all = l.take() {
			for len(all) > 0 {
				var group []*waiting
				group, all = split(all)
				l.finish(group, l.commit(group))
				l.cfg.Pulse.Due(0)
			}
		}
		l.cfg.Pulse.Rest()
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.writer.file != nil {
		_ = l.writer.file.Close() // everything in it is synced
	}
	close(l.changed)
	l.changed = nil
}

// take returns what waits.
func (l *Log) take() []*waiting {
	l.mu.Lock()
	defer l.mu.Unlock()
	group := l.queue
	l.queue = nil
	return group
}

// split takes a group off the front of what waits. What is glued together stays so: it is bounded by a group of its own.
func split(all []*waiting) (group, rest []*waiting) {
	size := 0
	for i, w := range all {
		if size += len(w.entry.Payload); size > maxGroup && i > 0 && !w.glued {
			return all[:i], all[i:]
		}
	}
	return all, nil
}

// finish tells everybody who waits.
func (l *Log) finish(group []*waiting, err error) {
	if err != nil {
		l.count.failed(err, len(group))
	}
	for _, w := range group {
		w.err = err
		close(w.done)
	}
}

// commit makes a group durable, and only then part of the log.
func (l *Log) commit(group []*waiting) error {
	l.mu.Lock()
	sticky := l.err
	next := append([]uint64(nil), l.next...)
	l.mu.Unlock()
	if sticky != nil {
		return sticky
	}
	if group[0].entry.Kind != Start { // a log that cannot be opened cannot be landed, which is what makes room
		if err := l.room(); err != nil {
			return err
		}
	}
	if l.tail.offset >= l.cfg.SegmentBytes {
		if err := l.roll(next); err != nil {
			return err
		}
	}
	l.encode(group, next)
	if err := l.put(); err != nil {
		return err
	}
	l.writer.bare = false
	l.cfg.Health.Clear(l.alarm.full)
	l.publish(group, next, l.tail.offset+int64(len(l.writer.buf)))
	l.count.appended(len(group), len(l.writer.buf))
	return nil
}

// room looks at the reserve, and at what is beyond it.
func (l *Log) room() error {
	r, err := l.measure()
	if err != nil || r.Missing == 0 {
		return nil //nolint:nilerr // a file system that does not say has no reserve; a write will tell
	}
	return l.noRoom(errors.New(r.String()))
}

// measure asks how full the disk is, and makes shares of what there is.
func (l *Log) measure() (disk.Reserve, error) {
	if l.cfg.ReservePercent == 0 && l.cfg.SharePercent == 0 {
		return disk.Reserve{}, nil
	}
	r, err := disk.ReserveOf(l.cfg.Dir, l.cfg.ReservePercent, l.cfg.space)
	if err != nil {
		return disk.Reserve{}, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.shares.divide(l.cfg.SharePercent, int64(r.Free-min(r.Free, r.Kept)))
	return r, nil
}

// noRoom says that the disk is full, and what would help.
func (l *Log) noRoom(cause error) error {
	l.mu.Lock()
	l.full = true
	l.mu.Unlock()
	err := fmt.Errorf("%w: %w", ErrFull, cause)
	l.cfg.Health.Raise(l.alarm.full, err.Error())
	return err
}

// Full reports whether the last group of records found no room.
func (l *Log) Full() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.full
}

// encode numbers and stamps the group and fills the buffer. A clock that went back is held just ahead of where it was.
func (l *Log) encode(group []*waiting, next []uint64) {
	l.writer.buf = l.writer.buf[:0]
	l.writer.last = max(l.writer.last+1, l.cfg.Now().UnixMicro())
	if l.writer.bare {
		e := startRecord(l.start)
		e.Leads, e.Received = true, l.writer.last
		l.writer.buf = appendRecord(l.writer.buf, &e)
	}
	for _, w := range group {
		w.entry.Leads = len(l.writer.buf) == 0
		w.entry.Received = l.writer.last
		if w.entry.Kind != Start {
			w.entry.Offset = next[w.entry.Partition]
			next[w.entry.Partition]++
		}
		l.writer.buf = appendRecord(l.writer.buf, &w.entry)
	}
}

// put writes the buffer behind the tail and syncs it. A write that did not fit is taken back; a failed sync is final.
func (l *Log) put() error {
	path := l.path(l.tail.segment)
	err := l.step(stepAppend, path, func() error {
		_, err := l.writer.file.WriteAt(l.writer.buf, l.tail.offset)
		return err
	})
	if err != nil {
		return l.takeBack(path, err)
	}
	err = l.step(durable.StepSync, path, func() error {
		if l.cfg.noSync {
			return nil
		}
		return unix.Fdatasync(int(l.writer.file.Fd()))
	})
	if err != nil {
		// The kernel calls the pages clean that it could not write, and the next start would read them and believe them.
		back := l.step(stepTruncate, path, func() error { return l.writer.file.Truncate(l.tail.offset) })
		return l.fail(errors.Join(fmt.Errorf("sync %s: %w", path, err), back))
	}
	return nil
}

// takeBack cuts a group off that was written in part.
func (l *Log) takeBack(path string, cause error) error {
	err := l.step(stepTruncate, path, func() error { return l.writer.file.Truncate(l.tail.offset) })
	if err != nil {
		return l.fail(fmt.Errorf("write %s: %w; take it back: %w", path, cause, err))
	}
	if !errors.Is(cause, unix.ENOSPC) && !errors.Is(cause, unix.EDQUOT) {
		return l.fail(fmt.Errorf("write %s: %w", path, cause))
	}
	return l.noRoom(fmt.Errorf("write %s: %w", path, cause))
}

// fail poisons the log, once: nothing that can fail comes after it.
func (l *Log) fail(cause error) error {
	err := fmt.Errorf("%w: %w", ErrFailed, cause)
	l.mu.Lock()
	l.err = err
	close(l.failed)
	l.mu.Unlock()
	l.cfg.Health.Raise(l.alarm.failed, cause.Error())
	l.cfg.Logger.Error("log cannot be written; nothing more is acknowledged until the next start", "error", cause)
	return err
}

// roll starts the next segment. A crash inside leaves the old tail, or a new segment without records.
func (l *Log) roll(next []uint64) error {
	h := header{Log: l.id, Segment: l.tail.segment + 1, Next: next}
	if err := l.cfg.Disk.WriteFile(l.path(h.Segment), h.bytes(), 0o644); err != nil {
		// Once the name is there, a crash may bring it back: then nothing may follow the old tail any more.
		_, named := os.Stat(l.path(h.Segment))
		if errors.Is(err, unix.ENOSPC) && errors.Is(named, fs.ErrNotExist) {
			return l.noRoom(fmt.Errorf("start a segment: %w", err))
		}
		return l.fail(fmt.Errorf("start a segment: %w", err))
	}
	old := l.writer.file
	l.mu.Lock()
	l.tail = position{h.Segment, h.size()}
	l.sizes[h.Segment] = h.size()
	l.starts[h.Segment] = append([]uint64(nil), next...)
	l.mu.Unlock()
	if err := l.openTail(); err != nil {
		return l.fail(fmt.Errorf("open the new segment: %w", err))
	}
	_ = old.Close() // everything in it is synced
	l.writer.bare = true
	return nil
}

// publish moves the tail and wakes the readers.
func (l *Log) publish(group []*waiting, next []uint64, end int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.full = false
	for _, w := range group {
		l.hold(&w.entry)
	}
	l.next = next
	l.tail.offset = end
	l.received = l.writer.last
	l.sizes[l.tail.segment] = end
	close(l.changed)
	l.changed = make(chan struct{})
}

// step is the seam in front of a disk operation.
func (l *Log) step(name, path string, f func() error) error {
	if l.cfg.Disk.Step != nil {
		if err := l.cfg.Disk.Step(name, path); err != nil {
			return err
		}
	}
	return f()
}

// hold notes what a record takes until it has landed; l.mu is held.
func (l *Log) hold(e *Entry) {
	if e.Kind != Start {
		l.shares.add(deviceOf(e.Client), sizeOf(e.Client, e.Payload), e.Partition, e.Offset+1, l.cfg.Partitions)
	}
}

// Trim says that every record below next has landed: their devices have room again. It removes the segments that hold
// nothing else; the last segment stays.
func (l *Log) Trim(next []uint64) error {
	if len(next) == l.cfg.Partitions {
		l.mu.Lock()
		l.shares.release(next)
		l.mu.Unlock()
		l.checkShares()
	}
	for {
		segment, ok := l.trimmable(next)
		if !ok {
			return nil
		}
		if err := l.cfg.Disk.Remove(l.path(segment)); err != nil {
			return fmt.Errorf("trim log: %w", err)
		}
		l.mu.Lock()
		delete(l.sizes, segment)
		delete(l.starts, segment)
		l.oldest = segment + 1
		l.mu.Unlock()
	}
}

// trimmable returns the oldest segment if all of it has landed: its successor starts at or below next.
func (l *Log) trimmable(next []uint64) (uint64, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.oldest >= l.tail.segment || len(next) != len(l.next) {
		return 0, false
	}
	if l.oldest+1 == l.tail.segment && l.tail.offset == (&header{Next: next}).size() {
		return 0, false // the start counter is nowhere but in the segment before, until the last one has a record
	}
	for p, start := range l.starts[l.oldest+1] {
		if start > next[p] {
			return 0, false
		}
	}
	return l.oldest, true
}

// Stats is the size of a log.
type Stats struct {
	Segments int
	Bytes    int64
}

// Stats returns how large the log is.
func (l *Log) Stats() Stats {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := Stats{Segments: len(l.sizes)}
	for _, n := range l.sizes {
		s.Bytes += n
	}
	return s
}
