package uplink

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/headwater-iot/headwater/shared/topic"
	"github.com/headwater-iot/headwater/shared/wire"
)

// during runs an uplink against a peer for a stretch of virtual time.
func during(t *testing.T, p *peer, s *shelf, act func(u *Uplink)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s.wake = make(chan struct{}, 1) // of this bubble
		u := uplinkOf(t, s, "tcp://127.0.0.1:1")
		u.dial = p.dial
		u.rand = func() float64 { return 0 } // the longest waits
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- u.Run(ctx) }()
		defer func() {
			p.pass(0)
			cancel()
			if err := <-ended; err != nil {
				t.Errorf("Run: %v", err)
			}
		}()
		act(u)
	})
}

// pass lets virtual time pass and the session settle. What the test did before is ordered before what
// the session does, and the other way round.
func (p *peer) pass(d time.Duration) {
	p.do(func() {})
	<-time.After(d)
	synctest.Wait()
}

func TestGatewayAbsentMeansNoBatchEver(t *testing.T) {
	s, p := newShelf(), &peer{}
	s.put(t, Live, 0)
	s.put(t, Backlog, 10)
	during(t, p, s, func(*Uplink) { p.pass(24 * time.Hour) })
	if len(p.batches) != 0 {
		t.Errorf("%d batches went to a broker without a gateway", len(p.batches))
	}
	if p.dials < 2 || len(p.hellos) < 24*30 || len(p.hellos) > 24*60*6 {
		t.Errorf("in a day: %d connections, %d hellos", p.dials, len(p.hellos))
	}
}

func TestUnansweredHelloIsSentAgainWithTheSameNonce(t *testing.T) {
	s, p := newShelf(), &peer{}
	during(t, p, s, func(*Uplink) {
		p.pass(time.Millisecond)
		for i, wait := range []time.Duration{10 * time.Second, 20 * time.Second, 40 * time.Second} {
			p.pass(wait - time.Second)
			if len(p.hellos) != i+1 {
				t.Fatalf("%d hellos before %s are over", len(p.hellos), wait)
			}
			p.pass(time.Second)
			if len(p.hellos) != i+2 {
				t.Fatalf("%d hellos after %s", len(p.hellos), wait)
			}
		}
	})
	for _, h := range p.hellos {
		if h.Nonce != p.hellos[0].Nonce || h.Nonce == 0 {
			t.Errorf("nonce %x, first %x", h.Nonce, p.hellos[0].Nonce)
		}
	}
}

func TestHelloEveryMinuteWhileAnswered(t *testing.T) {
	s, p := newShelf(), &peer{answer: serve}
	during(t, p, s, func(u *Uplink) {
		p.pass(10*time.Minute + time.Second)
		if p.dials != 1 || len(p.hellos) != 11 {
			t.Errorf("%d connections, %d hellos in ten minutes", p.dials, len(p.hellos))
		}
		if n := len(u.cfg.Clock.(*ticker).learned); n != 11 {
			t.Errorf("learned the gateway's time %d times", n)
		}
	})
}

// TestClocklessDeviceSaysHelloAgain: what it has learned from the answer is told before the first batch, once, even if
// the answer told it nothing.
func TestClocklessDeviceSaysHelloAgain(t *testing.T) {
	for state, want := range map[wire.AnchorState]int{wire.Unsynced: 2, wire.Gateway: 1, wire.Synced: 1} {
		before := 0 // hellos before the first batch
		s, p := newShelf(), &peer{}
		p.answer = func(p *peer, what topic.What, payload []byte) {
			if what == topic.Batch && len(p.batches) == 1 {
				before = len(p.hellos)
			}
			serve(p, what, payload)
		}
		s.anchors = []wire.BootAnchor{{Boot: boot, State: state, Generation: 1}, {Boot: boot + 1, State: wire.Unsynced, Generation: 1}}
		s.put(t, Backlog, 0)
		during(t, p, s, func(*Uplink) { p.pass(50 * time.Second) })
		if before != want || len(p.hellos) != want {
			t.Errorf("%s: %d hellos before the first batch and %d in all, want %d", state, before, len(p.hellos), want)
		}
	}
}

func TestSlowAnswerToAnEarlierHelloCounts(t *testing.T) {
	s, p := newShelf(), &peer{}
	s.put(t, Live, 0)
	during(t, p, s, func(u *Uplink) {
		p.pass(15 * time.Second) // two hellos by now
		p.do(func() { p.ack(func(a *wire.Ack) { a.Sent = p.hellos[0].Sent }) })
		p.pass(time.Second)
		if len(p.batches) != 1 || len(u.cfg.Clock.(*ticker).learned) != 1 {
			t.Errorf("%d batches, learned %d times", len(p.batches), len(u.cfg.Clock.(*ticker).learned))
		}
	})
}

