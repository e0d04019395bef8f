package segment

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"

	"go.etcd.io/bbolt"

	"github.com/headwater-iot/headwater/shared/wire"
)

// Item is a batch as it was read. Sealed.Raw has its own memory.
type Item struct {
	wire.Sealed
	First uint64 // as its key says; valid with ErrDamaged too
	To    int64
}

// scan reads all of a file into seg: from the front, and where that ends early also from the back.
func (seg *Segment) scan() error {
	db, err := openRead(seg.path)
	if err != nil {
		return err
	}
	var fault error
	defer func() { letGo(db, fault) }()
	var front, back []byte // last key read from the front, first from the back
	err = guard(func() error {
		return db.View(func(tx *bbolt.Tx) error {
			if i := tx.Bucket(bucketInfo); i != nil {
				seg.Info, _ = openValue(i.Get(keyInfo))
			}
			b := tx.Bucket(bucketBatches)
			if b == nil {
				return ErrDamaged
			}
			c := b.Cursor()
			for k, v := c.First(); k != nil; {
				front = bytes.Clone(k)
				k, v = seg.take(c, k, v)
			}
			return nil
		})
	})
	if err == nil {
		return nil
	}
	seg.Damage++
	fault = errors.Join(err, guard(func() error {
		return db.View(func(tx *bbolt.Tx) error {
			c := tx.Bucket(bucketBatches).Cursor()
			for k, _ := c.Last(); k != nil && bytes.Compare(k, front) > 0; {
				first, v := c.Seek(append(bytes.Clone(k[:8]), 0))
				if first == nil || back != nil && bytes.Compare(first, back) >= 0 {
					return nil
				}
				back = bytes.Clone(first)
				seg.take(c, first, v)
				c.Seek(back)
				k, _ = c.Prev()
			}
			return nil
		})
	}))
	if seg.Count == 0 {
		return err
	}
	return nil
}

// take reads the batch whose first chunk is k and returns the first chunk of the next.
func (seg *Segment) take(c *bbolt.Cursor, k, v []byte) (nk, nv []byte) {
	if len(k) != 9 {
		seg.Damage++
		return c.Next()
	}
	seq := binary.BigEndian.Uint64(k)
	raw := join(c, k, v)
	item, err := parse(raw)
	if err != nil || item.Epoch != seg.Epoch || item.Sealed.First != seq {
		seg.Damage++
		return c.Seek(append(binary.BigEndian.AppendUint64(nil, seq), 0xff, 0))
	}
	seg.Boot = item.Boot
	seg.note(seq, item.Count, len(raw))
	return c.Next() // behind the note: the page that comes may be damaged
}

// join puts the chunks of one batch together and leaves the cursor on the last; nil if one is missing. It
// does not look at what comes behind them, which may be on a damaged page.
func join(c *bbolt.Cursor, k, v []byte) (raw []byte) {
	seq, total := bytes.Clone(k[:8]), -1
	for chunk := 0; len(k) == 9 && bytes.Equal(k[:8], seq) && int(k[8]) == chunk; chunk++ {
		raw = append(raw, v...)
		if total < 0 {
			total = length(raw)
		}
		if len(raw) >= total {
			return raw
		}
		k, v = c.Next()
	}
	return nil
}

// length returns what the chunks that begin with raw come to, 0 if they say nothing sensible.
func length(raw []byte) int {
	n, i := binary.Uvarint(raw)
	if i <= 0 || n > wire.MaxSealed {
		return 0
	}
	_, j := binary.Varint(raw[i:])
	if j <= 0 {
		return 0
	}
	return i + j + int(n)
}

// parse reads the joined chunks of one batch.
func parse(raw []byte) (Item, error) {
	n, i := binary.Uvarint(raw)
	if i <= 0 {
		return Item{}, ErrDamaged
	}
	to, j := binary.Varint(raw[i:])
	if j <= 0 || uint64(len(raw)-i-j) != n {
		return Item{}, ErrDamaged
	}
	sealed, err := wire.ParseSealed(raw[i+j:])
	return Item{Sealed: sealed, To: to}, err
}

// At returns the batch that holds a seq, or else the first behind it. The error is ErrNone when there is
// nothing any more; with ErrDamaged, First of the returned item is all that is known of it.
func (s *Store) At(seg *Segment, seq uint64) (Item, error) {
	db, err := s.view(seg)
	if err != nil {
		return Item{First: seq}, err
	}
	var item Item
	err = guard(func() error {
		return db.View(func(tx *bbolt.Tx) error {
			c := tx.Bucket(bucketBatches).Cursor()
			k, v := seek(c, seq, seg.All.Has(seq))
			if k == nil {
				return ErrNone
			}
			if len(k) != 9 {
				return ErrDamaged
			}
			item.First = binary.BigEndian.Uint64(k)
			raw := join(c, k, v)
			got, err := parse(raw)
			if err == nil && (got.Epoch != seg.Epoch || got.Sealed.First != item.First) {
				err = ErrDamaged
			}
			if err != nil {
				return fmt.Errorf("%w: %w", ErrDamaged, err)
			}
			got.First = item.First
			item = got
			return nil
		})
	})
	if errors.Is(err, errFault) {
		s.abandon(seg)
	}
	return item, err
}

// abandon forgets the open file of seg without closing it; see letGo.
func (s *Store) abandon(seg *Segment) {
	if seg == s.reader {
		s.reader, s.rdb = nil, nil
	}
	if seg == s.active {
		s.active, s.db = nil, nil
	}
}

// seek returns the first chunk of the batch that holds seq, when inside is set, or of the next.
func seek(c *bbolt.Cursor, seq uint64, inside bool) (k, v []byte) {
	// With the chunk: without it the search would end on the page before, which may be damaged.
	k, v = c.Seek(append(binary.BigEndian.AppendUint64(nil, seq), 0))
	if !inside || len(k) == 9 && binary.BigEndian.Uint64(k) == seq {
		return k, v
	}
	if k == nil {
		k, _ = c.Last()
	} else {
		k, _ = c.Prev()
	}
	if len(k) != 9 {
		return k, nil
	}
	return c.Seek(append(bytes.Clone(k[:8]), 0))
}

// view returns an open file of seg.
func (s *Store) view(seg *Segment) (*bbolt.DB, error) {
	if seg == s.active {
		return s.db, nil
	}
	if seg == s.reader {
		return s.rdb, nil
	}
	s.closeReader()
	db, err := openRead(seg.path)
	if errors.Is(err, ErrScarce) {
		return nil, fmt.Errorf("read %s: %w", seg.path, err)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrUnreadable, seg.path, err)
	}
	s.reader, s.rdb = seg, db
	return db, nil
}
