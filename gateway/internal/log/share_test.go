package log

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/headwater-iot/headwater/shared/health"
)

const kilo = 100_000

// sharing gives a log on a disk of so many bytes, of which one device gets a tenth.
func sharing(total uint64, board *health.Board) func(*Config) {
	return func(c *Config) {
		c.SharePercent, c.Health, c.noSync = 10, board, true
		c.space = func(string) (uint64, uint64, error) { return total, total, nil }
	}
}

func send(l *Log, t *testing.T, kind Kind, client string, size int) error {
	_, err := l.Append(t.Context(), Record{Kind: kind, Client: client, Payload: make([]byte, size)})
	return err
}

// TestShareOfOneDevice lets a device write until it is refused: others go on, it still says hello, and it goes on when
// what it has has landed.
func TestShareOfOneDevice(t *testing.T) {
	board := health.New()
	l := open(t, t.TempDir(), sharing(1000*kilo, board))
	var err error
	sent := 0
	for err == nil && sent < 1000 {
		client := "greedy"
		if sent%2 == 1 {
			client = "greedy+import-0123456789abcdef" // an import counts with its device
		}
		err = send(l, t, Batch, client, kilo)
		sent++
	}
	if !errors.Is(err, ErrShare) || sent < 80 || sent > 120 {
		t.Fatalf("after %d records of 100 kB on a disk of 100 MB, of which a tenth is the share: %v", sent, err)
	}
	if err := send(l, t, Batch, "modest", kilo); err != nil {
		t.Errorf("another device: %v", err)
	}
	if err := send(l, t, Hello, "greedy", 10); err != nil {
		t.Errorf("a hello of the device: %v", err)
	}
	if up := board.Snapshot(); len(up) != 1 || up[0].Code != "log-share" || !strings.HasPrefix(up[0].Detail, "greedy;") {
		t.Errorf("health says %+v", up)
	}
	if err := l.Trim(l.Next()); err != nil {
		t.Fatal(err)
	}
	if up := board.Snapshot(); len(up) != 0 || l.Unlanded() != 0 {
		t.Errorf("all has landed, %d bytes are said not to have, health says %+v", l.Unlanded(), up)
	}
	if err := send(l, t, Batch, "greedy", kilo); err != nil {
		t.Errorf("after landing: %v", err)
	}
}

// TestSharesFollowTheDisk fills the disk by others while a device has something in the log, and frees it: the device is
// told that the disk is full, not that it took too much, and goes on.
func TestSharesFollowTheDisk(t *testing.T) {
	free := uint64(1000 * kilo)
	l := open(t, t.TempDir(), func(c *Config) {
		c.SharePercent, c.ReservePercent, c.noSync = 10, 5, true
		c.space = func(string) (uint64, uint64, error) { return free, 1000 * kilo, nil }
	})
	for range 50 {
		if err := send(l, t, Batch, "dev", kilo); err != nil {
			t.Fatal(err)
		}
	}
	free = 0
	if err := send(l, t, Batch, "new", kilo); !errors.Is(err, ErrFull) {
		t.Errorf("on a full disk: %v", err)
	}
	if err := send(l, t, Batch, "dev", kilo); !errors.Is(err, ErrShare) { // five times what a full disk leaves to one
		t.Errorf("on a full disk, of a device that has much: %v", err)
	}
	free = 1000 * kilo
	if err := send(l, t, Batch, "dev", kilo); err != nil {
		t.Errorf("with room again: %v", err)
	}
}

// TestHellosHaveAnEnd floods a log with what its device may always say.
func TestHellosHaveAnEnd(t *testing.T) {
	l := open(t, t.TempDir(), sharing(1000*kilo, nil))
	var err error
	for sent := 0; err == nil && sent < 1000; sent++ {
		err = send(l, t, Hello, "chatty", kilo)
	}
	if !errors.Is(err, ErrShare) {
		t.Errorf("1000 hellos of 100 kB on a disk of 100 MB: %v", err)
	}
}

