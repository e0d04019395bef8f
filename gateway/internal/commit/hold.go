package commit

import (
	"cmp"
	"slices"
	"time"

	"github.com/headwater-iot/headwater/gateway/internal/land"
)

// splitLinger is how long a group that has some days of a record stays open for others: what they have is usually here.
const splitLinger = 50 * time.Millisecond

// hold keeps the records that have to wait for the next group. A record of more days than a group may touch lands in
// parts, group after group; what is behind it in its partition waits, and the other partitions go on beside it. What is
// more than memory allows is let go, and read again when the record in front has landed.
type hold struct {
	records []*land.Opened // of each partition in its order
	waits   map[int]bool   // the partitions that wait; true: this group has a part of the record in front
	bytes   int64
}

func newHold() *hold { return &hold{waits: map[int]bool{}} }

// has reports whether a partition waits.
func (h *hold) has(partition int) bool {
	_, waits := h.waits[partition]
	return waits
}

// wait begins to hold a partition, at a record of which the group has a part, or nothing.
func (h *hold) wait(o *land.Opened, part bool) {
	h.waits[o.Partition] = part
	h.add(o)
}

// add holds a record.
func (h *hold) add(o *land.Opened) {
	h.records = append(h.records, o)
	h.bytes += o.Bytes()
}

// shed lets go of what is behind the record in front of the partition that holds most, and returns that partition.
func (h *hold) shed() (partition int) {
	front, behind := map[int]bool{}, map[int]int64{}
	isFront := func(o *land.Opened) bool {
		first := !front[o.Partition]
		front[o.Partition] = true
		return first
	}
	for _, o := range h.records {
		if !isFront(o) {
			behind[o.Partition] += o.Bytes()
		}
		if behind[o.Partition] > behind[partition] {
			partition = o.Partition
		}
	}
	clear(front)
	h.records = slices.DeleteFunc(h.records, func(o *land.Opened) bool { return !isFront(o) && o.Partition == partition })
	h.bytes -= behind[partition]
	return partition
}

// order returns what the next group begins with: those first that got nothing of this one, so that records that land in
// parts take turns. behind are the records that nobody has looked at.
func (h *hold) order(behind []*land.Opened) []*land.Opened {
	all := append(h.records, behind...)
	slices.SortStableFunc(all, func(a, b *land.Opened) int { return cmp.Compare(h.had(a), h.had(b)) })
	return all
}

func (h *hold) had(o *land.Opened) int {
	if h.waits[o.Partition] {
		return 1
	}
	return 0
}