func TestForeignNonceDeletesNothing(t *testing.T) {
	s, p := newShelf(), &peer{}
	ref := s.put(t, Live, 0)
	during(t, p, s, func(u *Uplink) {
		p.pass(time.Second)
		p.do(func() {
			p.ack(func(a *wire.Ack) { a.Nonce++; a.Epochs[0].StoredMark = 10; a.Epochs[0].LandedMark = 10 })
		})
		p.do(func() { p.ack(func(a *wire.Ack) { a.Client = "pump-8" }) })
		p.pass(time.Second)
		if s.acks() != 0 || len(p.batches) != 0 || s.stored[ref] {
			t.Fatal("an ack of another connection was believed")
		}
		if n := u.meters.hints.Value(); n != 2 {
			t.Errorf("%d hints counted", n)
		}
		p.do(func() { p.ack() }) // negative control: the same with our nonce
		p.pass(time.Second)
		if s.acks() != 1 || len(p.batches) != 1 {
			t.Error("our own ack was not believed")
		}
	})
}

func TestOlderAckOfTheSameLogIsAHint(t *testing.T) {
	s, p := newShelf(), &peer{answer: greet}
	during(t, p, s, func(*Uplink) {
		p.pass(time.Second)
		p.do(func() { p.ack(func(a *wire.Ack) { a.N = 100 }) })
		p.do(func() { p.ack(func(a *wire.Ack) { a.N = 99 }) })
		p.do(func() { p.ack(func(a *wire.Ack) { a.N = 1; a.Log = wire.ID{3} }) }) // numbers of different logs do not compare
		p.pass(time.Second)
		if s.acks() != 3 {
			t.Errorf("%d acks applied, want 3", s.acks())
		}
	})
}

func TestNewLogSendsAgainWhatWasOnItsWay(t *testing.T) {
	s, p := newShelf(), &peer{answer: greet}
	s.put(t, Live, 0)
	during(t, p, s, func(u *Uplink) {
		p.pass(time.Second)
		p.do(func() { p.ack(func(a *wire.Ack) { a.Log = wire.ID{3} }) })
		p.pass(time.Second)
		if len(p.batches) != 2 {
			t.Errorf("sent %d times, want again at once", len(p.batches))
		}
	})
}

func TestLiveBeforeBacklogOldestFirst(t *testing.T) {
	s, p := newShelf(), &peer{answer: greet}
	for i := range uint64(3) {
		s.put(t, Backlog, 10*i)
	}
	for i := range uint64(3) {
		s.put(t, Live, 100+10*i)
	}
	during(t, p, s, func(*Uplink) { p.pass(time.Second) })
	var got []uint64
	for _, r := range p.batches {
		got = append(got, r.First)
	}
	if want := []uint64{100, 110, 120, 0, 10, 20}; !slices.Equal(got, want) {
		t.Errorf("order %v, want %v", got, want)
	}
}

func TestStaleCreditStillDrainsAndLiveNeedsNone(t *testing.T) {
	s, p := newShelf(), &peer{}
	p.answer = func(p *peer, what topic.What, _ []byte) {
		p.store(what)
		p.ack(func(a *wire.Ack) { a.Credit = 0 })
	}
	const n = 2000
	for i := range uint64(n) {
		s.put(t, Backlog, 10*i)
	}
	size := len(s.lanes[Backlog][n-1].Sealed) + 30 // an envelope is less than 30
	during(t, p, s, func(*Uplink) {
		p.pass(10 * time.Second)
		early := len(p.batches)
		if least, most := 8*creditFloor/size, 13*creditFloor/(size-25); early < least || early > most {
			t.Fatalf("%d batches in 10 s without credit, want %d to %d", early, least, most)
		}
		s.put(t, Live, 1_000_000)
		p.pass(0)
		if last := p.batches[len(p.batches)-1]; last.First != 1_000_000 {
			t.Errorf("the live batch waited behind %v", last)
		}
		p.pass(10 * time.Minute)
		if len(p.batches) < n {
			t.Errorf("%d of %d drained", len(p.batches), n)
		}
	})
}

func TestResendWhenAcksSkipABatch(t *testing.T) {
	s, p := newShelf(), &peer{answer: greet}
	s.put(t, Live, 0)
	during(t, p, s, func(u *Uplink) {
		p.pass(29 * time.Second)
		if len(p.batches) != 1 {
			t.Fatalf("sent %d times in 29 s", len(p.batches))
		}
		p.pass(2 * time.Second)
		if len(p.batches) != 2 || u.meters.resent.Value() != 1 {
			t.Fatalf("sent %d times in 31 s", len(p.batches))
		}
		p.pass(24 * time.Hour)
		if n := len(p.batches); n < 250 || n > 24*12+10 {
			t.Errorf("sent %d times in a day, want about every five minutes", n)
		}
	})
}

