package log

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"
	"pgregory.net/rapid"

	"github.com/headwater-iot/headwater/shared/durable"
)

const partitions = 3

func open(t testing.TB, dir string, change ...func(*Config)) *Log {
	t.Helper()
	l, err := tryOpen(dir, change...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

func tryOpen(dir string, change ...func(*Config)) (*Log, error) {
	cfg := Config{Dir: dir, Partitions: partitions}
	for _, c := range change {
		c(&cfg)
	}
	return Open(cfg)
}

func small(cfg *Config) { cfg.SegmentBytes = 2000 }

// add appends one record and returns it as a reader should give it.
func add(t testing.TB, l *Log, partition int, payload string) Entry {
	t.Helper()
	pos, err := l.Append(t.Context(), Record{Kind: Batch, Partition: partition, Client: "dev", Payload: []byte(payload)})
	if err != nil {
		t.Fatal(err)
	}
	return Entry{Kind: Batch, Partition: partition, Offset: pos.Offset, Received: pos.Received, Client: "dev", Payload: []byte(payload)}
}

// readAll reads n records from the given offsets.
func readAll(t testing.TB, l *Log, from []uint64, n int) []Entry {
	t.Helper()
	r, err := l.Reader(from)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var out []Entry
	for range n {
		e, err := r.Next(t.Context())
		if err != nil {
			t.Fatalf("read record %d of %d: %v", len(out)+1, n, err)
		}
		e.Leads = false
		out = append(out, e)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if e, err := r.Next(ended); !errors.Is(err, context.Canceled) {
		t.Fatalf("a record too many: %+v, %v", e, err)
	}
	return out
}

func equal(t testing.TB, got, want []Entry) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%d records, want %d", len(got), len(want))
	}
	for i := range want {
		g, w := got[i], want[i]
		if g.Kind != w.Kind || g.Partition != w.Partition || g.Offset != w.Offset || g.Received != w.Received || g.Client != w.Client || !bytes.Equal(g.Payload, w.Payload) {
			t.Fatalf("record %d is %+v, want %+v", i, g, w)
		}
	}
}

// TestLogAgainstModel appends, reopens, trims and reads, and compares with a slice.
func TestLogAgainstModel(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		dir, err := os.MkdirTemp("", "log-model-")
		if err != nil {
			t.Fatal(err)
		}
		defer os.RemoveAll(dir)
		clock := time.Unix(1000, 0)
		cfg := func(c *Config) { c.SegmentBytes, c.noSync, c.Now = 600, true, func() time.Time { return clock } }
		l := open(t, dir, cfg)
		defer func() { l.Close() }()
		var model []Entry
		landed := make([]uint64, partitions)
		id, start := l.ID(), l.Start()
		rt.Repeat(map[string]func(*rapid.T){
			"append": func(rt *rapid.T) {
				model = append(model, add(t, l, rapid.IntRange(0, partitions-1).Draw(rt, "partition"), rapid.StringN(0, 200, 300).Draw(rt, "payload")))
			},
			"clock": func(rt *rapid.T) {
				clock = clock.Add(time.Duration(rapid.Int64Range(-1e12, 1e12).Draw(rt, "step")))
			},
			"reopen": func(*rapid.T) {
				l.Close()
				l = open(t, dir, cfg)
				if start++; l.ID() != id || l.Start() != start {
					rt.Fatalf("reopened as %s, start %d; want %s, %d", l.ID(), l.Start(), id, start)
				}
			},
			"land": func(rt *rapid.T) {
				for p, n := range l.Next() {
					landed[p] = rapid.Uint64Range(landed[p], n).Draw(rt, "landed")
				}
				if err := l.Trim(landed); err != nil {
					rt.Fatal(err)
				}
			},
			"": func(rt *rapid.T) {
				var want []Entry
				last := int64(-1 << 62)
				for _, e := range model {
					if e.Received < last {
						rt.Fatalf("received time falls: %d after %d", e.Received, last)
					}
					last = e.Received
					if e.Offset >= landed[e.Partition] {
						want = append(want, e)
					}
				}
				equal(t, readAll(t, l, landed, len(want)), want)
			},
		})
	})
}

// TestAppendsShareSyncs holds the sync of one append back until others wait: they all go with the next one.
func TestAppendsShareSyncs(t *testing.T) {
	var syncs atomic.Int64
	reached, held := make(chan struct{}), make(chan struct{})
	l := open(t, t.TempDir(), func(c *Config) {
		c.Disk.Step = func(step, path string) error {
			if step == durable.StepSync && strings.HasSuffix(path, ".hwl") && syncs.Add(1) == 2 { // 1 is the start record
				close(reached)
				<-held
			}
			return nil
		}
	})
	var wg sync.WaitGroup
	wg.Go(func() { add(t, l, 0, "first") })
	<-reached
	const n = 50
	for i := range n {
		wg.Go(func() { add(t, l, i%partitions, "x") })
	}
	for queued := 0; queued < n; runtime.Gosched() {
		l.mu.Lock()
		queued = len(l.queue)
		l.mu.Unlock()
	}
	close(held)
	wg.Wait()
	if syncs.Load() != 3 {
		t.Errorf("%d appends behind one that waited took %d fsyncs, want 1", n, syncs.Load()-2)
	}
}

