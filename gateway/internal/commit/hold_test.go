package commit_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/headwater-iot/headwater/gateway/internal/commit"
	"github.com/headwater-iot/headwater/gateway/internal/land"
	"github.com/headwater-iot/headwater/gateway/internal/land/landtest"
	"github.com/headwater-iot/headwater/shared/record"
	"github.com/headwater-iot/headwater/shared/wire"
)

// inPartition returns the n-th device of a partition.
func inPartition(partition, partitions, n int) string {
	for i := 0; ; i++ {
		if d := fmt.Sprint("dev-", i); record.Partition(d, partitions) == partition {
			if n--; n < 0 {
				return d
			}
		}
	}
}

// TestManyDaysLeaveRoomForOthers lands two batches of a thousand days each. They take turns, whoever is in another
// partition lands in the next commit, and at the end everything has landed once.
func TestManyDaysLeaveRoomForOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &stage{t: t, lake: landtest.NewLake(), log: landtest.NewLog(1, 3)}
		const days, oneDay = 1000, 86_400_000
		historians := []string{inPartition(0, 3, 0), inPartition(1, 3, 0)}
		send := func(device string, first uint64, rows int, step int64) {
			h := wire.Header{Device: device, Epoch: 1, Boot: 1, First: first, Absolute: true, Base: wall0/1000 - days*oneDay}
			s.log.Append(land.KindBatch, device, wall0, landtest.Readings(t, wire.Anchor{}, h, 1, rows, step))
		}
		for _, device := range historians {
			send(device, 0, days, oneDay)
		}
		behind, free := inPartition(0, 3, 1), inPartition(2, 3, 0)
		send(behind, 0, 10, 1)
		send(free, 0, 10, 1)
		landed := func() map[string]int {
			n := map[string]int{}
			for _, run := range s.lake.Tables().Readings {
				n[run.Device] += len(run.Seq)
			}
			return n
		}
		s.run(nil)
		turns := 0
		for i := uint64(1); landed()[historians[0]] < days || landed()[historians[1]] < days; i++ {
			pass(100 * time.Millisecond)
			n := landed()
			if d := n[historians[0]] - n[historians[1]]; d < -64 || d > 64 {
				t.Fatalf("after %d commits one has landed %d days and the other %d", s.lake.Tables().Commits, n[historians[0]], n[historians[1]])
			}
			if turns++; turns > 100 {
				t.Fatalf("after %d commits %v have landed", s.lake.Tables().Commits, n)
			}
			inParts := n[historians[0]] < days-land.MaxDays && n[historians[1]] < days-land.MaxDays
			if got := n[free]; inParts && got < int(10*i) {
				t.Fatalf("commit %d: of the device in a partition of its own %d readings have landed, want %d", s.lake.Tables().Commits, got, 10*i)
			}
			send(free, 10*i, 10, 1)
		}
		pass(2 * time.Second)
		if n := landed(); n[historians[0]] != days || n[historians[1]] != days || n[behind] != 10 {
			t.Errorf("landed %v", n)
		}
		s.end()
	})
}

// TestMuchBehindManyDaysLeavesRoomForOthers holds more behind a batch of a thousand days than there is memory for. It is
// read again later; meanwhile whoever is in another partition lands, and at the end everything has landed once.
func TestMuchBehindManyDaysLeavesRoomForOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &stage{t: t, lake: landtest.NewLake(), log: landtest.NewLog(1, 2)}
		const days, oneDay, behind = 1000, 86_400_000, 200
		historian, free := inPartition(0, 2, 0), inPartition(1, 2, 0)
		send := func(device string, first uint64, rows int, step int64) {
			h := wire.Header{Device: device, Epoch: 1, Boot: 1, First: first, Absolute: true, Base: wall0/1000 - days*oneDay}
			s.log.Append(land.KindBatch, device, wall0, landtest.Readings(t, wire.Anchor{}, h, 1, rows, step))
		}
		send(historian, 0, days, oneDay)
		for i := range uint64(behind) {
			send(historian, days+10*i, 10, 1)
		}
		landed := func() map[string]int {
			n := map[string]int{}
			for _, run := range s.lake.Tables().Readings {
				n[run.Device] += len(run.Seq)
			}
			return n
		}
		s.lake.Fault = func() (error, bool) {
			<-time.After(100 * time.Millisecond) // what a commit takes
			return nil, false
		}
		s.run(func(c *commit.Config) { c.Bytes = 100_000 })
		for i := uint64(0); landed()[historian] < days; i++ {
			send(free, 10*i, 10, 1)
			pass(time.Second)
			if n := landed(); n[free] < int(10*i) {
				t.Fatalf("with %d days landed %d readings of the device in a partition of its own have, want %d", n[historian], n[free], 10*i)
			}
		}
		pass(10 * time.Second)
		if n := landed(); n[historian] != days+10*behind || s.lake.Tables().Commits > 200 {
			t.Errorf("landed %v by %d commits", n, s.lake.Tables().Commits)
		}
		s.end()
	})
}