func TestSilentGatewayEndsTheConnection(t *testing.T) {
	s, p := newShelf(), &peer{answer: greet}
	during(t, p, s, func(u *Uplink) {
		p.pass(time.Second)
		p.do(func() { p.answer = nil })
		s.put(t, Live, 0)
		p.pass(defaultPace().silence - time.Second)
		if p.dials != 1 {
			t.Fatal("left too early")
		}
		p.pass(3 * time.Second)
		if p.dials != 2 || u.meters.disconnects("silent").Value() != 1 {
			t.Errorf("%d connections after the silence", p.dials)
		}
	})
}

func TestReconnectBacksOffUntilHealthy(t *testing.T) {
	s, p := newShelf(), &peer{answer: greet, refuse: true}
	during(t, p, s, func(u *Uplink) {
		p.pass(24 * time.Hour)
		if p.dials < 12*60 || p.dials > 12*60+10 { // two minutes each, but the first
			t.Errorf("%d tries in a day", p.dials)
		}
		p.do(func() { p.refuse = false })
		for p.in == nil {
			p.pass(time.Second)
		}
		for range 5 { // connections that die young keep the long wait
			before := p.dials
			p.lost <- fmt.Errorf("%w: test", errLost)
			p.pass(119 * time.Second)
			if p.dials != before {
				t.Fatal("a short-lived connection reset the backoff")
			}
			p.pass(2 * time.Second)
		}
		p.pass(time.Minute) // healthy
		before := p.dials
		p.lost <- fmt.Errorf("%w: test", errLost)
		p.pass(time.Second)
		if p.dials != before+1 {
			t.Error("a healthy connection did not reset the backoff")
		}
	})
}

func TestNackKeepsTheBatch(t *testing.T) {
	for _, tc := range []struct {
		reason   wire.Reason
		others   bool          // other batches may go meanwhile
		earliest time.Duration // no second try before
		latest   time.Duration
	}{
		{wire.NotNow, false, time.Second, 3 * time.Second},
		{wire.ShareFull, false, time.Second, 3 * time.Second},
		{wire.BadIdentity, false, time.Second, 3 * time.Second},
		{"of_a_later_gateway", false, time.Second, 3 * time.Second},
		{wire.BadVersion, true, 5 * time.Minute, 5*time.Minute + 2*time.Second},
		{wire.TooLarge, true, 5 * time.Minute, 5*time.Minute + 2*time.Second},
	} {
		t.Run(string(tc.reason), func(t *testing.T) {
			s, p := newShelf(), &peer{answer: greet}
			ref := s.put(t, Live, 0)
			during(t, p, s, func(u *Uplink) {
				p.pass(time.Millisecond)
				p.do(func() { p.nack(wire.Nack{Epoch: ref.Epoch, First: ref.First, Count: ref.Count, Reason: tc.reason}) })
				p.pass(0)
				other := s.put(t, Live, 10)
				p.pass(0)
				if got := slices.Contains(p.batches, other); got != tc.others {
					t.Errorf("another batch went: %v", got)
				}
				p.pass(tc.earliest - time.Millisecond)
				if tries(p, ref) != 1 {
					t.Errorf("tried again too early")
				}
				p.pass(tc.latest - tc.earliest)
				if tries(p, ref) != 2 {
					t.Errorf("%d tries by %s", tries(p, ref), tc.latest)
				}
				if s.stored[ref] || u.meters.nacks(tc.reason).Value() != 1 {
					t.Errorf("stored %v, %d nacks counted", s.stored[ref], u.meters.nacks(tc.reason).Value())
				}
			})
		})
	}
}

func tries(p *peer, r Ref) (n int) {
	for _, b := range p.batches {
		if b == r {
			n++
		}
	}
	return n
}

func TestHoleFirstSendsTheHoleAndHoldsTheLiveLane(t *testing.T) {
	s, p := newShelf(), &peer{answer: greet}
	hole := s.put(t, Backlog, 0)
	live := s.put(t, Live, 100)
	during(t, p, s, func(*Uplink) {
		p.pass(time.Millisecond)
		for range 3 { // a window of nacks is one answer
			p.do(func() {
				p.nack(wire.Nack{Epoch: epoch, First: live.First, Count: live.Count, Reason: wire.HoleFirst, MissingFrom: 0, MissingTo: 10})
			})
		}
		p.pass(0)
		s.put(t, Live, 110)
		p.pass(0)
		if tries(p, hole) != 2 || tries(p, live) != 1 || len(p.batches) != 3 {
			t.Errorf("sent %v", p.batches)
		}
		p.pass(10 * time.Second)
		if tries(p, live) != 2 || len(p.batches) != 5 {
			t.Errorf("sent %v", p.batches)
		}
	})
}

