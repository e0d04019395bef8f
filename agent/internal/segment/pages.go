package segment

import (
	"encoding/binary"
	"fmt"
	"os"
)

// What is needed of bbolt's file format, version 2: two meta pages, and a tree of branch and leaf pages with
// a header of 16 bytes (id u64, flags u16, count u16, overflow u32), little-endian on all our machines.
const (
	pageBytes   = 4096
	pageHeader  = 16
	branchFlag  = 0x01
	elementSize = 16      // of a branch: pos u32, ksize u32, page u64
	maxPages    = 1 << 16 // 256 MiB: no file of ours is near
)

// checkTree refuses a file whose pages lead in circles: bbolt would follow them until memory ends, which no
// guard can stop. All other damage it may find itself.
func checkTree(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	seen := make(map[uint64]bool)
	page := make([]byte, pageBytes)
	// A branch that is not in use any more may well point into one that is; a circle anywhere is
	// looked for from each branch, in a file of a thousand pages.
	children := make(map[uint64][]uint64)
	for id := uint64(2); id < maxPages; id++ {
		if _, err := f.ReadAt(page[:pageHeader], int64(id)*pageBytes); err != nil {
			break // the end, or as far as it can be read
		}
		if binary.LittleEndian.Uint16(page[8:])&branchFlag == 0 {
			continue
		}
		if _, err := f.ReadAt(page, int64(id)*pageBytes); err != nil {
			break
		}
		count := min(int(binary.LittleEndian.Uint16(page[10:])), (pageBytes-pageHeader)/elementSize)
		for i := range count {
			children[id] = append(children[id], binary.LittleEndian.Uint64(page[pageHeader+i*elementSize+8:]))
		}
	}
	for id := range children {
		if circles(children, id, make(map[uint64]bool), seen) {
			return fmt.Errorf("%w: pages lead in a circle", ErrDamaged)
		}
	}
	return nil
}

// circles walks down from a branch; path holds the way here, seen what was found to be good.
func circles(children map[uint64][]uint64, id uint64, path, seen map[uint64]bool) bool {
	if path[id] {
		return true
	}
	if seen[id] {
		return false
	}
	path[id] = true
	for _, c := range children[id] {
		if circles(children, c, path, seen) {
			return true
		}
	}
	delete(path, id)
	seen[id] = true
	return false
}
