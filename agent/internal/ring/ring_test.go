package ring

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
	"pgregory.net/rapid"

	"github.com/headwater-iot/headwater/shared/wire"
)

// small returns a heap ring that wraps soon.
func small(bytes int) *Ring { return newRing(make([]byte, headerBytes+bytes)) }

// again is what the next process maps.
func again(r *Ring) *Ring { return newRing(bytes.Clone(r.mem)) }

func tmpfs(t *testing.T) string {
	t.Helper()
	var st unix.Statfs_t
	if err := unix.Statfs("/dev/shm", &st); err != nil || uint32(st.Type) != unix.TMPFS_MAGIC {
		t.Skip("/dev/shm is no tmpfs here")
	}
	dir, err := os.MkdirTemp("/dev/shm", "headwater-ring-")
	if err != nil {
		t.Skipf("no room on /dev/shm: %v", err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

// TestAgainstModel holds the ring to a plain list: appended, released in any order, found again by the
// next process after every step.
func TestAgainstModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		type kept struct {
			pos     uint64
			counter uint64
			payload []byte
		}
		r := small(1024)
		r.SetHeader(Header{Device: "d", Epoch: 1, Boot: 1})
		var model []kept
		counter := uint64(0)
		t.Repeat(map[string]func(*rapid.T){
			"append": func(t *rapid.T) {
				p := bytes.Repeat([]byte{byte(counter)}, rapid.IntRange(0, 200).Draw(t, "bytes"))
				pos, err := r.Append(Row, counter, 3, p, 0)
				if errors.Is(err, ErrFull) {
					if len(model) == 0 {
						t.Fatalf("an empty ring is full: used %d of %d", r.Used(), r.Cap())
					}
					return
				}
				model = append(model, kept{pos, counter, p})
				counter++
			},
			"release": func(t *rapid.T) {
				if len(model) == 0 {
					t.Skip()
				}
				i := rapid.IntRange(0, len(model)-1).Draw(t, "which")
				r.Release(model[i].pos)
				r.Release(model[i].pos) // twice is once
				model = append(model[:i:i], model[i+1:]...)
			},
			"restart": func(*rapid.T) {
				r = again(r)
				r.Recover()
			},
			"": func(t *rapid.T) {
				next := again(r)
				found := next.Recover()
				if !found.Known || found.Holes != 0 || len(found.Damaged) != 0 || len(found.Entries) != len(model) {
					t.Fatalf("found %+v, want %d records", found, len(model))
				}
				for i, e := range found.Entries {
					if m := model[i]; e.Pos != m.pos || e.Counter != m.counter || !bytes.Equal(e.Payload, m.payload) {
						t.Fatalf("record %d: %+v, want %+v", i, e, m)
					}
				}
				if len(model) == 0 && r.Used() != 0 {
					t.Fatalf("empty, and %d bytes used", r.Used())
				}
			},
		})
	})
}

// TestDamage flips every byte of a ring in turn: the record it lies in may go, no other may.
func TestDamage(t *testing.T) {
	r := small(1024)
	r.SetHeader(Header{Device: "d", Epoch: 7, Boot: 9, Next: 11})
	for i := range 5 {
		if _, err := r.Append(Row, uint64(i), 2, []byte(fmt.Sprintf("payload %d", i)), 0); err != nil {
			t.Fatal(err)
		}
	}
	for at := headerBytes; at < headerBytes+int(r.tail); at++ {
		next := again(r)
		next.mem[at] ^= 0x10
		found := next.Recover()
		if n := len(found.Entries); n < 4 {
			t.Fatalf("byte %d flipped: %d records left", at, n)
		}
		for _, e := range found.Entries {
			if string(e.Payload) != fmt.Sprintf("payload %d", e.Counter) {
				t.Fatalf("byte %d flipped: record %d says %q", at, e.Counter, e.Payload)
			}
		}
		lost := 5 - len(found.Entries)
		// A lost header of the last record is not seen: there is nothing behind it that is missed.
		if lastHeader := at >= headerBytes+int(r.recs[4].pos); lost > 0 && !lastHeader && len(found.Damaged)+found.Holes == 0 {
			t.Fatalf("byte %d flipped: a record is lost and nobody says so", at)
		}
	}
}

