package intake

import (
	"github.com/headwater-iot/headwater/gateway/internal/cursor"
	"github.com/headwater-iot/headwater/gateway/internal/table"
	"github.com/headwater-iot/headwater/shared/record"
	"github.com/headwater-iot/headwater/shared/wire"
)

// Loaded takes in every cursor that may still change. It is called at least once before anything is taken, and again
// whenever the lake was read again.
func (in *Intake) Loaded(updates []cursor.Update) {
	in.Landed(updates)
	in.mu.Lock()
	defer in.mu.Unlock()
	in.loaded = true
}

// Landed takes in what commits have closed, and owes acks to those who spoke of it.
func (in *Intake) Landed(updates []cursor.Update) {
	in.mu.Lock()
	defer in.mu.Unlock()
	for i := range updates {
		u := &updates[i]
		key := table.Key{Device: u.Device, Epoch: u.Epoch}
		e := in.epoch(key)
		e.landed.AddSet(&u.Closed)
		e.stored.AddSet(&u.Closed)
		e.presumed = u.Presumed.Clone()
		e.ended, e.lost = e.ended || u.Ended, e.lost || u.Lost
		e.over = u.Complete
		if !in.told(key, e) {
			in.release(key)
		}
	}
}

// told owes an ack to every client that speaks of an epoch, and reports whether there is one; in.mu is held.
func (in *Intake) told(key table.Key, e *epoch) bool {
	for _, name := range []string{e.client, key.Device, record.ImportClient(key.Device, key.Epoch)} {
		c := in.clients[name]
		if c == nil {
			continue
		}
		if final, speaks := c.speaks[key.Epoch]; speaks {
			e.final = min(e.final, final)
			in.owe(c)
			return true
		}
	}
	return false
}

// Replay takes in one record that was in the log before this start, so that what is stored is known before the
// first ack. Records that have landed do no harm.
func (in *Intake) Replay(kind uint8, client string, payload []byte) {
	device, err := record.DeviceOf(client)
	if err != nil {
		return // landing quarantines it
	}
	switch kind {
	case KindBatch:
		_, s, err := wire.ParseEnvelope(payload)
		if err != nil || s.Device != device {
			return
		}
		in.mu.Lock()
		defer in.mu.Unlock()
		e := in.epoch(table.Key{Device: s.Device, Epoch: s.Epoch})
		e.store(&s, imported(client))
		e.client = client
	case KindHello:
		if h, err := wire.ParseHello(payload); err == nil && h.Client == client {
			in.greet(h)
		}
	}
}
