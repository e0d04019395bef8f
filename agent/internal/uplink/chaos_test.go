package uplink

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/headwater-iot/headwater/shared/topic"
	"github.com/headwater-iot/headwater/shared/wire"
)

// moods is a gateway and a network that do anything they may, seeded.
type moods struct {
	r        *rand.Rand
	calm     bool
	answered map[uint64]bool // nonces that an ack has echoed
	early    int             // batches before that
}

// answer is what may happen to one message of the device.
func (m *moods) answer(p *peer, what topic.What, _ []byte) {
	hello := p.hellos[len(p.hellos)-1]
	if what == topic.Batch && !m.answered[hello.Nonce] {
		m.early++
	}
	p.refuse = !m.calm && m.r.IntN(4) == 0 // the next connection
	switch mood := m.r.IntN(10); {
	case m.calm || mood < 4:
		p.store(what)
		m.ack(p)
	case mood < 5: // lost on the way to the gateway, or the ack on its way back
		if m.r.IntN(2) == 0 {
			p.store(what)
		}
	case mood < 6: // a retained ack, that claims everything
		p.ack(func(a *wire.Ack) { a.Nonce++; a.Epochs[0].StoredMark = 1 << 40 })
	case mood < 7: // the log is lost: what was stored and not landed is not
		p.log++
		p.seen.Remove(0, p.seen.Max())
		m.ack(p)
	case mood < 8:
		if len(p.lost) == 0 {
			p.lost <- fmt.Errorf("%w: mood", errLost)
		}
	case what == topic.Batch:
		r := p.batches[len(p.batches)-1]
		reasons := []wire.Reason{wire.NotNow, wire.HoleFirst, wire.BadVersion, wire.TooLarge, wire.BadIdentity, wire.ShareFull, wire.BadCRC}
		p.nack(wire.Nack{Epoch: r.Epoch, First: r.First, Count: r.Count, Reason: reasons[m.r.IntN(len(reasons))], MissingTo: r.First})
	}
}

func (m *moods) ack(p *peer) {
	p.ack(func(a *wire.Ack) { a.Log = wire.ID{1, p.log} })
	m.answered[p.hellos[len(p.hellos)-1].Nonce] = true
}

// TestNothingIsLostInAnyMood holds I1, I2, I3 and I5 against seeded disorder: whatever has happened,
// one calm hour later the gateway has everything, and the outbox has forgotten nothing that it has not.
func TestNothingIsLostInAnyMood(t *testing.T) {
	for seed := range uint64(60) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			m := &moods{r: rand.New(rand.NewPCG(seed, 1)), answered: map[uint64]bool{}}
			s, p := newShelf(), &peer{answer: m.answer}
			const batches = 60
			during(t, p, s, func(*Uplink) {
				for i := range uint64(batches) {
					s.put(t, Lane(i%3/2), 10*i)
					p.pass(time.Duration(i*i%60) * time.Second)
				}
				p.do(func() { m.calm, p.refuse = true, false })
				p.pass(time.Hour)
			})
			if m.early > 0 {
				t.Errorf("%d batches left before the hello was answered", m.early)
			}
			for i := range uint64(batches) {
				if r := (Ref{epoch, 10 * i, 10}); !p.seen.HasAll(r.First, r.First+r.Count) || !s.stored[r] {
					t.Errorf("batch %d: gateway %v, outbox %v", i, p.seen.HasAll(r.First, r.First+r.Count), s.stored[r])
				}
			}
		})
	}
}
