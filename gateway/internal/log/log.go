package log

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/headwater-iot/headwater/gateway/internal/disk"
	"github.com/headwater-iot/headwater/shared/durable"
	"github.com/headwater-iot/headwater/shared/health"
	"github.com/headwater-iot/headwater/shared/meter"
	"github.com/headwater-iot/headwater/shared/service"
	"github.com/headwater-iot/headwater/shared/wire"
)

const (
	// DefaultSegment is where a segment ends: large enough to stream, small enough to trim soon.
	DefaultSegment = 64 << 20
	// segmentsPerDisk makes segments smaller on a small disk: the last one and the one before may stay when all has landed,
	// and must not fill it.
	segmentsPerDisk = 32
	minSegment      = 1 << 20
)

var (
	// ErrFull means that the disk has no room beyond its reserve. The log goes on when there is room again.
	ErrFull = errors.New("the log's disk is full; free space or enlarge it")
	// ErrFailed means that a write or an fsync failed. Nothing more is appended until the next start.
	ErrFailed = errors.New("the log cannot be written; check the disk, and start again to read back what is stored")
	// ErrClosed means that the log has been closed.
	ErrClosed = errors.New("the log is closed")
)

// Conditions that the log can raise.
func fullCondition() *health.Condition {
	return &health.Condition{Code: "log-full", Title: "The log's disk is full: devices keep their batches", Severity: health.Error}
}

func failedCondition() *health.Condition {
	return &health.Condition{Code: "log-failed", Title: "The log cannot be written: devices keep their batches", Severity: health.Error}
}

// Config says where a log is. Dir is made when it is absent.
type Config struct {
	Dir            string
	Partitions     int   // fixed at birth
	SegmentBytes   int64 // 0 = DefaultSegment
	ReservePercent int   // of the disk, left free
	SharePercent   int   // of what the log may take, for one device; 0 = no limit
	Now            func() time.Time
	Logger         *slog.Logger
	Meter          *meter.Registry
	Health         *health.Board
	Pulse          *service.Pulse // of the writer: at rest unless it writes
	Disk           durable.Disk   // its Step is the seam for fault tests; zero = the real disk

	noSync bool // the negative control of the power-cut test
	space  func(dir string) (free, total uint64, err error)
}

// Log is an open log. Make one with Open.
type Log struct {
	cfg   Config
	id    wire.ID
	start uint64
	count counters
	alarm struct{ full, failed, unset, behind, share *health.Condition }

	mu       sync.Mutex
	next     []uint64 // next offset of each partition, durable
	tail     position // end of what is durable
	oldest   uint64   // first segment that exists
	sizes    map[uint64]int64
	starts   map[uint64][]uint64 // next offsets at the start of each segment
	changed  chan struct{}       // closed when tail moves or the log ends
	queue    []*waiting          // appends that wait for the writer
	wake     chan struct{}       // capacity 1: there is something in queue
	received int64               // time of the last durable record, us wall
	shares   shares
	full     bool // the last group did not fit
	closed   bool
	err      error // sticky: ErrFailed

	quit   chan struct{} // closed by the first Close
	failed chan struct{} // closed once err is set

	writer writer
	lock   *durable.Lock
	done   chan struct{} // closed when the writer has ended
}

// position is a place in the chain.
type position struct {
	segment uint64
	offset  int64
}

// waiting is one append on its way through the writer.
type waiting struct {
	entry Entry
	glued bool // goes into the group of the one before it
	err   error
	done  chan struct{}
}

// Record is what is appended.
type Record struct {
	Kind      Kind
	Partition int
	Client    string
	Payload   []byte // not kept
}

// Position is where a record is.
type Position struct {
	Partition int
	Offset    uint64
	Received  int64 // us wall
}

// Open opens the log of cfg.Dir, or makes one with a random id. Every call raises the start counter by an fsynced record.
func Open(cfg Config) (*Log, error) {
	if cfg.SegmentBytes == 0 {
		cfg.SegmentBytes = DefaultSegment
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.space == nil {
		cfg.space = disk.Space
	}
	if cfg.Partitions < 1 || cfg.Partitions >= startPartition {
		return nil, fmt.Errorf("open log %s: %d partitions, want 1 to %d", cfg.Dir, cfg.Partitions, startPartition-1)
	}
	l := &Log{
		cfg: cfg, sizes: map[uint64]int64{}, starts: map[uint64][]uint64{}, shares: newShares(),
		changed: make(chan struct{}), wake: make(chan struct{}, 1),
		quit: make(chan struct{}), failed: make(chan struct{}), done: make(chan struct{}),
	}
	l.alarm.full, l.alarm.failed = fullCondition(), failedCondition()
	l.alarm.unset, l.alarm.behind, l.alarm.share = unsetCondition(), behindCondition(), shareCondition()
	l.count = newCounters(cfg.Meter, l)
	if err := l.recover(); err != nil {
		return nil, errors.Join(fmt.Errorf("open log %s: %w", cfg.Dir, err), l.unlock())
	}
	go l.write()
	l.start++
	e := startRecord(l.start)
	if _, err := l.Append(context.Background(), Record{Kind: Start, Partition: e.Partition, Payload: e.Payload}); err != nil {
		return nil, errors.Join(fmt.Errorf("open log %s: note the start: %w", cfg.Dir, err), l.Close())
	}
	return l, nil
}

// startRecord notes how often the log has been opened.
func startRecord(counter uint64) Entry {
	return Entry{Kind: Start, Partition: startPartition, Payload: binary.LittleEndian.AppendUint64(nil, counter)}
}

// newID draws the id of a new log.
func newID() (id wire.ID) {
	_, _ = rand.Read(id[:]) // never fails (crypto/rand, Go 1.24)
	return id
}

// ID returns the log_id: random, drawn at birth.
func (l *Log) ID() wire.ID { return l.id }

// Start returns the start counter: how often this log has been opened.
func (l *Log) Start() uint64 { return l.start }

// Partitions returns the number of partitions.
func (l *Log) Partitions() int { return l.cfg.Partitions }

// Next returns the next offset of every partition.
func (l *Log) Next() []uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]uint64(nil), l.next...)
}

