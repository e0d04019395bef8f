package uplink

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"testing"

	"github.com/headwater-iot/headwater/shared/meter"
	"github.com/headwater-iot/headwater/shared/record"
	"github.com/headwater-iot/headwater/shared/seqset"
	"github.com/headwater-iot/headwater/shared/topic"
	"github.com/headwater-iot/headwater/shared/wire"
)

const (
	device = "pump-7"
	boot   = record.Boot(0xb007)
	epoch  = record.Epoch(0xe1)
)

// shelf is an outbox in memory: batches in order, what of them is stored, and every ack it got.
type shelf struct {
	mu      sync.Mutex
	lanes   [2][]Batch
	applied []*wire.Ack
	stored  map[Ref]bool
	logID   wire.ID      // another one voids stored, as nothing has landed
	failing error        // what Apply returns
	bad     map[Ref]bool // copies that Verify finds damaged
	wake    chan struct{}
	anchors []wire.BootAnchor // what a hello tells of the clock
}

func newShelf() *shelf {
	return &shelf{stored: map[Ref]bool{}, bad: map[Ref]bool{}, wake: make(chan struct{}, 1)}
}

// put seals ten seqs into a lane.
func (s *shelf) put(t *testing.T, lane Lane, first uint64) Ref {
	t.Helper()
	h := wire.Header{Device: device, Epoch: epoch, Boot: boot, First: first, Count: 10}
	sealed, err := wire.AppendGap(nil, h, wire.Gap{Reason: wire.DropOldest, To: 1})
	if err != nil {
		t.Fatal(err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	r := Ref{epoch, first, 10}
	s.lanes[lane] = append(s.lanes[lane], Batch{Ref: r, Anchor: wire.Anchor{State: wire.Gateway, Generation: 1, Wall: 7}, Sealed: sealed})
	select {
	case s.wake <- struct{}{}:
	default:
	}
	return r
}

func (s *shelf) Next(lane Lane, skip func(Ref) bool) (Batch, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, b := range s.lanes[lane] {
		if !s.stored[b.Ref] && !skip(b.Ref) {
			return b, true
		}
	}
	return Batch{}, false
}

func (s *shelf) Apply(a *wire.Ack) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.applied = append(s.applied, a)
	if a.Log != s.logID {
		s.logID = a.Log
		clear(s.stored)
	}
	for i := range a.Epochs {
		set := a.Epochs[i].StoredSet()
		for _, b := range slices.Concat(s.lanes[0], s.lanes[1]) {
			if b.Epoch == a.Epochs[i].Epoch && set.HasAll(b.First, b.First+b.Count) {
				s.stored[b.Ref] = true
			}
		}
	}
	return s.failing
}

func (s *shelf) Verify(r Ref) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.bad[r] {
		s.stored[r] = true // it has become a gap: not ours to test
	}
	return !s.bad[r]
}

func (s *shelf) Report() Report {
	return Report{Epochs: []wire.HelloEpoch{{Epoch: epoch, Boot: boot}}, Anchors: s.anchors}
}

// acks returns how many acks reached Apply.
func (s *shelf) acks() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.applied)
}

// ticker is a clock whose monotonic time rises by one at each look.
type ticker struct {
	mu      sync.Mutex
	now     int64
	learned []int64
}

func (c *ticker) Monotonic() int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now++
	return c.now
}

func (c *ticker) Learn(gateway, _, _ int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.learned = append(c.learned, gateway)
}

// uplinkOf returns an uplink over a shelf.
func uplinkOf(t *testing.T, s *shelf, broker string) *Uplink {
	t.Helper()
	u, err := New(Config{
		Broker: broker, Device: device, Boot: boot, Version: "test",
		Queue: s, Teller: s, Clock: &ticker{}, Wake: s.wake, Log: slog.New(slog.DiscardHandler), Meter: meter.New(),
	})
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// peer is the other end of fake links: a broker and a gateway whose answers a test writes.
//
// A test that runs beside a session writes to it inside do only; what it reads after pass is settled.
type peer struct {
	mu sync.Mutex

	// answer is called in the session's own goroutine for each message of the device.
	answer func(p *peer, what topic.What, payload []byte)

	in      chan message
	lost    chan error
	dials   int
	refuse  bool // no connection is made
	hellos  []*wire.Hello
	batches []Ref
	n       uint64
	log     byte       // lost how often
	seen    seqset.Set // stored seqs
}

// do changes the peer, or says something.
func (p *peer) do(f func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	f()
}

func (p *peer) dial(context.Context, string) (*link, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.dials++
	if p.refuse {
		return nil, errors.New("connection refused")
	}
	p.in, p.lost = make(chan message, inboxDepth), make(chan error, 1)
	return &link{in: p.in, lost: p.lost, close: func() {}, publish: func(_ context.Context, name string, payload []byte) error {
		p.mu.Lock()
		defer p.mu.Unlock()
		_, what, err := topic.ParseUp(name)
		if err != nil {
			return err
		}
		if what == topic.Hello {
			h, err := wire.ParseHello(payload)
			if err != nil {
				return err
			}
			p.hellos = append(p.hellos, h)
		} else {
			_, sealed, err := wire.ParseEnvelope(payload)
			if err != nil {
				return err
			}
			p.batches = append(p.batches, Ref{sealed.Epoch, sealed.First, sealed.Count})
		}
		if p.answer != nil {
			p.answer(p, what, payload)
		}
		return nil
	}}, nil
}

// ack answers the last hello with what is stored.
func (p *peer) ack(change ...func(*wire.Ack)) {
	h := p.hellos[len(p.hellos)-1]
	p.n++
	a := &wire.Ack{
		Lake: wire.ID{1}, Log: wire.ID{2}, Start: 1, N: p.n, Client: device, Nonce: h.Nonce, Sent: h.Sent,
		Epochs: []wire.AckEpoch{wire.NewAckEpoch(epoch, &p.seen, &seqset.Set{}, false)}, Wire: []uint64{1}, Credit: 1 << 30, Time: 1_800_000_000_000_000,
	}
	for _, c := range change {
		c(a)
	}
	msg, err := wire.AppendAck(nil, a)
	if err != nil {
		panic("uplink test: " + err.Error())
	}
	p.say(message{topic.Down(device, topic.Ack), msg})
}

func (p *peer) nack(n wire.Nack) {
	msg, err := wire.AppendNack(nil, &n)
	if err != nil {
		panic("uplink test: " + err.Error())
	}
	p.say(message{topic.Down(device, topic.Nack), msg})
}

// say drops what comes too fast, as the real link does.
func (p *peer) say(m message) {
	select {
	case p.in <- m:
	default:
	}
}

// greet answers hellos only.
func greet(p *peer, what topic.What, _ []byte) {
	if what == topic.Hello {
		p.ack()
	}
}

// serve answers hellos and stores every batch.
func serve(p *peer, what topic.What, _ []byte) {
	p.store(what)
	p.ack()
}

// store takes the last batch.
func (p *peer) store(what topic.What) {
	if what == topic.Batch {
		r := p.batches[len(p.batches)-1]
		p.seen.Add(r.First, r.First+r.Count)
	}
}
