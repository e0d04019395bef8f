package commit_test

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/headwater-iot/headwater/gateway/internal/commit"
	"github.com/headwater-iot/headwater/gateway/internal/cursor"
	"github.com/headwater-iot/headwater/gateway/internal/land"
	"github.com/headwater-iot/headwater/gateway/internal/land/landtest"
	"github.com/headwater-iot/headwater/gateway/internal/table"
	"github.com/headwater-iot/headwater/shared/health"
	"github.com/headwater-iot/headwater/shared/record"
	"github.com/headwater-iot/headwater/shared/wire"
)

// stage is a loop that runs in a bubble.
type stage struct {
	t    *testing.T
	lake *landtest.Lake
	log  *landtest.Log
	told []cursor.Update
	next uint64 // seq
	stop context.CancelFunc
	done chan error // one result
}

// begin starts a loop; edit may change its configuration.
func begin(t *testing.T, edit func(*commit.Config)) *stage {
	s := &stage{t: t, lake: landtest.NewLake(), log: landtest.NewLog(1, 2)}
	s.run(edit)
	return s
}

func (s *stage) run(edit func(*commit.Config)) {
	cfg := commit.Config{
		Lake: s.lake, Log: s.log, Outcome: landtest.Outcome, LogID: s.log.ID, Partitions: s.log.Partitions,
		Lander: land.New(land.Config{Log: s.log.ID, Lookup: s.lake.Cursor, Logger: slog.New(slog.DiscardHandler)}),
		Logger: slog.New(slog.DiscardHandler),
		Landed: func(u []cursor.Update) { s.told = append(s.told, u...) },
	}
	if edit != nil {
		edit(&cfg)
	}
	loop := commit.New(cfg)
	ctx, stop := context.WithCancel(s.t.Context())
	s.stop, s.done = stop, make(chan error, 1)
	go func() { s.done <- loop.Run(ctx) }()
	s.t.Cleanup(stop)
	<-loop.Ready()
}

func (s *stage) end() {
	s.t.Helper()
	s.stop()
	if err := <-s.done; err != nil {
		s.t.Errorf("run: %v", err)
	}
}

// send logs n batches of ten readings.
func (s *stage) send(n int) {
	for range n {
		h := wire.Header{Device: "probe-1", Epoch: 1, Boot: 1, First: s.next, Base: 1000}
		s.log.Append(land.KindBatch, "probe-1", time.Now().UnixMicro(), landtest.Readings(s.t, landtest.Sync(wall0), h, 1, 10, 1))
		s.next += 10
	}
}

func pass(d time.Duration) { <-time.After(d); synctest.Wait() }

// commits fails unless the lake has taken n commits.
func (s *stage) commits(n int) {
	s.t.Helper()
	synctest.Wait()
	if got := s.lake.Tables().Commits; got != n {
		s.t.Errorf("%d commits, want %d", got, n)
	}
}

func TestGroupIsCommittedASecondAfterItsFirstRecord(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := begin(t, nil)
		pass(time.Hour)
		s.send(1)
		pass(900 * time.Millisecond)
		s.send(1)
		s.commits(0)
		pass(100 * time.Millisecond)
		s.commits(1)
		if len(s.told) != 1 || s.told[0].Closed.Mark() != 20 {
			t.Errorf("told %+v", s.told)
		}
		s.end()
	})
}

func TestFullGroupIsCommittedAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := begin(t, func(c *commit.Config) { c.Bytes = 4000 })
		s.send(4) // 4 * (800 + 10*32) bytes
		s.commits(1)
		s.end()
	})
}

func TestIdleCommitsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := begin(t, nil)
		hello := landtest.Hello(t, &wire.Hello{
			Device: "probe-1", Client: "probe-1", Boot: 1, Epochs: []wire.HelloEpoch{{Epoch: 1, Boot: 1}},
		})
		for range 60 {
			s.log.Append(land.KindHello, "probe-1", time.Now().UnixMicro(), hello)
			pass(time.Minute)
		}
		s.commits(1) // the first hello
		s.end()
		s.commits(1)
	})
}

func TestUnchangedHellosAreCommittedInBulk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := begin(t, nil)
		hello := landtest.Hello(t, &wire.Hello{
			Device: "probe-1", Client: "probe-1", Boot: 1, Epochs: []wire.HelloEpoch{{Epoch: 1, Boot: 1}},
		})
		s.log.Append(land.KindHello, "probe-1", time.Now().UnixMicro(), hello)
		pass(time.Second)
		for range 4096 {
			s.log.Append(land.KindHello, "probe-1", time.Now().UnixMicro(), hello)
		}
		s.commits(2)
		if marks, _, _ := s.lake.Marks(t.Context()); marks.Next[record.Partition("probe-1", 2)] != 4097 {
			t.Errorf("marks %v", marks.Next)
		}
		s.end()
	})
}

