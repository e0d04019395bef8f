package uplink

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/headwater-iot/headwater/shared/record"
	"github.com/headwater-iot/headwater/shared/wire"
)

func TestBackoffDoublesUpToItsCeiling(t *testing.T) {
	for n, want := range []time.Duration{1, 2, 4, 8, 10, 10, 10} {
		if got := backoff(n, 1, 10); got != want {
			t.Errorf("backoff(%d) = %d, want %d", n, got, want)
		}
	}
	if got := backoff(1_000_000, time.Second, time.Minute); got != time.Minute {
		t.Errorf("a year of tries waits %s", got)
	}
}

func TestJitterCoversTheWholeWaitAndIsNeverZero(t *testing.T) {
	for r, want := range map[float64]time.Duration{0: 1000, 0.5: 500, 0.999: 1} {
		if got := jitter(1000, r); got != want {
			t.Errorf("jitter(1000, %v) = %d, want %d", r, got, want)
		}
	}
}

func TestBucketPaysAtTheCreditedRate(t *testing.T) {
	var b bucket
	now := time.Unix(1000, 0)
	b.set(100_000, now)
	b.spend(200_000)
	if got := b.ready(now).Round(10 * time.Millisecond); got != 2*time.Second {
		t.Errorf("200 kB of debt at 100 kB/s: ready in %s, want 2s", got)
	}
	if got := b.ready(now.Add(2 * time.Second)); got != 0 {
		t.Errorf("after 2 s: ready in %s", got)
	}
}

func TestBucketSavesUpNoMoreThanABurst(t *testing.T) {
	var b bucket
	now := time.Unix(1000, 0)
	b.set(1_000_000, now)
	b.refill(now.Add(50 * time.Second))
	if want := 1_000_000 * creditBurst.Seconds(); b.tokens != want {
		t.Errorf("tokens = %v, want %v", b.tokens, want)
	}
}

func TestStaleCreditFallsToFloor(t *testing.T) {
	var b bucket
	now := time.Unix(1000, 0)
	b.set(1_000_000, now)
	b.spend(70_000_000 + 10*creditFloor) // 60 s pay 60 MB, then the floor has to pay the rest
	late := now.Add(creditLife)
	b.refill(late)
	want := (70_000_000.0 + 10*creditFloor - 60_000_000) / creditFloor
	if got := b.ready(late).Seconds(); got < want-1 || got > want+1 {
		t.Errorf("ready in %.0f s, want %.0f s", got, want)
	}
	if got := b.current(late); got != creditFloor {
		t.Errorf("stale rate = %v, want the floor", got)
	}
}

func TestNoCreditIsTheFloorNotZero(t *testing.T) {
	var b bucket
	now := time.Unix(1000, 0)
	b.set(0, now)
	if got := b.current(now); got != creditFloor {
		t.Errorf("rate = %v, want the floor", got)
	}
}

func TestBacklogNeverFillsTheWindow(t *testing.T) {
	f, now := newFlight(), time.Unix(1000, 0)
	sent := 0
	for f.room(Backlog, now) {
		f.sent(Ref{Epoch: 1, First: uint64(sent), Count: 1}, 100, now, time.Minute, time.Minute)
		sent++
	}
	if sent >= windowBatches || !f.room(Live, now) {
		t.Errorf("%d backlog batches on their way leave no room for the live lane", sent)
	}
}

func TestSettleTakesEndsAndWholeBatchesOnly(t *testing.T) {
	f, now := newFlight(), time.Unix(1000, 0)
	whole, half, end := Ref{1, 0, 10}, Ref{1, 10, 10}, Ref{1, 20, 0}
	for _, r := range []Ref{whole, half, end} {
		f.sent(r, 1, now, time.Minute, time.Minute)
	}
	f.settle(&wire.Ack{Epochs: []wire.AckEpoch{{Epoch: 1, StoredMark: 15}}})
	if f.busy(whole, now) || !f.busy(half, now) || !f.busy(end, now) {
		t.Errorf("mark 15 left %v", f.entries)
	}
	f.settle(&wire.Ack{Epochs: []wire.AckEpoch{{Epoch: 1, StoredMark: 20, Ended: true}}})
	if len(f.entries) != 0 {
		t.Errorf("mark 20 and the end left %v", f.entries)
	}
}

