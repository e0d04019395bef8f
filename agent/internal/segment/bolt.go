package segment

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"runtime/debug"
	"time"

	"go.etcd.io/bbolt"
)

// Read only, all of them.
var (
	bucketBatches = []byte("b")
	bucketInfo    = []byte("i")
	keyInfo       = []byte("info")
	castagnoli    = crc32.MakeTable(crc32.Castagnoli)
)

// guard runs f on a file that may be damaged. bbolt trusts its pages: it panics on some damage, and a
// file that is too short faults when it is read through the mapping.
func guard(f func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%w: %w: %v", ErrDamaged, errFault, p)
		}
	}()
	return f()
}

// letGo closes a file unless bbolt panicked in it: it may have left its locks taken, and Close would wait for
// them for ever. Such a file is given up with its mapping, of which there is one for each damaged file.
func letGo(db *bbolt.DB, err error) {
	if !errors.Is(err, errFault) {
		_ = db.Close() // whatever was written was synced when its transaction ended
	}
}

func options(readOnly, noSync bool) *bbolt.Options {
	return &bbolt.Options{
		Timeout: time.Second, ReadOnly: readOnly, NoSync: noSync, NoGrowSync: noSync,
		NoFreelistSync: true, FreelistType: bbolt.FreelistMapType,
		PageSize: 4096, MaxSize: 2 * fileBytes, NoStatistics: true,
	}
}

// openRead opens a file of an earlier process or an earlier segment of this one.
func openRead(path string) (db *bbolt.DB, err error) {
	if err := checkTree(path); err != nil {
		return nil, orScarce(err)
	}
	err = guard(func() error {
		db, err = bbolt.Open(path, 0o600, options(true, false))
		return err
	})
	return db, orScarce(err)
}

// create makes a file under another name first: a power cut while bbolt writes its first pages would
// leave a file that cannot be opened. It takes the name of the old one when prepare has filled it.
func create(path string, noSync bool, prepare func(*bbolt.DB) error, buckets ...[]byte) (*bbolt.DB, error) {
	tmp := path + tmpSuffix
	_ = os.Remove(tmp)
	db, err := bbolt.Open(tmp, 0o600, options(false, noSync))
	if err != nil {
		return nil, err
	}
	db.AllocSize = 1 << 20
	err = db.Update(func(tx *bbolt.Tx) error {
		for _, b := range buckets {
			if _, err := tx.CreateBucket(b); err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil && prepare != nil {
		err = prepare(db)
	}
	if err == nil {
		err = os.Rename(tmp, path)
	}
	if err == nil && !noSync {
		err = syncDir(filepath.Dir(path))
	}
	if err != nil {
		return nil, errors.Join(orErrno(err), db.Close(), os.Remove(tmp))
	}
	return db, nil
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// sealValue adds the checksum that bbolt's pages do not have.
func sealValue(v []byte) []byte {
	out := append(make([]byte, 0, len(v)+4), v...)
	return binary.LittleEndian.AppendUint32(out, crc32.Checksum(v, castagnoli))
}

// openValue returns a copy of what sealValue was given.
func openValue(v []byte) ([]byte, bool) {
	if len(v) < 4 {
		return nil, false
	}
	n := len(v) - 4
	if crc32.Checksum(v[:n], castagnoli) != binary.LittleEndian.Uint32(v[n:]) {
		return nil, false
	}
	return append([]byte{}, v[:n]...), true
}
