package intake

import (
	"sync"
	"time"

	"github.com/headwater-iot/headwater/gateway/internal/table"
	"github.com/headwater-iot/headwater/shared/record"
	"github.com/headwater-iot/headwater/shared/topic"
)

// client is one session as intake sees it. Its fields belong to Intake.mu.
//
// Lock order: sending, then Intake.mu.
type client struct {
	name, device string
	nonce        uint64
	sent         int64                   // us monotonic, of the device
	speaks       map[record.Epoch]uint64 // final seq, or unknown
	seen         time.Time

	sending sync.Mutex // held from the number of an ack to its publish, so that they leave in order
}

// client finds or makes a client; in.mu is held and the name is known to be good.
func (in *Intake) client(name string) *client {
	c := in.clients[name]
	if c == nil {
		device, err := record.DeviceOf(name)
		if err != nil {
			panic("intake: client without a device: " + err.Error())
		}
		c = &client{name: name, device: device, speaks: map[record.Epoch]uint64{}}
		in.clients[name] = c
	}
	c.seen = time.Now()
	return c
}

// heard notes that a client sent a batch of an epoch; in.mu is held.
func (in *Intake) heard(name string, epoch record.Epoch) *client {
	c := in.client(name)
	if _, speaks := c.speaks[epoch]; !speaks && len(c.speaks) < maxEpochs {
		c.speaks[epoch] = unknown
	}
	return c
}

// release forgets an epoch of which there is nothing left to say; in.mu is held.
func (in *Intake) release(key table.Key) {
	if e := in.epochs[key]; e != nil && e.complete() {
		delete(in.epochs, key)
		if in.born[key.Device] > 1 {
			in.born[key.Device]--
		} else {
			delete(in.born, key.Device)
		}
	}
}

// forgetBirths lets every device begin epochs anew.
func (in *Intake) forgetBirths() {
	in.mu.Lock()
	defer in.mu.Unlock()
	clear(in.born)
}

// forgetIdle forgets clients that have been silent, and takes back the acks that the broker retains for them.
func (in *Intake) forgetIdle() {
	in.mu.Lock()
	var idle []string
	for name, c := range in.clients {
		if time.Since(c.seen) < idleAfter {
			continue
		}
		idle = append(idle, name)
		delete(in.clients, name)
		delete(in.due, c)
		delete(in.missed, c)
		for epoch := range c.speaks {
			in.release(table.Key{Device: c.device, Epoch: epoch})
		}
	}
	in.mu.Unlock()
	for _, name := range idle {
		if err := in.cfg.Publisher.Publish(name, topic.Down(name, topic.Ack), nil, true); err != nil {
			in.cfg.Logger.Debug("retained ack not taken back", "client", name, "error", err)
		}
	}
}
