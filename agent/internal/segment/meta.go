package segment

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"go.etcd.io/bbolt"
)

const metaName = "meta.db"

// metaRoom is written and given up again when the file is made, so that on a full disk there are pages
// for a gap list: a gap has to be safe before what it stands for may go.
const metaRoom = 64 << 10

var bucketMeta = []byte("m") // read only

// Meta is the small file of facts beside the segments.
type Meta struct {
	db    *bbolt.DB
	fault error // bbolt panicked in it: it is not touched any more; see letGo
}

// OpenMeta reads the facts in dir and writes them to a new file: what bbolt will change is always
// a file that this process made. damaged reports that not all could be read.
func OpenMeta(dir string, opts ...Option) (m *Meta, facts map[string][]byte, damaged bool, err error) {
	var s Store
	for _, o := range opts {
		o(&s)
	}
	path := filepath.Join(dir, metaName)
	facts, err = readMeta(path)
	if errors.Is(err, ErrScarce) {
		return nil, nil, false, fmt.Errorf("open %s: %w", path, err)
	}
	if err != nil {
		damaged = true
		setAside(path)
	}
	fill := func(db *bbolt.DB) error { return (&Meta{db: db}).makeRoom(facts) }
	db, err := create(path, s.noSync, fill, bucketMeta)
	if err == nil {
		return &Meta{db: db}, facts, damaged, nil
	}
	if !damaged && exists(path) {
		// No room for a second file. The old one was just read to its end.
		err = guard(func() error {
			db, err = bbolt.Open(path, 0o600, options(false, s.noSync))
			return err
		})
	}
	if err != nil {
		return nil, nil, damaged, fmt.Errorf("open %s: %w", path, err)
	}
	m = &Meta{db: db}
	if err := m.makeRoom(facts); err != nil {
		return nil, nil, damaged, errors.Join(fmt.Errorf("write %s: %w", path, orErrno(err)), m.Close())
	}
	return m, facts, damaged, nil
}

func readMeta(path string) (facts map[string][]byte, err error) {
	facts = make(map[string][]byte)
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return facts, nil
	}
	db, err := openRead(path)
	if err != nil {
		return facts, err
	}
	defer func() { letGo(db, err) }()
	whole := true
	err = guard(func() error {
		return db.View(func(tx *bbolt.Tx) error {
			b := tx.Bucket(bucketMeta)
			if b == nil {
				return ErrDamaged
			}
			return b.ForEach(func(k, v []byte) error {
				if v, ok := openValue(v); ok {
					facts[string(k)] = v
				} else {
					whole = false
				}
				return nil
			})
		})
	})
	if err == nil && !whole {
		err = ErrDamaged
	}
	return facts, err
}

// makeRoom writes facts and leaves free pages behind.
func (m *Meta) makeRoom(facts map[string][]byte) error {
	filler := make([]byte, metaRoom)
	if err := m.db.Update(func(tx *bbolt.Tx) error {
		return tx.Bucket(bucketMeta).Put([]byte{0}, filler)
	}); err != nil {
		return err
	}
	return m.db.Update(func(tx *bbolt.Tx) error {
		b := tx.Bucket(bucketMeta)
		for k, v := range facts {
			if err := b.Put([]byte(k), sealValue(v)); err != nil {
				return err
			}
		}
		return b.Delete([]byte{0})
	})
}

// Put writes facts in one transaction; a nil value deletes. It is on flash when Put returns nil.
func (m *Meta) Put(facts map[string][]byte) error {
	if m.fault != nil {
		return m.fault
	}
	err := guard(func() error {
		return m.db.Update(func(tx *bbolt.Tx) error {
			b := tx.Bucket(bucketMeta)
			for k, v := range facts {
				if v == nil {
					if err := b.Delete([]byte(k)); err != nil {
						return err
					}
					continue
				}
				if err := b.Put([]byte(k), sealValue(v)); err != nil {
					return err
				}
			}
			return nil
		})
	})
	if err != nil {
		err = fmt.Errorf("write %s: %w", metaName, orErrno(err))
	}
	if errors.Is(err, errFault) {
		m.fault = err
	}
	return err
}

// Close closes the file.
func (m *Meta) Close() error {
	if m.fault != nil {
		return nil
	}
	return m.db.Close()
}
