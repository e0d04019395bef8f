package intake

import (
	"maps"
	"slices"

	"github.com/headwater-iot/headwater/gateway/internal/table"
	"github.com/headwater-iot/headwater/shared/topic"
	"github.com/headwater-iot/headwater/shared/wire"
)

// wireVersion is the version of FORMAT.md that this gateway accepts; dictionary 0 is none.
const wireVersion = 1

// answerAll sends an ack to every client that is owed one.
func (in *Intake) answerAll() {
	in.mu.Lock()
	due := in.due
	in.due = map[*client]struct{}{}
	in.mu.Unlock()
	for c := range due {
		in.answer(c)
	}
}

// answer sends an ack. One that cannot be sent is superseded by the next, a minute later at the latest.
func (in *Intake) answer(c *client) {
	c.sending.Lock()
	defer c.sending.Unlock()
	ack := in.ack(c)
	payload, err := wire.AppendAck(nil, ack)
	if err == nil {
		err = in.cfg.Publisher.Publish(c.name, topic.Down(c.name, topic.Ack), payload, true)
	}
	if err != nil {
		in.count.unsent.Inc()
		in.cfg.Logger.Debug("ack not sent", "client", c.name, "error", err)
		return
	}
	in.count.acks.Inc()
}

// Missed notes that a client was too slow for what was published to it: it is owed an ack before long. The Publisher
// may call it within Publish.
func (in *Intake) Missed(name string) {
	in.mu.Lock()
	defer in.mu.Unlock()
	if c := in.clients[name]; c != nil {
		in.missed[c] = struct{}{}
	}
}

// oweMissed owes an ack to those who missed one.
func (in *Intake) oweMissed() {
	in.mu.Lock()
	defer in.mu.Unlock()
	for c := range in.missed {
		in.owe(c)
	}
	clear(in.missed)
}

// ack says all there is to say to a client now. An epoch that nothing is known of is left out: its marks may have been
// told before it was complete and left memory.
func (in *Intake) ack(c *client) *wire.Ack {
	backlog := in.cfg.Log.Backlog()
	in.mu.Lock()
	defer in.mu.Unlock()
	delete(in.due, c)
	delete(in.missed, c)
	in.number++
	a := &wire.Ack{
		Lake: in.cfg.Lake, Log: in.cfg.LogID, Start: in.cfg.Start, N: in.number,
		Client: c.name, Nonce: c.nonce, Sent: c.sent,
		Wire: []uint64{wireVersion}, Dicts: []uint64{0},
		Time: in.cfg.Now(), Credit: in.credit(backlog),
	}
	for _, id := range slices.Sorted(maps.Keys(c.speaks)) {
		if e := in.epochs[table.Key{Device: c.device, Epoch: id}]; e != nil {
			// Of an epoch that was lost nobody waits for the end: a device that was not told would name it for ever.
			a.Epochs = append(a.Epochs, wire.NewAckEpoch(id, &e.stored, &e.landed, e.ended || e.lost))
		}
	}
	return a
}
