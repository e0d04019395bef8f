package intake

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/headwater-iot/headwater/gateway/internal/table"
	"github.com/headwater-iot/headwater/shared/record"
	"github.com/headwater-iot/headwater/shared/wire"
)

// maxEpochs bounds the epochs that one ack speaks of, and those that one device may begin in a day and not end, each of
// which takes memory here and in landing. A device has a handful.
const maxEpochs = 1024

// Hello takes one hello and answers it with an ack before it returns. The error means what that of Batch means.
func (in *Intake) Hello(ctx context.Context, client string, payload []byte) error {
	in.count.hello.received.Inc()
	if !in.isReady() {
		in.count.hello.withheld.Inc()
		return fmt.Errorf("%w: the gateway is starting", ErrWithhold)
	}
	h, err := wire.ParseHello(payload)
	reason := wire.BadIdentity
	switch {
	case err != nil:
		reason = reasonOf(err)
	case h.Client != client:
		err = fmt.Errorf("hello of client %s in the session of %s", h.Client, client)
	}
	if err != nil {
		in.count.hello.refused(string(reason)).Inc()
		in.nack(client, refusal(nil, reason, err.Error()))
		return nil
	}
	part := record.Partition(h.Device, in.cfg.Partitions)
	err = in.cfg.Log.Append(ctx, KindHello, part, client, payload)
	switch {
	case errors.Is(err, ErrShare):
		in.count.hello.refused(string(wire.ShareFull)).Inc()
		in.nack(client, refusal(nil, wire.ShareFull, "what is stored of this device has to land first"))
		return nil
	case err != nil:
		in.count.hello.withheld.Inc()
		return fmt.Errorf("%w: %w", ErrWithhold, err)
	}
	in.count.hello.appended.Inc()
	in.answer(in.greet(h))
	return nil
}

// greet notes who said hello, and of what: of its current epoch first, if these are too many.
func (in *Intake) greet(h *wire.Hello) *client {
	slices.SortStableFunc(h.Epochs, func(a, b wire.HelloEpoch) int { return cmp.Compare(a.State, b.State) })
	in.mu.Lock()
	defer in.mu.Unlock()
	c := in.client(h.Client)
	before := c.speaks
	c.nonce, c.sent, c.speaks = h.Nonce, h.Sent, make(map[record.Epoch]uint64, min(len(h.Epochs), maxEpochs))
	for i := range h.Epochs {
		if len(c.speaks) == maxEpochs {
			break
		}
		said := &h.Epochs[i]
		final := uint64(unknown)
		if said.State == wire.EpochEnded {
			final = said.Next
		}
		c.speaks[said.Epoch] = final
		if e := in.epochs[table.Key{Device: c.device, Epoch: said.Epoch}]; e != nil {
			e.client, e.final = c.name, min(e.final, final)
		}
	}
	for epoch := range before {
		if _, still := c.speaks[epoch]; !still {
			in.release(table.Key{Device: c.device, Epoch: epoch})
		}
	}
	return c
}
