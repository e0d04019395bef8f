package log

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/headwater-iot/headwater/shared/health"
	"github.com/headwater-iot/headwater/shared/record"
)

const (
	// MaxShare is the most that one device may have in the log before it lands, however large the disk is: landing goes
	// in the order of the log, so this is how much of one device the others may have to wait for.
	MaxShare = 256 << 20
	// minShare is the least: a disk that others have filled is full for all alike, and nobody's share.
	minShare = 1 << 20
	// blockBytes is how finely the log knows what has landed.
	blockBytes = 1 << 20
	// maxBlocks bounds what it knows: beyond, blocks are made twice as large.
	maxBlocks = 64
	// namedOver is how many devices a condition names.
	namedOver = 10
)

// ErrShare means that a device has as much in the log as it may before some of it lands. Others go on.
var ErrShare = errors.New("the device has used up its share of the log; it goes on when some of it has landed")

func shareCondition() *health.Condition {
	return &health.Condition{Code: "log-share", Title: "A device has used up its share of the log: its batches wait on the device", Severity: health.Warning}
}

// shares knows how many bytes of each device have not landed, to a block. Log.mu guards it.
type shares struct {
	limit  int64            // for one device; 0 = none
	held   map[string]int64 // by device
	over   map[string]bool  // devices that were refused and have not come down yet
	blocks []block          // oldest first; the last one is being filled
	per    int64            // bytes of a block
	sum    int64
}

// block is a stretch of the log.
type block struct {
	size  int64
	bytes map[string]int64 // by device
	next  []uint64         // what the marks of all partitions have to reach for it to have landed
}

func newShares() shares {
	return shares{held: map[string]int64{}, over: map[string]bool{}, per: blockBytes}
}

// divide sets the share: so much of what has not landed and of what is free.
func (s *shares) divide(percent int, free int64) {
	if percent > 0 {
		s.limit = min(MaxShare, max(minShare, (s.sum+free)/100*int64(percent)))
	}
}

// admit reports whether a device may have so much more. A hello may take as much again as its batches: it is how the
// device hears what has landed.
func (s *shares) admit(kind Kind, device string, size int64) bool {
	limit := s.limit
	if kind != Batch {
		limit *= 2
	}
	if limit == 0 || s.held[device]+size <= limit {
		return true
	}
	s.over[device] = true
	return false
}

// add notes a record that is in the log; next is where its partition goes on behind it.
func (s *shares) add(device string, size int64, partition int, next uint64, partitions int) {
	if n := len(s.blocks); n == 0 || s.blocks[n-1].size >= s.per {
		if n >= maxBlocks {
			s.coarsen()
		}
		s.blocks = append(s.blocks, block{bytes: map[string]int64{}, next: make([]uint64, partitions)})
	}
	b := &s.blocks[len(s.blocks)-1]
	b.size += size
	b.bytes[device] += size
	b.next[partition] = next
	s.held[device] += size
	s.sum += size
}

// coarsen makes one block of every two.
func (s *shares) coarsen() {
	s.per *= 2
	half := s.blocks[:0]
	for i := 0; i < len(s.blocks); i += 2 {
		b := s.blocks[i]
		if i+1 < len(s.blocks) {
			b.join(s.blocks[i+1])
		}
		half = append(half, b)
	}
	clear(s.blocks[len(half):])
	s.blocks = half
}

// join takes in the block that follows.
func (b *block) join(after block) {
	b.size += after.size
	for device, n := range after.bytes {
		b.bytes[device] += n
	}
	for p, next := range after.next {
		b.next[p] = max(b.next[p], next)
	}
}

// release gives back what has landed.
func (s *shares) release(marks []uint64) {
	for len(s.blocks) > 0 && covers(s.blocks[0].next, marks) {
		for device, n := range s.blocks[0].bytes {
			if s.held[device] -= n; s.held[device] == 0 {
				delete(s.held, device)
			}
		}
		s.sum -= s.blocks[0].size
		s.blocks = slices.Delete(s.blocks, 0, 1)
	}
	if len(s.blocks) == 0 {
		s.per = blockBytes
	}
	maps.DeleteFunc(s.over, func(device string, _ bool) bool { return s.held[device] < s.limit })
}

// text names the devices that are over their share.
func (s *shares) text() string {
	names := slices.Sorted(maps.Keys(s.over))
	more := ""
	if n := len(names) - namedOver; n > 0 {
		names, more = names[:namedOver], fmt.Sprintf(" and %d more", n)
	}
	return fmt.Sprintf("%s%s; a share is %d bytes that have not landed", strings.Join(names, ", "), more, s.limit)
}

// checkShares shows who is over its share.
func (l *Log) checkShares() {
	l.mu.Lock()
	over, text := len(l.shares.over) > 0, ""
	if over {
		text = l.shares.text()
	}
	l.mu.Unlock()
	if over {
		l.cfg.Health.Raise(l.alarm.share, text)
	} else {
		l.cfg.Health.Clear(l.alarm.share)
	}
}

// Unlanded returns how many bytes have not landed yet, to a block.
func (l *Log) Unlanded() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.shares.sum
}

// deviceOf is who a client speaks for: imports count with their device.
func deviceOf(client string) string {
	if device, err := record.DeviceOf(client); err == nil {
		return device
	}
	return client
}

// sizeOf is what a record takes.
func sizeOf(client string, payload []byte) int64 {
	return int64(recordFixed + 1 + len(client) + len(payload))
}