// TestSharesSurviveAStart opens a log again: what has not landed still counts, until landing says how far it is.
func TestSharesSurviveAStart(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir, sharing(1000*kilo, nil))
	for range 50 {
		if err := send(l, t, Batch, "dev", kilo); err != nil {
			t.Fatal(err)
		}
	}
	before := l.Unlanded()
	l.Close()
	l = open(t, dir, sharing(1000*kilo, nil))
	if after := l.Unlanded(); after != before || before < 50*kilo {
		t.Errorf("%d bytes had not landed before the start, %d after it", before, after)
	}
}

// TestSharesAgainstModel compares the blocks with a list of all records: never less than what has not landed, and
// little more; memory stays bounded.
func TestSharesAgainstModel(t *testing.T) {
	type rec struct {
		device    string
		size      int64
		partition int
		next      uint64
	}
	rng := rand.New(rand.NewPCG(1, 2))
	s := newShares()
	var model []rec
	next := make([]uint64, partitions)
	for i := range 20_000 {
		r := rec{device: fmt.Sprint("dev", rng.IntN(5)), size: 1 + rng.Int64N(1<<18), partition: rng.IntN(partitions)}
		next[r.partition]++
		r.next = next[r.partition]
		s.add(r.device, r.size, r.partition, r.next, partitions)
		model = append(model, r)
		if i%3000 == 2999 { // land the first half, or all
			n := len(model) / (1 + rng.IntN(2))
			marks := make([]uint64, partitions)
			for p := range marks {
				marks[p] = next[p]
			}
			for _, r := range model[n:] {
				marks[r.partition] = min(marks[r.partition], r.next-1)
			}
			s.release(marks)
			model = model[n:]
		}
		held, sum := map[string]int64{}, int64(0)
		if i%500 == 0 {
			for _, r := range model {
				held[r.device] += r.size
				sum += r.size
			}
			for device := range maps.Keys(held) {
				if s.held[device] < held[device] {
					t.Fatalf("record %d: %s has %d bytes, the shares say %d", i, device, held[device], s.held[device])
				}
			}
			if s.sum > sum+2*s.per+1<<18 || len(s.blocks) > maxBlocks {
				t.Fatalf("record %d: %d bytes have not landed, the shares say %d in %d blocks of %d", i, sum, s.sum, len(s.blocks), s.per)
			}
		}
	}
	s.release(next)
	if s.sum != 0 || len(s.held) != 0 || len(s.blocks) != 0 {
		t.Errorf("all has landed and the shares say %d bytes, %v, %d blocks", s.sum, s.held, len(s.blocks))
	}
}

// TestSegmentsFitASmallDisk holds that the segments that stay when all has landed do not fill a small disk.
func TestSegmentsFitASmallDisk(t *testing.T) {
	l := open(t, t.TempDir(), func(c *Config) {
		c.noSync = true
		c.space = func(string) (uint64, uint64, error) { return 64 << 20, 64 << 20, nil }
	})
	for range 40 {
		if err := send(l, t, Batch, "dev", 250<<10); err != nil {
			t.Fatal(err)
		}
		if err := l.Trim(l.Next()); err != nil {
			t.Fatal(err)
		}
	}
	if s := l.Stats(); s.Bytes > 6<<20 {
		t.Errorf("all has landed and %d bytes in %d segments stay on a disk of 64 MiB", s.Bytes, s.Segments)
	}
}

// TestFullNamesTheRoom holds that an operator is told which directory and how many bytes.
func TestFullNamesTheRoom(t *testing.T) {
	board, dir, free := health.New(), t.TempDir(), uint64(1000)
	l := open(t, dir, func(c *Config) {
		c.ReservePercent, c.Health = 10, board
		c.space = func(string) (uint64, uint64, error) { return free, 1000, nil }
	})
	add(t, l, 0, "there is room")
	free = 30
	if err := send(l, t, Batch, "dev", 1); !errors.Is(err, ErrFull) || !l.Full() {
		t.Fatalf("append into the reserve: %v, full %v", err, l.Full())
	}
	up := board.Snapshot()
	if len(up) != 1 || !strings.Contains(up[0].Detail, dir) || !strings.Contains(up[0].Detail, "free 70 bytes") {
		t.Errorf("health says %+v", up)
	}
	free = 1000
	add(t, l, 0, "there is room again")
	if up := board.Snapshot(); len(up) != 0 || l.Full() {
		t.Errorf("there is room again and health says %+v, full %v", up, l.Full())
	}
}
