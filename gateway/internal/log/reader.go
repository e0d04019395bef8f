package log

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// readChunk is how much is read ahead; a record always fits.
const readChunk = 4 << 20

// ErrTrimmed means that records which were asked for have been trimmed: they landed under other marks.
var ErrTrimmed = errors.New("the log no longer holds these records")

// ErrAhead means that somebody has read records which this log never held: its end was lost, or an older copy was put
// in its place. What is appended now would be taken for what was read then.
var ErrAhead = errors.New("the log ends before the place it was read to: it lost its end, or is an older copy; " +
	"move it away, and devices send again what has not landed")

// Reader gives records in chain order, from the next offsets it was made with.
type Reader struct {
	l    *Log
	from []uint64
	at   position
	file *os.File
	buf  []byte // unread bytes of the chunk; entries share it, so each chunk is memory of its own
}

// Reader returns a reader that gives, of each partition, the records at and behind from, and then waits for more.
func (l *Log) Reader(from []uint64) (*Reader, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(from) != len(l.next) {
		return nil, fmt.Errorf("read log: marks of %d partitions, the log has %d", len(from), len(l.next))
	}
	for p, n := range from {
		first, err := l.starts[l.oldest][p], error(nil)
		switch {
		case n < first:
			err = ErrTrimmed
		case n > l.next[p]:
			err = ErrAhead
		}
		if err != nil {
			return nil, fmt.Errorf("read log: %w: partition %d from %d, it has %d to %d", err, p, n, first, l.next[p])
		}
	}
	segment := l.oldest
	for s := l.oldest + 1; s <= l.tail.segment && covers(l.starts[s], from); s++ {
		segment = s
	}
	return &Reader{l: l, from: append([]uint64(nil), from...), at: position{segment: segment}}, nil
}

// covers reports whether a segment that starts at start holds everything from from on.
func covers(start, from []uint64) bool {
	for p := range start {
		if start[p] > from[p] {
			return false
		}
	}
	return true
}

// Next returns the next record, waiting for one until ctx ends. Start records are skipped.
func (r *Reader) Next(ctx context.Context) (Entry, error) {
	for {
		for len(r.buf) > 0 {
			e, size, err := parseRecord(r.buf)
			if errors.Is(err, errTorn) {
				break // the rest is in the next chunk
			}
			if err != nil {
				return Entry{}, fmt.Errorf("read log: %s at byte %d: %w", r.l.path(r.at.segment), r.at.offset, err)
			}
			r.buf = r.buf[size:]
			r.at.offset += int64(size)
			if e.Kind != Start && e.Offset >= r.from[e.Partition] {
				return e, nil
			}
		}
		if err := r.fill(ctx); err != nil {
			return Entry{}, err
		}
	}
}

// fill reads the next chunk of what is durable, or waits until there is more.
func (r *Reader) fill(ctx context.Context) error {
	for {
		end, sealed, changed := r.l.readable(r.at.segment)
		if r.file == nil {
			if err := r.open(); err != nil {
				return err
			}
		}
		if end == 0 { // trimmed, but the file that is open is whole: skipping the rest of it would lose records
			st, err := r.file.Stat()
			if err != nil {
				return fmt.Errorf("read log: %w", err)
			}
			end = st.Size()
		}
		if r.at.offset < end {
			return r.read(end)
		}
		if sealed {
			if err := r.Close(); err != nil {
				return fmt.Errorf("read log: %w", err)
			}
			r.at = position{segment: r.at.segment + 1}
			continue
		}
		if changed == nil {
			return ErrClosed
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// open opens the segment and steps over its header.
func (r *Reader) open() error {
	f, err := os.Open(r.l.path(r.at.segment))
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("read log: %w: segment %d was trimmed under its reader", ErrTrimmed, r.at.segment)
	}
	if err != nil {
		return fmt.Errorf("read log: %w", err)
	}
	r.file = f
	if r.at.offset == 0 {
		r.at.offset = (&header{Next: r.l.Next()}).size()
	}
	return nil
}

// read replaces the chunk by the bytes at r.at, not beyond end.
func (r *Reader) read(end int64) error {
	data := make([]byte, min(end-r.at.offset, readChunk))
	if _, err := r.file.ReadAt(data, r.at.offset); err != nil { // io.EOF too: what is durable is all there
		return fmt.Errorf("read log: %s at byte %d: %w", r.l.path(r.at.segment), r.at.offset, err)
	}
	r.buf = data
	return nil
}

// Close closes the file that is open; the reader is of no use then.
func (r *Reader) Close() error {
	if r.file == nil {
		return nil
	}
	err := r.file.Close()
	r.file, r.buf = nil, nil
	return err
}

// readable returns the durable end of a segment (0 when it has been trimmed), whether it is complete, and a channel
// that is closed when there is more; nil when the log is closed.
func (l *Log) readable(segment uint64) (end int64, sealed bool, changed <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.sizes[segment], segment < l.tail.segment, l.changed
}
