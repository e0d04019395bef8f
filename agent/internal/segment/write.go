package segment

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"go.etcd.io/bbolt"

	"github.com/headwater-iot/headwater/shared/record"
	"github.com/headwater-iot/headwater/shared/wire"
)

// chunkBytes is the largest value: four of them and their keys fill a page.
const chunkBytes = 990

// Cost returns what batches will take on flash, roughly and not too little.
func Cost(batches []Batch) (n int64) {
	for i := range batches {
		n += int64(len(batches[i].Sealed)) + 64
	}
	return n + n/pageOverhead + 32<<10
}

// Starts reports whether a Write of the epoch begins a new file, and the seq that names it: first, or the
// next free one when a file of that name was given up after a failed write.
func (s *Store) Starts(epoch record.Epoch, first uint64) (name uint64, starts bool) {
	if s.active != nil && s.active.Epoch == epoch && s.active.payload < fileBytes-fileBytes/pageOverhead {
		return s.active.First, false
	}
	for exists(s.path(epoch, first)) {
		first++
	}
	return first, true
}

func (s *Store) path(epoch record.Epoch, first uint64) string {
	return filepath.Join(s.dir, fmt.Sprintf("%s-%016x%s", epoch, first, suffix))
}

// Write puts the first of the batches, all of one epoch, on flash in one transaction: as many as memory
// allows. It returns how many are safe now.
func (s *Store) Write(epoch record.Epoch, info []byte, batches []Batch) (int, error) {
	if name, starts := s.Starts(epoch, batches[0].First); starts {
		if err := s.begin(epoch, name); err != nil {
			return 0, fmt.Errorf("begin segment of epoch %s: %w", epoch, err)
		}
	}
	n, bytes := 0, 0
	for n < len(batches) && (n == 0 || bytes+len(batches[n].Sealed) <= txBytes) {
		bytes += len(batches[n].Sealed)
		n++
	}
	if err := s.commit(info, batches[:n]); err != nil {
		// What the file holds now is not known; it is closed, and only ever read again.
		if errors.Is(err, errFault) {
			s.abandon(s.active)
		}
		s.closeActive()
		return 0, fmt.Errorf("write %d batches of epoch %s: %w", n, epoch, err)
	}
	return n, nil
}

// begin closes the active segment and makes the next.
func (s *Store) begin(epoch record.Epoch, first uint64) error {
	s.closeActive()
	path := s.path(epoch, first)
	db, err := create(path, s.noSync, nil, bucketBatches, bucketInfo)
	if err != nil {
		return err
	}
	s.db = db
	s.active = &Segment{Epoch: epoch, First: first, path: path}
	s.active.measure()
	s.segs = append(s.segs, s.active)
	return nil
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

func (seg *Segment) measure() {
	if st, err := os.Stat(seg.path); err == nil {
		seg.Bytes, seg.made = st.Size(), st.ModTime()
	}
}

// commit is one transaction.
func (s *Store) commit(info []byte, batches []Batch) error {
	err := guard(func() error {
		return s.db.Update(func(tx *bbolt.Tx) error {
			b := tx.Bucket(bucketBatches)
			b.FillPercent = 1 // keys come in order: nothing will be put between them
			for i := range batches {
				if err := put(b, &batches[i]); err != nil {
					return err
				}
			}
			return tx.Bucket(bucketInfo).Put(keyInfo, sealValue(info))
		})
	})
	if err != nil {
		return err
	}
	for i := range batches {
		b := &batches[i]
		s.active.note(b.First, b.Count, len(b.Sealed))
	}
	s.active.Info = info
	s.active.measure()
	return nil
}

// note counts one readable batch.
func (seg *Segment) note(first, count uint64, bytes int) {
	seg.All.Add(first, first+count)
	seg.Count++
	seg.payload += bytes
}

// put cuts a batch into chunks.
func put(bucket *bbolt.Bucket, b *Batch) error {
	v := binary.AppendUvarint(make([]byte, 0, len(b.Sealed)+16), uint64(len(b.Sealed)))
	v = append(binary.AppendVarint(v, b.To), b.Sealed...)
	key := binary.BigEndian.AppendUint64(make([]byte, 0, 9), b.First)
	if len(v) > 256*chunkBytes {
		panic(fmt.Sprintf("segment: sealed part of %d bytes, at most %d", len(b.Sealed), wire.MaxSealed))
	}
	for chunk := 0; len(v) > 0; chunk++ {
		n := min(len(v), chunkBytes)
		k := append(key[:8:8], byte(chunk))
		if err := bucket.Put(k, v[:n]); err != nil {
			return err
		}
		v = v[n:]
	}
	return nil
}