// TestTornTailAtEveryByte cuts the file at each byte of the last record: what came before is there, the log goes on.
func TestTornTailAtEveryByte(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir)
	want := []Entry{add(t, l, 0, "first"), add(t, l, 1, "second")}
	before := l.Stats().Bytes
	add(t, l, 0, "the last one")
	l.Close()
	whole, err := os.ReadFile(l.path(0))
	if err != nil {
		t.Fatal(err)
	}
	for cut := before; cut < int64(len(whole)); cut++ {
		if err := os.WriteFile(l.path(0), whole[:cut], 0o644); err != nil {
			t.Fatal(err)
		}
		l := open(t, dir, func(c *Config) { c.noSync = true })
		equal(t, readAll(t, l, make([]uint64, partitions), 2), want)
		if e := add(t, l, 0, "again"); e.Offset != 1 {
			t.Fatalf("cut at %d: the next offset is %d", cut, e.Offset)
		}
		l.Close()
	}
}

// TestEveryBitFlip damages each bit of a log of three groups. Damage to the last group may be a torn write; damage
// before it must stop the start and name the place. Nothing wrong is ever read.
func TestEveryBitFlip(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir)
	add(t, l, 0, "first")
	add(t, l, 1, "second")
	before := l.Stats().Bytes
	add(t, l, 2, "third")
	l.Close()
	whole, err := os.ReadFile(l.path(0))
	if err != nil {
		t.Fatal(err)
	}
	for bit := range len(whole) * 8 {
		bad := slices.Clone(whole)
		bad[bit/8] ^= 1 << (bit % 8)
		if err := os.WriteFile(l.path(0), bad, 0o644); err != nil {
			t.Fatal(err)
		}
		l, err := tryOpen(dir, func(c *Config) { c.noSync = true })
		tail := int64(bit/8) >= before
		if (err == nil) != tail {
			t.Fatalf("bit %d of byte %d (tail %v): open says %v", bit%8, bit/8, tail, err)
		}
		if err == nil {
			readAll(t, l, make([]uint64, partitions), 2)
			l.Close()
		} else if !strings.Contains(err.Error(), filepath.Base(l2path(dir))) {
			t.Fatalf("the error does not name the file: %v", err)
		}
	}
}

func l2path(dir string) string { return filepath.Join(dir, fmt.Sprintf("%016x.hwl", 0)) }

// TestEveryStepFails fails the Nth disk operation for all N, then reopens: whatever Append said yes to is there.
func TestEveryStepFails(t *testing.T) {
	broken := errors.New("injected")
	for n := 1; ; n++ {
		dir, count, hit := t.TempDir(), 0, false
		step := func(c *Config) {
			small(c)
			c.SegmentBytes = 300
			c.Disk.Step = func(string, string) error {
				if count++; count == n {
					hit = true
					return broken
				}
				return nil
			}
		}
		var want []Entry
		l, err := tryOpen(dir, step)
		if err == nil {
			for i := range 12 {
				pos, err := l.Append(t.Context(), Record{Kind: Batch, Partition: i % partitions, Client: "dev", Payload: bytes.Repeat([]byte{byte(i)}, 100)})
				if err != nil {
					if !errors.Is(err, ErrFailed) {
						t.Fatalf("step %d: %v", n, err)
					}
					break
				}
				want = append(want, Entry{Kind: Batch, Partition: i % partitions, Offset: pos.Offset, Received: pos.Received, Client: "dev", Payload: bytes.Repeat([]byte{byte(i)}, 100)})
			}
			l.Close()
		} else if !errors.Is(err, broken) {
			t.Fatalf("step %d: open says %v", n, err)
		}
		again := open(t, dir)
		next, got := again.Next(), uint64(0)
		for _, x := range next {
			got += x
		}
		equal(t, readAll(t, again, make([]uint64, partitions), int(got))[:len(want)], want)
		again.Close()
		if !hit {
			t.Logf("%d disk operations, each failed once", n-1)
			return
		}
	}
}

