package segment

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.etcd.io/bbolt"

	"github.com/headwater-iot/headwater/shared/record"
	"github.com/headwater-iot/headwater/shared/seqset"
)

// ErrDamaged means bytes that cannot be what was written.
var ErrDamaged = errors.New("damaged")

const (
	// fileBytes is where a file is closed and the next one begun: small enough that space comes back
	// soon and damage stays local, large enough that creating it does not matter.
	fileBytes = 4 << 20
	// txBytes bounds the memory of one transaction.
	txBytes = 512 << 10
	// pageOverhead is what a page of chunks carries besides sealed bytes, as a divisor.
	pageOverhead = 12

	suffix    = ".seg"
	tmpSuffix = ".tmp"
	keptAside = 4 // damaged files
)

// Batch is a sealed batch to be written.
type Batch struct {
	First, Count uint64
	To           int64 // ms, exclusive end of its device times
	Sealed       []byte
}

// Segment is one file. Its fields are for reading.
type Segment struct {
	Epoch  record.Epoch
	First  uint64     // of the first batch that was meant for it
	All    seqset.Set // seqs of the readable batches in it
	Boot   record.Boot
	Bytes  int64  // on flash
	Count  int    // batches
	Damage int    // batches, at least, that could not be read
	Info   []byte // the owner's, as of the last Write; nil when unreadable

	path    string
	payload int
	made    time.Time
}

// Store is a directory of segments. Make one with Open.
type Store struct {
	dir    string
	noSync bool
	segs   []*Segment // the owner's order, oldest first
	active *Segment   // the one that is written to, the last; nil = none
	db     *bbolt.DB  // of active
	reader *Segment   // the one that was read last, if it is not active
	rdb    *bbolt.DB  // of reader
}

// Option changes how a store works.
type Option func(*Store)

// WithoutSync makes Write return before anything is on flash: the negative control of the power cut test.
func WithoutSync() Option { return func(s *Store) { s.noSync = true } }

// Open reads every segment in dir. Files that cannot be read are set aside and their names returned. With
// ErrScarce nothing was set aside for that: a good file is not given up for want of a descriptor.
func Open(dir string, opts ...Option) (*Store, []string, error) {
	s := &Store{dir: dir}
	for _, o := range opts {
		o(s)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, nil, fmt.Errorf("open segments: %w", err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, nil, fmt.Errorf("open segments: %w", orScarce(err))
	}
	var aside []string
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		switch {
		case strings.HasSuffix(e.Name(), suffix+tmpSuffix):
			_ = os.Remove(path) // died while it was made; nothing in it was ever counted on
		case strings.HasSuffix(e.Name(), suffix):
			seg, err := s.load(path)
			if errors.Is(err, ErrScarce) {
				return nil, nil, fmt.Errorf("open segment %s: %w", e.Name(), err)
			}
			if err != nil {
				aside = append(aside, e.Name())
				setAside(path)
				continue
			}
			s.segs = append(s.segs, seg)
		}
	}
	slices.SortStableFunc(s.segs, func(a, b *Segment) int { return a.made.Compare(b.made) })
	return s, aside, nil
}

// load reads one file of an earlier process.
func (s *Store) load(path string) (*Segment, error) {
	seg, err := named(path)
	if err != nil {
		return nil, err
	}
	st, err := os.Stat(path)
	if err != nil {
		return nil, orScarce(err)
	}
	seg.Bytes, seg.made = st.Size(), st.ModTime()
	if err := seg.scan(); err != nil {
		return nil, err
	}
	return seg, nil
}

// named returns an empty segment of the name of a file.
func named(path string) (*Segment, error) {
	name := strings.TrimSuffix(filepath.Base(path), suffix)
	e, f, ok := strings.Cut(name, "-")
	epoch, err := record.ParseEpoch(e)
	if err != nil || !ok || epoch == 0 {
		return nil, fmt.Errorf("%w: file name %s", ErrDamaged, name)
	}
	first, err := strconv.ParseUint(f, 16, 64)
	if err != nil {
		return nil, fmt.Errorf("%w: file name %s", ErrDamaged, name)
	}
	return &Segment{Epoch: epoch, First: first, path: path}, nil
}

// setAside moves a damaged file where nobody trips over it, and keeps only the youngest few.
func setAside(path string) {
	dir := filepath.Join(filepath.Dir(path), "damaged")
	if os.MkdirAll(dir, 0o700) != nil || os.Rename(path, filepath.Join(dir, filepath.Base(path))) != nil {
		_ = os.Remove(path) // no room to keep it; it must not be tripped over at the next start
		return
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) <= keptAside {
		return
	}
	oldest := slices.MinFunc(entries, func(a, b fs.DirEntry) int { return modTime(a).Compare(modTime(b)) })
	_ = os.Remove(filepath.Join(dir, oldest.Name())) // each that comes sends one away
}

func modTime(e fs.DirEntry) time.Time {
	if i, err := e.Info(); err == nil {
		return i.ModTime()
	}
	return time.Time{}
}

// Segments returns the segments, oldest first. The caller must not change the slice.
func (s *Store) Segments() []*Segment { return s.segs }

// Sort puts the segments in the owner's order. The active one stays the last.
func (s *Store) Sort(cmp func(a, b *Segment) int) { slices.SortStableFunc(s.segs, cmp) }

// Bytes returns what the segments take on flash.
func (s *Store) Bytes() (n int64) {
	for _, seg := range s.segs {
		n += seg.Bytes
	}
	return n
}

// Delete removes a segment.
func (s *Store) Delete(seg *Segment) error {
	s.closeReader()
	if seg == s.active {
		s.closeActive()
	}
	s.segs = slices.DeleteFunc(s.segs, func(x *Segment) bool { return x == seg })
	if err := os.Remove(seg.path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("delete segment: %w", err)
	}
	return nil
}

// Close closes the open files.
func (s *Store) Close() {
	s.closeReader()
	s.closeActive()
}

func (s *Store) closeReader() {
	if s.rdb != nil {
		_ = s.rdb.Close() // read only: nothing can be lost
	}
	s.reader, s.rdb = nil, nil
}

func (s *Store) closeActive() {
	if s.db != nil {
		_ = s.db.Close() // every transaction was synced when it returned
	}
	s.active, s.db = nil, nil
}