// slow is a lake whose commits take time.
type slow struct {
	*landtest.Lake
	d time.Duration
}

func (l slow) Commit(ctx context.Context, c *table.Commit) error {
	<-time.After(l.d)
	return l.Lake.Commit(ctx, c)
}

func TestSlowCommitsStretchTheWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := begin(t, func(c *commit.Config) { c.Lake = slow{c.Lake.(*landtest.Lake), 2 * time.Second} })
		s.send(1)
		pass(3 * time.Second) // 1 s to gather, 2 s to commit
		s.commits(1)
		s.send(1)
		pass(9 * time.Second) // 4 * 2 s to gather
		s.commits(1)
		pass(time.Second)
		s.commits(2)
		s.end()
	})
}

// TestScatteredImportIsGathered: batches of an import with many days each are committed together, when no more of them
// have come for a second, and within ten all the same. One with few days does not keep live data waiting (the control).
func TestScatteredImportIsGathered(t *testing.T) {
	for _, c := range []struct {
		days, pauses    int
		commits, atLast int
	}{
		{days: 366, pauses: 8, commits: 0, atLast: 1},
		{days: 366, pauses: 16, commits: 1, atLast: 2},
		{days: 3, pauses: 8, commits: 4, atLast: 4},
	} {
		synctest.Test(t, func(t *testing.T) {
			s := begin(t, nil)
			client := record.ImportClient("probe-1", 9)
			for i := range c.pauses {
				h := wire.Header{Absolute: true, Device: "probe-1", Epoch: 9, Boot: 9, First: uint64(i * c.days)}
				s.log.Append(land.KindBatch, client, time.Now().UnixMicro(), landtest.Readings(t, wire.Anchor{}, h, 1, c.days, 86_400_000))
				pass(700 * time.Millisecond)
			}
			s.commits(c.commits)
			pass(2 * time.Second)
			s.commits(c.atLast)
			s.end()
		})
	}
}

func TestStopCommitsWhatWasGathered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := begin(t, nil)
		s.send(3)
		synctest.Wait()
		s.end()
		s.commits(1)
	})
}

func TestForeignLogStops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := begin(t, nil)
		s.send(1)
		pass(2 * time.Second)
		_, takeOver, _ := s.lake.Load(t.Context())
		if err := takeOver(t.Context(), table.Marks{Log: wire.ID{2}, Next: make([]uint64, 2)}); err != nil {
			t.Fatal(err)
		}
		s.send(1)
		if err := <-s.done; !errors.Is(err, commit.ErrForeign) {
			t.Errorf("run: %v", err)
		}
		s.commits(1)
	})
}

func TestTakeoverLoadsAgainWhenItsPinFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := begin(t, nil)
		s.send(1)
		pass(2 * time.Second)
		s.end()
		old := s.log
		s.log = landtest.NewLog(2, 2)
		loads := 0
		s.run(func(c *commit.Config) {
			c.Lake = meddled{s.lake, func() {
				if loads++; loads == 1 { // the old gateway commits between load and takeover
					_, own, _ := s.lake.Load(t.Context())
					_ = own(t.Context(), old.Next())
				}
			}}
		})
		if loads != 2 {
			t.Errorf("loaded %d times", loads)
		}
		s.next = 0
		s.send(2) // the device sends again what it was never told about, and more
		pass(2 * time.Second)
		if c := s.lake.Tables().Cursors[table.Key{Device: "probe-1", Epoch: 1}]; c.Landed != 20 {
			t.Errorf("cursor %+v", c)
		}
		s.end()
	})
}

// An old log comes back after another one has owned the lake, and no longer holds what it was told had landed.
func TestTakeoverByATrimmedLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := begin(t, nil)
		s.send(3)
		pass(2 * time.Second)
		s.end()
		s.send(1) // stays behind in the old log
		old := s.log
		if old.First().Next[1]+old.First().Next[0] != 3 {
			t.Fatal("nothing was trimmed: ", old.First())
		}
		s.log = landtest.NewLog(2, 2)
		s.run(nil)
		s.next -= 10
		s.send(2) // one of them is the one that stayed behind
		pass(2 * time.Second)
		s.end()
		s.log = old
		s.run(nil)
		s.send(1)
		pass(2 * time.Second)
		if c := s.lake.Tables().Cursors[table.Key{Device: "probe-1", Epoch: 1}]; c.Landed != 60 || c.Closed.Mark() != 60 {
			t.Errorf("cursor %+v", c)
		}
		s.end()
	})
}

