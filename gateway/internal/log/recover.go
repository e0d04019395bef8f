package log

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/headwater-iot/headwater/shared/durable"
)

// recover finds the segments, checks every record, cuts a torn tail, and opens the last segment.
func (l *Log) recover() error {
	if err := l.cfg.Disk.MkdirAll(l.cfg.Dir, 0o755); err != nil {
		return err
	}
	lock, err := durable.LockFile(filepath.Join(l.cfg.Dir, "LOCK"))
	if err != nil {
		return err
	}
	l.lock = lock
	if _, total, err := l.cfg.space(l.cfg.Dir); err == nil {
		l.cfg.SegmentBytes = min(l.cfg.SegmentBytes, max(minSegment, int64(total/segmentsPerDisk)))
	}
	segments, err := l.segments()
	if err != nil {
		return err
	}
	if len(segments) == 0 {
		return l.birth()
	}
	l.oldest = segments[0]
	for i, n := range segments {
		if n != l.oldest+uint64(i) {
			return fmt.Errorf("segment %s is missing: restore it, or delete the state directory (what is stored but has not landed is sent again by its devices)", l.path(l.oldest+uint64(i)))
		}
		if err := l.check(n, i == 0, i == len(segments)-1); err != nil {
			return err
		}
	}
	return l.openTail()
}

// segments lists the segment numbers, ascending. A temporary file is the rest of a crash.
func (l *Log) segments() ([]uint64, error) {
	entries, err := os.ReadDir(l.cfg.Dir)
	if err != nil {
		return nil, err
	}
	var out []uint64
	for _, e := range entries {
		name, ok := strings.CutSuffix(e.Name(), ".hwl")
		if !ok {
			if strings.HasSuffix(e.Name(), ".hwl.tmp") {
				_ = os.Remove(filepath.Join(l.cfg.Dir, e.Name())) // the next WriteFile of the name overwrites it anyway
			}
			continue
		}
		n, err := strconv.ParseUint(name, 16, 64)
		if err != nil || len(name) != 16 {
			return nil, fmt.Errorf("%s is not a segment of this log; move it away", filepath.Join(l.cfg.Dir, e.Name()))
		}
		out = append(out, n)
	}
	slices.Sort(out)
	return out, nil
}

// birth makes the first segment of a new log.
func (l *Log) birth() error {
	l.id = newID()
	h := header{Log: l.id, Segment: 0, Next: make([]uint64, l.cfg.Partitions)}
	if err := l.cfg.Disk.WriteFile(l.path(0), h.bytes(), 0o644); err != nil {
		return fmt.Errorf("make the first segment: %w", err)
	}
	l.next = append([]uint64(nil), h.Next...)
	l.tail = position{0, h.size()}
	l.sizes[0], l.starts[0] = h.size(), h.Next
	return l.openTail()
}

// check reads one segment, record by record, into the state of the log.
func (l *Log) check(segment uint64, first, last bool) error {
	path := l.path(segment)
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	h, err := parseHeader(data)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if err := l.adopt(&h, segment, first); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	off := h.size()
	for off < int64(len(data)) {
		e, size, err := parseRecord(data[off:])
		if err == nil {
			err = l.follows(&e)
		}
		if err != nil {
			if !last || !torn(data[off:]) {
				return fmt.Errorf("%s is damaged at byte %d: %w; restore it, or delete the state directory (what is stored but has not landed is sent again by its devices)", path, off, err)
			}
			if err := l.cut(path, off, int64(len(data))-off); err != nil {
				return err
			}
			break
		}
		l.replay(&e)
		off += int64(size)
	}
	l.tail = position{segment, off}
	l.sizes[segment], l.starts[segment] = off, h.Next
	return nil
}

// torn reports whether a bad record can be the write that a crash cut short, and not damage to what was acknowledged.
// Pages of one write reach the disk in any order, so good records may stand behind the bad one; but a record that
// leads a group was written after everything before it had been synced. One of those behind the bad record means damage.
func torn(b []byte) bool {
	for i := 1; i+recordFixed <= len(b); i++ {
		if n := binary.LittleEndian.Uint32(b[i:]); n < minLength || n > maxLength {
			continue
		}
		if e, _, err := parseRecord(b[i:]); err == nil && e.Leads {
			return false
		}
	}
	return true
}

// adopt takes the header of a segment, which must go on where the one before ended.
func (l *Log) adopt(h *header, segment uint64, first bool) error {
	switch {
	case h.Segment != segment:
		return fmt.Errorf("%w: the header says segment %d", errDamaged, h.Segment)
	case len(h.Next) != l.cfg.Partitions:
		return fmt.Errorf("the log has %d partitions and the configuration %d: the number is fixed at birth; set log.partitions to %d", len(h.Next), l.cfg.Partitions, len(h.Next))
	case first:
		l.id, l.next = h.Log, append([]uint64(nil), h.Next...)
	case h.Log != l.id || !slices.Equal(h.Next, l.next):
		return fmt.Errorf("%w: the header does not follow the segment before", errDamaged)
	}
	return nil
}

// follows checks that e is the next record of its partition.
func (l *Log) follows(e *Entry) error {
	switch {
	case e.Received < l.writer.last:
		return fmt.Errorf("%w: received time falls", errDamaged)
	case e.Kind == Start && e.Partition == startPartition && len(e.Payload) == 8:
		return nil
	case e.Kind == Start || e.Partition >= len(l.next) || e.Offset != l.next[e.Partition]:
		return fmt.Errorf("%w: record of partition %d, offset %d", errDamaged, e.Partition, e.Offset)
	}
	return nil
}

// replay takes a good record into the state.
func (l *Log) replay(e *Entry) {
	l.writer.last = e.Received
	if e.Kind == Start {
		l.start = max(l.start, binary.LittleEndian.Uint64(e.Payload))
		return
	}
	l.next[e.Partition]++
	l.hold(e)
}

// cut takes a torn tail off, durably: a later write must not follow it.
func (l *Log) cut(path string, off, n int64) error {
	l.cfg.Logger.Warn("log ends in a torn write; it was never acknowledged and is cut off", "file", path, "offset", off, "bytes", n)
	l.count.torn.Inc()
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	err = l.step(stepTruncate, path, func() error { return f.Truncate(off) })
	if err == nil {
		err = f.Sync()
	}
	if err := errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("cut torn tail: %w", err)
	}
	return nil
}