func TestSweepForgetsWhatNobodyAsksFor(t *testing.T) {
	f, now := newFlight(), time.Unix(1000, 0)
	f.sent(Ref{1, 0, 1}, 1, now, time.Second, time.Second)
	f.sweep(now.Add(30*time.Second), time.Minute)
	if len(f.entries) != 1 {
		t.Fatal("swept too early")
	}
	if f.sweep(now.Add(2*time.Minute), time.Minute); len(f.entries) != 0 {
		t.Error("not swept")
	}
}

// pieces is a connection that delivers its bytes in given portions.
type pieces struct {
	net.Conn
	r io.Reader
	n int
}

func (p *pieces) Read(b []byte) (int, error) { return p.r.Read(b[:min(len(b), p.n)]) }

func TestOversizedPacketIsRefused(t *testing.T) {
	fine := append([]byte{0x30, 0x85, 0x02}, make([]byte, 0x105)...)
	ping := []byte{0xd0, 0x00}
	huge := []byte{0x30, 0xff, 0xff, 0xff, 0x7f}
	endless := []byte{0x30, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80}
	for _, portion := range []int{1, 2, 3, 7, 1000} {
		good := bytes.Join([][]byte{ping, fine, ping, fine, fine}, nil)
		got, err := io.ReadAll(&cappedConn{Conn: &pieces{r: bytes.NewReader(good), n: portion}})
		if err != nil || !bytes.Equal(got, good) {
			t.Errorf("portions of %d: %d of %d bytes, %v", portion, len(got), len(good), err)
		}
		for _, bad := range [][]byte{huge, endless} {
			stream := append(bytes.Clone(good), bad...)
			_, err := io.ReadAll(&cappedConn{Conn: &pieces{r: bytes.NewReader(stream), n: portion}})
			if !errors.Is(err, errHostile) {
				t.Errorf("portions of %d: %x gave %v", portion, bad, err)
			}
		}
	}
}

func TestBrokerURLs(t *testing.T) {
	for url, good := range map[string]bool{
		"tcp://127.0.0.1:1883": true, "mqtt://u:p@broker:1883": true, "tcp://[::1]:1883": true,
		"tcp://127.0.0.1": false, "127.0.0.1:1883": false, "": false, "ssl://h:8883": false, "http://h:80": false, "tcp://:1883": false,
	} {
		_, err := parseURL(url)
		if (err == nil) != good || err != nil && !errors.Is(err, ErrURL) {
			t.Errorf("parseURL(%q) = %v", url, err)
		}
	}
}

// TestEveryHelloFits: whatever is configured and however many epochs wait, a gateway reads the hello.
func TestEveryHelloFits(t *testing.T) {
	for _, c := range []struct{ series, name, told int }{
		{0, 0, 0},
		{100, 10, 100},
		{wire.MaxPairs, 12, wire.MaxPairs},
		{wire.MaxPairs + 1, 12, wire.MaxPairs},
		{wire.MaxPairs, record.MaxName, wire.MaxPairs / 16},
	} {
		h := wire.Hello{Device: "d", Client: "d", Boot: 1, Schedule: map[string]uint64{}}
		for i := range uint64(1000) { // as many as an outbox names
			e := record.Epoch(1<<63 + i)
			h.Epochs = append(h.Epochs, wire.HelloEpoch{
				Epoch: e, Predecessor: e - 1, Boot: record.Boot(1<<63 + i), Floor: 1 << 40, Next: 1 << 41,
				Held: []uint64{1 << 40, 1<<40 + 9}, State: wire.EpochLost, CountMax: 1 << 20,
			})
			h.Anchors = append(h.Anchors, wire.BootAnchor{
				Boot: record.Boot(1<<63 + i), Generation: 1, State: wire.Synced, Wall: 1 << 50, Monotonic: 1 << 50, Uncertainty: 1 << 20,
			})
		}
		name := func(i int) string { return fmt.Sprintf("%04d%s", i, strings.Repeat("x", max(c.name, 4)-4)) }
		for i := range c.series {
			h.Schedule[name(i)] = 1000
		}
		msg, told, err := appendHello(&h)
		if err != nil {
			t.Fatalf("%+v: %v", c, err)
		}
		got, err := wire.ParseHello(msg)
		if err != nil {
			t.Fatalf("%+v: no gateway reads this hello: %v", c, err)
		}
		if told != c.told || len(got.Schedule) != told || told > 0 && (got.Schedule[name(0)] != 1000 || got.Schedule[name(told-1)] != 1000) {
			t.Errorf("%+v: told %d, read %d", c, told, len(got.Schedule))
		}
	}
}