func TestDamageOnTheWayReconnectsAndSendsAgain(t *testing.T) {
	s, p := newShelf(), &peer{answer: greet}
	ref := s.put(t, Live, 0)
	during(t, p, s, func(u *Uplink) {
		p.pass(time.Second)
		p.do(func() { p.nack(wire.Nack{Epoch: ref.Epoch, First: ref.First, Count: ref.Count, Reason: wire.BadCRC}) })
		p.pass(2 * time.Second)
		if p.dials != 2 || tries(p, ref) != 2 || u.meters.resent.Value() != 1 {
			t.Errorf("%d connections, %d tries", p.dials, tries(p, ref))
		}
	})
}

func TestDamageInOurCopyBecomesAGapAndTheConnectionStays(t *testing.T) {
	s, p := newShelf(), &peer{answer: greet}
	ref := s.put(t, Live, 0)
	s.bad[ref] = true
	during(t, p, s, func(*Uplink) {
		p.pass(time.Second)
		p.do(func() { p.nack(wire.Nack{Epoch: 0xbad, First: 1, Count: 1, Reason: wire.BadCRC}) }) // not ours: ignored
		p.do(func() { p.nack(wire.Nack{Epoch: ref.Epoch, First: ref.First, Count: ref.Count, Reason: wire.BadCRC}) })
		p.pass(time.Minute)
		if p.dials != 1 || tries(p, ref) != 1 {
			t.Errorf("%d connections, %d tries", p.dials, tries(p, ref))
		}
	})
}

func TestGatewayOfAnotherVersionGetsNothing(t *testing.T) {
	s, p := newShelf(), &peer{}
	p.answer = func(p *peer, _ topic.What, _ []byte) { p.ack(func(a *wire.Ack) { a.Wire = []uint64{2} }) }
	s.put(t, Live, 0)
	during(t, p, s, func(*Uplink) {
		p.pass(time.Hour)
		if len(p.batches) != 0 || p.dials != 1 {
			t.Errorf("%d batches, %d connections", len(p.batches), p.dials)
		}
		p.do(func() { p.answer = serve }) // it was updated
		p.pass(2 * time.Minute)
		if len(p.batches) != 1 {
			t.Errorf("%d batches after the update", len(p.batches))
		}
	})
}

func TestStopDrainsWhatItCan(t *testing.T) {
	s, p := newShelf(), &peer{answer: serve}
	during(t, p, s, func(*Uplink) {
		p.pass(time.Second)
		s.put(t, Live, 0) // and the context ends before the session has looked
	})
	if len(p.batches) != 1 || s.acks() < 2 {
		t.Errorf("%d batches, %d acks at the end", len(p.batches), s.acks())
	}
}

func TestStopDoesNotWaitForASilentGateway(t *testing.T) {
	s, p := newShelf(), &peer{answer: greet}
	s.put(t, Live, 0)
	var cancelled time.Time
	synctest.Test(t, func(t *testing.T) {
		s.wake = make(chan struct{}, 1)
		u := uplinkOf(t, s, "tcp://127.0.0.1:1")
		u.dial = p.dial
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- u.Run(ctx) }()
		p.pass(time.Second)
		cancelled = time.Now()
		cancel()
		<-ended
		if took := time.Since(cancelled); took > defaultPace().drain {
			t.Errorf("stopping took %s", took)
		}
	})
}

func TestUnreadableMessagesAreCountedAndIgnored(t *testing.T) {
	s, p := newShelf(), &peer{answer: greet}
	during(t, p, s, func(u *Uplink) {
		p.pass(time.Second)
		p.in <- message{topic.Down(device, topic.Ack), []byte("junk")}
		p.in <- message{topic.Down(device, topic.Nack), nil}
		p.in <- message{topic.Down(device, "of-a-later-gateway"), nil}
		p.pass(time.Second)
		if u.meters.unreadable.Value() != 2 || p.dials != 1 {
			t.Errorf("%d counted, %d connections", u.meters.unreadable.Value(), p.dials)
		}
	})
}

// TestFailingCardDoesNotFillTheWindow: the outbox cannot write what an ack says, at every ack; what the gateway
// has stored makes room for the next batches all the same.
func TestFailingCardDoesNotFillTheWindow(t *testing.T) {
	s, p := newShelf(), &peer{answer: serve}
	s.failing = errors.New("no space left on device")
	for i := range uint64(3 * windowBatches) {
		s.put(t, Live, 10*i)
	}
	during(t, p, s, func(*Uplink) { p.pass(10 * time.Second) })
	if n := len(p.batches); n != 3*windowBatches {
		t.Errorf("%d batches went in ten seconds, want %d", n, 3*windowBatches)
	}
}