func TestLogApartFromItsLakeStops(t *testing.T) {
	for name, edit := range map[string]func(lake *table.Marks){
		"an older lake": func(lake *table.Marks) { lake.Next = make([]uint64, 2) },
		"an older log":  func(lake *table.Marks) { lake.Next[0]++ },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := begin(t, nil)
				s.send(1)
				pass(2 * time.Second)
				s.end()
				marks := s.log.Next()
				edit(&marks)
				_, own, _ := s.lake.Load(t.Context())
				if err := own(t.Context(), marks); err != nil {
					t.Fatal(err)
				}
				if err := program(s.lake, s.log).Run(t.Context()); !errors.Is(err, commit.ErrApart) {
					t.Errorf("run: %v", err)
				}
			})
		})
	}
}

// meddled is a lake to which something happens after each load.
type meddled struct {
	*landtest.Lake
	after func()
}

func (l meddled) Load(ctx context.Context) ([]table.Cursor, commit.Takeover, error) {
	cursors, takeOver, err := l.Lake.Load(ctx)
	l.after()
	return cursors, takeOver, err
}

func TestUnknownKindLandsWhatCameBeforeAndStops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := begin(t, nil)
		s.send(2)
		s.log.Append(6, "probe-1", time.Now().UnixMicro(), nil)
		if err := <-s.done; !errors.Is(err, land.ErrKind) {
			t.Errorf("run: %v", err)
		}
		s.commits(1)
	})
}

func TestOtherNumberOfPartitionsStops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := begin(t, nil)
		s.end()
		log := landtest.NewLog(1, 5)
		if err := program(s.lake, log).Run(t.Context()); !errors.Is(err, commit.ErrPartitions) {
			t.Errorf("run: %v", err)
		}
		s.commits(0)
	})
}

func TestFaultAtEveryCommitLeavesOneFate(t *testing.T) {
	const batches = 5
	for fault, err := range map[string]error{
		"unknown, did not happen": landtest.ErrUnknown, "unknown, happened": landtest.ErrUnknown,
		"conflict": landtest.ErrConflict, "failed": landtest.ErrFailed,
	} {
		for at := range batches {
			synctest.Test(t, func(t *testing.T) {
				s, n := begin(t, nil), 0
				s.lake.Fault = func() (error, bool) {
					if n++; n == at+1 {
						return err, fault == "unknown, happened"
					}
					return nil, false
				}
				for range batches {
					s.send(1)
					pass(time.Second)
				}
				pass(time.Minute)
				seen := map[uint64]int{}
				for _, run := range s.lake.Tables().Readings {
					for _, seq := range run.Seq {
						seen[seq]++
					}
				}
				for seq := range s.next {
					if seen[seq] != 1 {
						t.Errorf("%s at commit %d: seq %d landed %d times", fault, at, seq, seen[seq])
					}
				}
				s.end()
			})
		}
	}
}

func TestDevicesAreWrittenNowAndThen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		writes := 0
		s := begin(t, func(c *commit.Config) {
			c.Devices = func(context.Context, []table.Device) error {
				writes++
				return errors.New("nobody minds")
			}
		})
		for range 45 {
			s.send(1)
			pass(2 * time.Second)
		}
		if writes != 3 {
			t.Errorf("%d writes in 90 s", writes)
		}
		s.commits(45)
		s.end()
	})
}

func TestLakeRefusesWhatItShould(t *testing.T) {
	lake := landtest.NewLake()
	_, first, _ := lake.Load(t.Context())
	_, second, _ := lake.Load(t.Context())
	mine := table.Marks{Log: wire.ID{1}, Next: []uint64{0}}
	if err := first(t.Context(), mine); err != nil {
		t.Fatal(err)
	}
	if err := second(t.Context(), mine); !errors.Is(err, landtest.ErrConflict) {
		t.Errorf("old pin: %v", err)
	}
	for want, expect := range map[error]table.Marks{
		landtest.ErrForeign: {Log: wire.ID{2}, Next: []uint64{0}},
		landtest.ErrStale:   {Log: wire.ID{1}, Next: []uint64{1}},
	} {
		if err := lake.Commit(t.Context(), &table.Commit{Expect: expect}); !errors.Is(err, want) {
			t.Errorf("%v: got %v", want, err)
		}
	}
}

func TestFailingCommitsAreSaidUntilOneSucceeds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		board := health.New()
		defer board.Close()
		s := begin(t, func(c *commit.Config) { c.Health = board })
		var broken atomic.Bool
		broken.Store(true)
		s.lake.Fault = func() (error, bool) {
			if broken.Load() {
				return landtest.ErrFailed, false
			}
			return nil, false
		}
		s.send(1)
		pass(time.Minute)
		if up := board.Snapshot(); len(up) != 1 || up[0].Code != "commit_failing" {
			t.Errorf("conditions %+v", up)
		}
		broken.Store(false)
		pass(time.Minute)
		s.commits(1)
		if up := board.Snapshot(); len(up) != 0 {
			t.Errorf("conditions %+v", up)
		}
		s.end()
	})
}
