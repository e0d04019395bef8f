package uplink

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/headwater-iot/headwater/shared/topic"
	"github.com/headwater-iot/headwater/shared/wire"
)

// wireVersion is the one version of sealed parts and messages this agent writes.
const wireVersion = 1

// session is one connection. One goroutine runs it and owns all of it.
type session struct {
	*Uplink

	link  *link
	nonce uint64

	greeted bool // the hello of this connection was answered: batches may go
	speaks  bool // the gateway accepts our wire version
	unset   bool // the last hello could not tell when this boot began

	asked    []int64 // send times of the hellos since the last answer, us monotonic
	helloDue time.Time
	heard    time.Time // last time an ack came, or began to be due

	lakeID, logID wire.ID // of the last ack
	last          wire.AckNumber

	flight    *flight
	bucket    bucket
	quiet     time.Time // no batch before: the gateway asked for a break
	liveAfter time.Time // no live batch before: an older one must go first
	nackTry   int
	unapplied bool // the last ack was not applied
}

func newSession(u *Uplink, l *link) *session {
	now := time.Now()
	return &session{Uplink: u, link: l, nonce: u.nonce(), speaks: true, helloDue: now, heard: now, flight: newFlight()}
}

// run talks until the connection or hard ends, or ctx has ended and nothing is left to send. It
// returns nil unless the connection ended.
func (s *session) run(ctx, hard context.Context) error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	leaving := ctx.Done()
	for {
		s.cfg.Pulse.Due(s.pace.look)
		select {
		case <-hard.Done():
			return nil
		case <-leaving:
			leaving = nil
		case err := <-s.link.lost:
			return err
		case m := <-s.link.in:
			if err := s.receive(m); err != nil {
				return err
			}
		case <-s.cfg.Wake:
		case <-timer.C:
		}
		idle, err := s.work(hard, time.Now())
		switch {
		case hard.Err() != nil, ctx.Err() != nil && (idle || !s.greeted):
			return nil
		case err != nil:
			return err
		}
		timer.Reset(s.nextLook(time.Now()))
	}
}

// work does what is due at now: the hello, then batches. idle means that nothing is left to
// send and nothing is on its way.
func (s *session) work(ctx context.Context, now time.Time) (idle bool, err error) {
	if s.due() && now.Sub(s.heard) >= s.pace.silence {
		s.conds.board.Raise(s.conds.gateway, "no ack for "+s.pace.silence.String())
		return false, errSilent
	}
	if !now.Before(s.helloDue) {
		if err := s.hello(ctx, now); err != nil {
			return false, err
		}
	}
	s.flight.sweep(now, s.pace.resendMax)
	s.meters.credit.Set(s.bucket.current(now))
	return s.pump(ctx, now)
}

// due reports whether the gateway owes us an ack.
func (s *session) due() bool { return len(s.asked) > 0 || len(s.flight.entries) > 0 }

// nextLook returns how long the session may sleep when nothing wakes it.
func (s *session) nextLook(now time.Time) time.Duration {
	next := now.Add(s.pace.look)
	for _, t := range []time.Time{s.helloDue, s.flight.next(now), s.quiet, s.liveAfter} {
		if t.After(now) && t.Before(next) {
			next = t
		}
	}
	wait := next.Sub(now)
	if refill := s.bucket.ready(now); refill > 0 {
		wait = min(wait, refill)
	}
	return wait
}

// hello says what we hold and asks for an answer.
func (s *session) hello(ctx context.Context, now time.Time) error {
	if !s.due() {
		s.heard = now // from here on an ack is due
	}
	sent := s.cfg.Clock.Monotonic()
	s.helloDue = now.Add(backoff(len(s.asked), s.pace.helloRetry, s.pace.hello))
	s.asked = append(s.asked, sent)
	r := s.cfg.Teller.Report()
	s.unset = slices.ContainsFunc(r.Anchors, func(a wire.BootAnchor) bool { return a.Boot == s.cfg.Boot && a.State < wire.Gateway })
	msg, told, err := appendHello(&wire.Hello{
		Device: s.cfg.Device, Client: s.cfg.Client, Nonce: s.nonce, Sent: sent, Boot: s.cfg.Boot,
		Version: s.cfg.Version, Anchors: r.Anchors, Epochs: r.Epochs, Wire: []uint64{wireVersion},
		BacklogBytes: r.Bytes, BacklogBatches: r.Batches,
		Site: s.cfg.Site, Owner: s.cfg.Owner, Tags: s.cfg.Tags, Schedule: s.cfg.Schedule,
	})
	if err != nil {
		return fmt.Errorf("hello: %w", err)
	}
	if all := len(s.cfg.Schedule); told < all {
		s.log.Warn("the gateway is not told the schedule of all series: it does not fit in a hello", "told", told, "series", all)
	}
	if err := s.link.publish(ctx, topic.Up(s.cfg.Client, topic.Hello), msg); err != nil {
		return fmt.Errorf("%w hello: %w", errPublish, err)
	}
	s.meters.hellos.Inc()
	return nil
}