// TestFullDiskIsNotTheEnd refuses while there is no room and goes on when there is.
func TestFullDiskIsNotTheEnd(t *testing.T) {
	full := false
	l := open(t, t.TempDir(), func(c *Config) {
		c.Disk.Step = func(step, _ string) error {
			if full && step == stepAppend {
				return unix.ENOSPC
			}
			return nil
		}
	})
	first := add(t, l, 0, "before")
	full = true
	if _, err := l.Append(t.Context(), Record{Kind: Batch, Client: "dev", Payload: []byte("x")}); !errors.Is(err, ErrFull) {
		t.Fatalf("append on a full disk: %v", err)
	}
	full = false
	second := add(t, l, 0, "after")
	if second.Offset != first.Offset+1 {
		t.Errorf("offsets %d, %d: want dense", first.Offset, second.Offset)
	}
	equal(t, readAll(t, l, make([]uint64, partitions), 2), []Entry{first, second})
}

func TestFailedSyncIsFinal(t *testing.T) {
	broken := false
	l := open(t, t.TempDir(), func(c *Config) {
		c.Disk.Step = func(step, _ string) error {
			if broken && step == durable.StepSync {
				return unix.EIO
			}
			return nil
		}
	})
	broken = true
	for range 2 {
		if _, err := l.Append(t.Context(), Record{Kind: Batch, Client: "dev", Payload: []byte("x")}); !errors.Is(err, ErrFailed) {
			t.Fatalf("append over a failed fsync: %v", err)
		}
		broken = false // what the kernel dropped cannot be asked for again
	}
}

func TestOpenRefuses(t *testing.T) {
	tests := []struct {
		name  string
		spoil func(t *testing.T, dir string)
		cfg   func(*Config)
		want  string
	}{
		{"another number of partitions", func(*testing.T, string) {}, func(c *Config) { c.Partitions = 5 }, "set log.partitions to 3"},
		{"a segment is missing", func(t *testing.T, dir string) {
			if err := os.Remove(filepath.Join(dir, fmt.Sprintf("%016x.hwl", 1))); err != nil {
				t.Fatal(err)
			}
		}, small, "is missing"},
		{"a strange file", func(t *testing.T, dir string) {
			if err := os.WriteFile(filepath.Join(dir, "x.hwl"), nil, 0o644); err != nil {
				t.Fatal(err)
			}
		}, small, "not a segment"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			l := open(t, dir, small)
			for range 12 {
				add(t, l, 0, strings.Repeat("x", 500))
			}
			l.Close()
			tt.spoil(t, dir)
			if _, err := tryOpen(dir, tt.cfg); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("open says %v, want %q", err, tt.want)
			}
		})
	}
}

// TestReaderWaits gives a record to a reader that is waiting for it.
func TestReaderWaits(t *testing.T) {
	l := open(t, t.TempDir(), small)
	r, err := l.Reader(make([]uint64, partitions))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	got := make(chan Entry)
	go func() {
		defer close(got)
		for range 20 {
			e, err := r.Next(t.Context())
			if err != nil {
				t.Error(err)
				return
			}
			got <- e
		}
	}()
	for i := range 20 {
		want := add(t, l, i%partitions, strings.Repeat("y", 400))
		if e := <-got; e.Offset != want.Offset || e.Partition != want.Partition {
			t.Fatalf("the reader gave %+v, appended was %+v", e, want)
		}
	}
	<-got
}

// TestTraceOfAppend is every disk operation of a birth, an append and a roll, in order. A missing sync shows here.
func TestTraceOfAppend(t *testing.T) {
	var trace []string
	dir := t.TempDir()
	l := open(t, dir, func(c *Config) {
		c.SegmentBytes = 200
		c.Disk.Step = func(step, path string) error {
			rel, err := filepath.Rel(dir, path)
			trace = append(trace, step+" "+rel)
			return err
		}
	})
	add(t, l, 0, strings.Repeat("z", 150))
	add(t, l, 0, "in the next segment")
	if err := l.Trim(l.Next()); err != nil {
		t.Fatal(err)
	}
	l.Close()
	want := strings.Split(strings.TrimSpace(`
sync-dir ..
create 0000000000000000.hwl.tmp
write 0000000000000000.hwl.tmp
sync 0000000000000000.hwl.tmp
rename 0000000000000000.hwl
sync-dir .
append 0000000000000000.hwl
sync 0000000000000000.hwl
append 0000000000000000.hwl
sync 0000000000000000.hwl
create 0000000000000001.hwl.tmp
write 0000000000000001.hwl.tmp
sync 0000000000000001.hwl.tmp
rename 0000000000000001.hwl
sync-dir .
append 0000000000000001.hwl
sync 0000000000000001.hwl
remove 0000000000000000.hwl
sync-dir .`), "\n")
	if !slices.Equal(trace, want) {
		t.Errorf("disk operations:\n%s\nwant:\n%s", strings.Join(trace, "\n"), strings.Join(want, "\n"))
	}
}
