package uplink

import (
	"fmt"
	"slices"
	"time"

	"github.com/headwater-iot/headwater/shared/topic"
	"github.com/headwater-iot/headwater/shared/wire"
)

// receive takes one message of the gateway. An error ends the connection.
func (s *session) receive(m message) error {
	switch m.topic {
	case topic.Down(s.cfg.Client, topic.Ack):
		a, err := wire.ParseAck(m.payload)
		if err != nil {
			s.unreadable(err)
			return nil
		}
		s.ack(a, time.Now())
	case topic.Down(s.cfg.Client, topic.Nack):
		n, err := wire.ParseNack(m.payload)
		if err != nil {
			s.unreadable(err)
			return nil
		}
		return s.nack(n, time.Now())
	}
	return nil // a later version may say more
}

func (s *session) unreadable(err error) {
	s.meters.unreadable.Inc()
	s.log.Debug("message of the gateway not read", "error", err)
}

// ack takes what the gateway has. An ack of another connection is retained or late: it may speak
// of a log that has been lost since, so it deletes nothing and opens nothing.
func (s *session) ack(a *wire.Ack, now time.Time) {
	sameLog := a.Lake == s.lakeID && a.Log == s.logID
	if a.Client != s.cfg.Client || a.Nonce != s.nonce || sameLog && a.Number().Less(s.last) {
		s.meters.hints.Inc()
		return
	}
	if slices.Contains(s.asked, a.Sent) {
		// Only the first answer to a hello is tight around the gateway's clock.
		s.cfg.Clock.Learn(a.Time, a.Sent, s.cfg.Clock.Monotonic())
		s.asked, s.helloDue = nil, now.Add(s.pace.hello)
		if s.unset && !s.greeted {
			s.helloDue = now // before the batches of ended boots: when this one began is what bounds them
		}
		s.conds.board.Clear(s.conds.gateway)
	}
	s.greeted, s.heard = true, now
	s.lakeID, s.logID, s.last = a.Lake, a.Log, a.Number()
	s.bucket.set(a.Credit, now)
	s.listen(a)
	s.apply(a)
	if !sameLog {
		// What was on its way may have gone into a log that is no more.
		s.flight = newFlight()
	}
	// Also of an ack that was not applied: a window that fills up would hold the next batches back.
	if s.flight.settle(a) > 0 {
		s.nackTry = 0
		s.conds.board.Clear(s.conds.refused)
	}
}

// apply hands an ack on. A card that fails does so at every ack, and is named once.
func (s *session) apply(a *wire.Ack) {
	err := s.cfg.Queue.Apply(a)
	if err == nil {
		s.meters.acks.Inc()
	} else if !s.unapplied {
		s.log.Warn("ack not applied; what it frees is kept until one is", "error", err)
	}
	s.unapplied = err != nil
}

// listen stops sending to a gateway that does not read what we write.
func (s *session) listen(a *wire.Ack) {
	s.speaks = slices.Contains(a.Wire, wireVersion)
	if !s.speaks {
		s.conds.board.Raise(s.conds.refused, fmt.Sprintf("the gateway accepts wire versions %v, this agent writes %d: update the older of the two", a.Wire, wireVersion))
	}
}

// nack keeps the batch, whatever the reason, and decides what may go meanwhile.
func (s *session) nack(n *wire.Nack, now time.Time) error {
	s.meters.nacks(n.Reason).Inc()
	ref := Ref{n.Epoch, n.First, n.Count}
	wait := s.pace.retryMin + jitter(backoff(s.nackTry, s.pace.retryMin, s.pace.retryMax), s.rand())
	switch n.Reason {
	case wire.BadCRC:
		return s.damaged(ref, n)
	case wire.HoleFirst:
		if s.flight.hold(ref, now.Add(wait)) && !now.Before(s.liveAfter) { // once per wait: a window of nacks is one answer
			s.flight.release(n.Epoch, n.MissingFrom, n.MissingTo, now)
			s.liveAfter = now.Add(wait)
			s.nackTry++
		}
		return nil
	case wire.BadVersion, wire.TooLarge:
		wait = s.pace.refused // it is refused for what it is; others may pass
	default: // not_now, share_full, identity and what a later gateway invents: about us, not the batch
		if !now.Before(s.quiet) {
			s.nackTry++
			s.quiet = now.Add(wait)
		}
	}
	if s.flight.hold(ref, now.Add(wait)) && n.Reason != wire.NotNow {
		s.conds.board.Raise(s.conds.refused, fmt.Sprintf("%s: batch %s/%d+%d %s", n.Reason, n.Epoch, n.First, n.Count, n.Detail))
	}
	return nil
}

// damaged answers a CRC nack: a good copy means that the way damaged it, so the way is left.
func (s *session) damaged(ref Ref, n *wire.Nack) error {
	if _, ours := s.flight.entries[ref]; !ours {
		return nil
	}
	if s.cfg.Queue.Verify(ref) {
		return fmt.Errorf("%w: %s/%d, CRC %08x there", errCRC, ref.Epoch, ref.First, n.CRC)
	}
	s.log.Error("a stored batch is damaged; its readings are given up as a gap", "epoch", ref.Epoch, "first", ref.First, "count", ref.Count)
	delete(s.flight.entries, ref)
	return nil
}