// appendHello writes a hello, and returns how many series its schedule has. One that is too large loses the last of
// them by name: a gateway does not miss a series it was not told of, but without a hello it takes nothing at all.
func appendHello(h *wire.Hello) (msg []byte, told int, err error) {
	schedule := h.Schedule
	for told = min(len(schedule), wire.MaxPairs); ; told /= 2 {
		if told < len(schedule) {
			h.Schedule = make(map[string]uint64, told)
			for _, name := range slices.Sorted(maps.Keys(schedule))[:told] {
				h.Schedule[name] = schedule[name]
			}
		}
		if msg, err = wire.AppendHello(nil, h); told == 0 || !errors.Is(err, wire.ErrTooLarge) {
			return msg, told, err
		}
	}
}

// pump sends batches while the window and the rate allow it.
func (s *session) pump(ctx context.Context, now time.Time) (idle bool, err error) {
	if !s.greeted || !s.speaks || now.Before(s.quiet) {
		return false, nil
	}
	for {
		b, lane, ok := s.pick(now)
		if !ok {
			return s.drained(now), nil
		}
		if err := s.send(ctx, b, lane, now); err != nil {
			return false, err
		}
	}
}

// pick chooses the next batch: live first, backlog as far as its credit goes.
func (s *session) pick(now time.Time) (Batch, Lane, bool) {
	skip := func(r Ref) bool { return s.flight.busy(r, now) }
	if s.flight.room(Live, now) && !now.Before(s.liveAfter) {
		if b, ok := s.cfg.Queue.Next(Live, skip); ok {
			return b, Live, true
		}
	}
	if s.flight.room(Backlog, now) && s.bucket.ready(now) == 0 {
		if b, ok := s.cfg.Queue.Next(Backlog, skip); ok {
			return b, Backlog, true
		}
	}
	return Batch{}, 0, false
}

// drained reports whether nothing waits and nothing is on its way.
func (s *session) drained(now time.Time) bool {
	if len(s.flight.entries) > 0 || now.Before(s.liveAfter) || s.bucket.ready(now) > 0 {
		return false
	}
	return true // pick looked into both lanes and found nothing
}

// send hands one batch to the broker.
func (s *session) send(ctx context.Context, b Batch, lane Lane, now time.Time) error {
	payload := wire.AppendEnvelope(make([]byte, 0, len(b.Sealed)+64), b.Anchor, b.Sealed)
	if err := s.link.publish(ctx, topic.Up(s.cfg.Client, topic.Batch), payload); err != nil {
		return fmt.Errorf("%w batch %s/%d: %w", errPublish, b.Epoch, b.First, err)
	}
	if !s.due() {
		s.heard = now // from here on an ack is due
	}
	if s.flight.sent(b.Ref, len(payload), now, s.pace.resendMin, s.pace.resendMax) || s.unsure[b.Ref] {
		s.meters.resent.Inc()
		delete(s.unsure, b.Ref)
	}
	if lane == Backlog {
		s.bucket.spend(len(payload))
	}
	s.meters.sent[lane].Inc()
	s.meters.bytes.Add(uint64(len(payload)))
	return nil
}

// unsettled returns the batches whose fate this connection leaves open.
func (s *session) unsettled() map[Ref]bool {
	m := make(map[Ref]bool, len(s.flight.entries))
	for r := range s.flight.entries {
		m[r] = true
	}
	return m
}