// First returns the offset of the oldest record of every partition that the log still holds; where it holds none,
// that of the next.
func (l *Log) First() []uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]uint64(nil), l.starts[l.oldest]...)
}

// Append puts r into the log and returns when it is fsynced. Appends of many goroutines share one fsync.
//
// It returns ErrFull or ErrShare (worth another try later), ErrFailed or ErrClosed; the record is not in the log then, or,
// after ErrFailed, may be. A ctx that ends does not take a record back that is on its way to the disk.
func (l *Log) Append(ctx context.Context, r Record) (Position, error) {
	if len(r.Client) > 255 || len(r.Payload)+len(r.Client)+1 > maxLength-minLength {
		return Position{}, fmt.Errorf("append to log: client of %d and payload of %d bytes do not fit a record", len(r.Client), len(r.Payload))
	}
	if r.Kind != Start && (r.Partition < 0 || r.Partition >= l.cfg.Partitions) {
		return Position{}, fmt.Errorf("append to log: partition %d of %d", r.Partition, l.cfg.Partitions)
	}
	w := waitingFor(r)
	err := l.enqueue(ctx, w)
	if errors.Is(err, ErrShare) {
		if _, merr := l.measure(); merr == nil { // the share may have grown since anything was appended
			err = l.enqueue(ctx, w)
		}
	}
	if errors.Is(err, ErrShare) {
		l.count.failed(err, 1)
		l.checkShares()
	}
	if err != nil {
		return Position{}, fmt.Errorf("append to log: %w", err)
	}
	l.rouse()
	<-w.done
	if w.err != nil {
		return Position{}, fmt.Errorf("append to log: %w", w.err)
	}
	return Position{Partition: w.entry.Partition, Offset: w.entry.Offset, Received: w.entry.Received}, nil
}

// AppendAll puts r into every partition, whatever its own says, by one group: one write and one fsync. It returns when that is
// done; errors are those of Append, with ErrShare left out: the record is nobody's. A crash in the write may leave it in some
// partitions and not in others, unacknowledged; who needs all of them looks at the next start.
func (l *Log) AppendAll(ctx context.Context, r Record) ([]Position, error) {
	n := l.cfg.Partitions
	if len(r.Payload) > maxLength-minLength || n*len(r.Payload) > maxGroup {
		return nil, fmt.Errorf("append to log: %d bytes to each of %d partitions do not fit a group", len(r.Payload), n)
	}
	all := make([]*waiting, n)
	for p := range all {
		r.Partition = p
		all[p] = waitingFor(r)
		all[p].glued = p > 0
	}
	l.mu.Lock()
	err := l.refuse(ctx)
	if err == nil {
		l.queue = append(l.queue, all...)
	}
	l.mu.Unlock()
	if err != nil {
		return nil, fmt.Errorf("append to log: %w", err)
	}
	l.rouse()
	at := make([]Position, n)
	for p, w := range all {
		<-w.done
		if w.err != nil {
			return nil, fmt.Errorf("append to log: %w", w.err)
		}
		at[p] = Position{Partition: p, Offset: w.entry.Offset, Received: w.entry.Received}
	}
	return at, nil
}

func waitingFor(r Record) *waiting {
	return &waiting{
		entry: Entry{Kind: r.Kind, Partition: r.Partition, Client: r.Client, Payload: r.Payload},
		done:  make(chan struct{}),
	}
}

// rouse tells the writer that something waits.
func (l *Log) rouse() {
	select {
	case l.wake <- struct{}{}:
	default: // it has been told already
	}
}

// enqueue hands an append to the writer, unless there is a reason not to.
func (l *Log) enqueue(ctx context.Context, w *waiting) error {
	device, size := deviceOf(w.entry.Client), sizeOf(w.entry.Client, w.entry.Payload)
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.refuse(ctx); err != nil {
		return err
	}
	if !l.shares.admit(w.entry.Kind, device, size) {
		return ErrShare
	}
	l.queue = append(l.queue, w)
	return nil
}

// refuse says why nothing can be appended now; l.mu is held.
func (l *Log) refuse(ctx context.Context) error {
	switch {
	case l.closed:
		return ErrClosed
	case l.err != nil:
		return l.err
	}
	return ctx.Err()
}

// Close lets the writer finish what waits, and closes the files. It may be called twice.
func (l *Log) Close() error {
	l.mu.Lock()
	first := !l.closed
	l.closed = true
	l.mu.Unlock()
	if first {
		close(l.quit)
	}
	<-l.done
	if !first {
		return nil
	}
	return l.unlock()
}

// unlock lets another process open the log.
func (l *Log) unlock() error {
	if l.lock == nil {
		return nil
	}
	return l.lock.Close()
}

func (l *Log) path(segment uint64) string {
	return filepath.Join(l.cfg.Dir, fmt.Sprintf("%016x.hwl", segment))
}

// openTail opens the last segment for appending.
func (l *Log) openTail() error {
	f, err := os.OpenFile(l.path(l.tail.segment), os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	l.writer.file = f
	return nil
}