func TestOneHeaderSlotIsEnough(t *testing.T) {
	r := small(1024)
	for n := range uint64(3) {
		r.SetHeader(Header{Device: "d", Epoch: 7, Boot: 9, Next: n, Anchor: wire.Anchor{State: wire.Synced, Wall: -5}})
	}
	next := again(r)
	next.mem[r.gen%2*slotBytes+30] ^= 1 // the newest
	if found := next.Recover(); !found.Known || next.Header().Next != 1 || next.Header().Anchor.Wall != -5 {
		t.Fatalf("header %+v", next.Header())
	}
	next.mem[(r.gen+1)%2*slotBytes+30] ^= 1
	if found := again(next).Recover(); found.Known {
		t.Fatal("a header of damaged slots is believed")
	}
}

func TestRecordsAreFoundWithoutAHeader(t *testing.T) {
	r := small(1024)
	r.SetHeader(Header{Device: "d", Epoch: 7, Boot: 9})
	var last uint64
	for i := range uint64(40) { // three times round
		pos, err := r.Append(Row, i, 1, make([]byte, 40), 0)
		if err != nil {
			t.Fatal(err)
		}
		if i > 0 {
			r.Release(last)
		}
		last = pos
	}
	clear(r.mem[:headerBytes])
	found := again(r).Recover()
	if found.Known || len(found.Entries) != 1 || found.Entries[0].Counter != 39 {
		t.Fatalf("found %+v", found)
	}
}

func TestFileKeepsItsRecords(t *testing.T) {
	path := filepath.Join(tmpfs(t), "sub", "r.ring")
	r, err := Open(path, 0)
	if err != nil {
		t.Fatal(err)
	}
	r.SetHeader(Header{Device: "d", Epoch: 7, Boot: 9})
	if _, err := r.Append(Sealed, 0, 0, []byte("x"), 0); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(path, 0); err == nil {
		t.Fatal("two processes have one ring")
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	r, err = Open(path, 4<<20) // another size in the configuration
	if err != nil {
		t.Fatal(err)
	}
	if found := r.Recover(); len(found.Entries) != 1 || string(found.Entries[0].Payload) != "x" {
		t.Fatalf("found %+v", found)
	}
	if err := errors.Join(r.Remove(), r.Close()); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); err == nil {
		t.Fatal("the file is still there")
	}
}

func TestTruncatedFileIsUsedAsFarAsItGoes(t *testing.T) {
	path := filepath.Join(tmpfs(t), "r.ring")
	for _, size := range []int64{0, 100, headerBytes, headerBytes + 60, headerBytes + 1000} {
		r, err := Open(path, 0)
		if err != nil {
			t.Fatal(err)
		}
		r.Reset()
		r.SetHeader(Header{Device: "d", Epoch: 7, Boot: 9})
		for i := range uint64(100) {
			if _, err := r.Append(Row, i, 1, []byte("x"), 0); err != nil {
				t.Fatal(err)
			}
		}
		if err := errors.Join(r.Close(), os.Truncate(path, size)); err != nil {
			t.Fatal(err)
		}
		if r, err = Open(path, 0); err != nil {
			t.Fatalf("%d bytes: %v", size, err)
		}
		want := max(0, int(size-headerBytes)/Size(1))
		if found := r.Recover(); len(found.Entries) != want {
			t.Fatalf("%d bytes: %d records, want %d", size, len(found.Entries), want)
		}
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestRingOnFlashIsRefused(t *testing.T) {
	var st unix.Statfs_t
	dir := t.TempDir()
	if err := unix.Statfs(dir, &st); err != nil || uint32(st.Type) == unix.TMPFS_MAGIC {
		t.Skip("the temporary directory is a tmpfs")
	}
	if _, err := Open(filepath.Join(dir, "r.ring"), 0); !errors.Is(err, ErrNotTmpfs) {
		t.Fatalf("open: %v", err)
	}
}
