package log

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
)

// childEnv makes the test binary append to the log in a directory until it is killed, and print what was acknowledged.
// childNoSync is the negative control of the power-cut test, childEarly that of the kill test: it prints what it is
// about to append.
const (
	childEnv    = "LOG_TEST_APPEND"
	childNoSync = "LOG_TEST_NO_SYNC"
	childEarly  = "LOG_TEST_EARLY"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(childEnv); dir != "" {
		if os.Getenv(childEarly) != "" {
			appendEarly(dir)
		}
		appendForever(dir, os.Getenv(childNoSync) != "")
	}
	os.Exit(m.Run())
}

// appendForever appends from 4 goroutines. A line is one write, so that a kill does not tear it.
func appendForever(dir string, noSync bool) {
	l, err := tryOpen(dir, func(c *Config) { c.SegmentBytes, c.noSync = 20_000, noSync })
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(3)
	}
	var all sync.WaitGroup
	for p := range 4 {
		all.Go(func() {
			for i := 0; ; i++ {
				payload := fmt.Sprintf("%d-%d-%s", p, i, strings.Repeat("x", i%700))
				pos, err := l.Append(context.Background(), Record{Kind: Batch, Partition: p % partitions, Client: "dev", Payload: []byte(payload)})
				if err != nil {
					return // the disk is gone
				}
				if _, err := os.Stdout.WriteString(fmt.Sprintf("%d %d %d %s\n", pos.Partition, pos.Offset, pos.Received, payload)); err != nil {
					return
				}
			}
		})
	}
	all.Wait()
	os.Exit(0)
}

// appendEarly says of each record that it is there, and then appends it.
func appendEarly(dir string) {
	l, err := tryOpen(dir)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(3)
	}
	for off := l.Next()[0]; ; off++ {
		fmt.Printf("0 %d 0 early\n", off)
		if _, err := l.Append(context.Background(), Record{Kind: Batch, Client: "dev", Payload: []byte("early")}); err != nil {
			os.Exit(0)
		}
	}
}

// acked is what a child said it was told, by partition and offset.
type acked map[[2]uint64]string

// child starts a child and waits until it has acknowledged n appends. stop takes the disk away and then ends the child
// by kill; it returns what had been acknowledged before the disk went, and what the child said from then on.
func child(t *testing.T, dir string, n int, env ...string) (stop func(cut func()) (before, during acked)) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(append(os.Environ(), childEnv+"="+dir), env...)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	said := acked{}
	enough, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		lines := bufio.NewReader(out)
		for i := 0; ; i++ {
			if i == n {
				close(enough)
			}
			line, err := lines.ReadString('\n')
			if err != nil {
				if i < n {
					close(enough)
				}
				return
			}
			var p, off uint64
			var received int64
			var payload string
			if _, err := fmt.Sscan(line, &p, &off, &received, &payload); err != nil {
				t.Errorf("child said %q: %v", line, err)
			}
			mu.Lock()
			said[[2]uint64{p, off}] = fmt.Sprint(received, " ", payload)
			mu.Unlock()
		}
	}()
	<-enough
	return func(cut func()) (before, during acked) {
		mu.Lock()
		before = said
		said = acked{}
		mu.Unlock()
		cut()
		_ = cmd.Process.Kill()
		<-done
		_, _ = io.Copy(io.Discard, out)
		_ = cmd.Wait() // killed
		return before, said
	}
}

// lost returns how much of what was acknowledged is not in the log, and checks that all else is in order.
func lost(t *testing.T, l *Log, said acked) int {
	t.Helper()
	n, last := uint64(0), int64(0)
	for _, next := range l.Next() {
		n += next
	}
	have := acked{}
	for _, e := range readAll(t, l, make([]uint64, partitions), int(n)) {
		if e.Received < last {
			t.Fatalf("received time falls from %d to %d", last, e.Received)
		}
		last = e.Received
		have[[2]uint64{uint64(e.Partition), e.Offset}] = fmt.Sprint(e.Received, " ", string(e.Payload))
	}
	missing := 0
	for at, want := range said {
		if have[at] != want {
			missing++
		}
	}
	return missing
}

// TestKilledWriter kills a process that appends, 20 times over one log: whatever it was told is there.
func TestKilledWriter(t *testing.T) {
	dir, all := t.TempDir(), acked{}
	for i := range 20 {
		before, during := child(t, dir, 10+7*i)(func() {})
		maps.Copy(all, before)
		maps.Copy(all, during) // the disk stays: a kill takes nothing back
		l := open(t, dir)
		if n := lost(t, l, all); n > 0 {
			t.Fatalf("kill %d: %d of %d acknowledged records are lost", i, n, len(all))
		}
		l.Close()
	}
	t.Logf("20 kills, %d records acknowledged, none lost", len(all))
}

// TestKilledWriterSeesLoss is the negative control: of a process that speaks before Append has returned, records are lost.
func TestKilledWriterSeesLoss(t *testing.T) {
	dir, missing, total := t.TempDir(), 0, 0
	for range 50 {
		said, during := child(t, dir, 20, childEarly+"=1")(func() {})
		maps.Copy(said, during)
		l := open(t, dir)
		for at := range said {
			if at[1] >= l.Next()[at[0]] {
				missing++
			}
		}
		total += len(said)
		l.Close()
		if missing > 0 {
			break
		}
	}
	if missing == 0 {
		t.Errorf("none of %d records was lost: the test could not see a loss", total)
	}
	t.Logf("spoken early: %d of %d records lost", missing, total)
}
