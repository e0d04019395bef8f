package intake

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/headwater-iot/headwater/gateway/internal/table"
	"github.com/headwater-iot/headwater/shared/record"
	"github.com/headwater-iot/headwater/shared/seqset"
	"github.com/headwater-iot/headwater/shared/topic"
	"github.com/headwater-iot/headwater/shared/wire"
)

// Batch takes one envelope. nil means that it is in the log, was there before, or was refused with a nack: the broker
// may be told. ErrWithhold means none of these.
func (in *Intake) Batch(ctx context.Context, client string, payload []byte) error {
	in.count.batch.received.Inc()
	if !in.isReady() {
		in.count.batch.withheld.Inc()
		return fmt.Errorf("%w: the gateway is starting", ErrWithhold)
	}
	device, err := record.DeviceOf(client)
	if err != nil {
		in.refuse(client, refusal(payload, wire.BadIdentity, err.Error()))
		return nil
	}
	_, s, err := wire.ParseEnvelope(payload)
	switch {
	case err != nil:
		in.refuse(client, refusal(payload, reasonOf(err), err.Error()))
		return nil
	case s.Device != device:
		in.refuse(client, nackOf(&s, wire.BadIdentity, fmt.Sprintf("batch of device %s in the session of %s", s.Device, client)))
		return nil
	}
	verdict, missing := in.judge(client, &s)
	switch verdict {
	case duplicate:
		in.count.batch.duplicates.Inc()
		return nil
	case tooManyHoles:
		n := nackOf(&s, wire.HoleFirst, "")
		n.MissingFrom, n.MissingTo = missing.From, missing.To
		in.refuse(client, n)
		return nil
	case tooManyEpochs:
		in.refuse(client, nackOf(&s, wire.NotNow, fmt.Sprintf("%d epochs of this device began lately and have not ended; end some, or wait for a day", maxEpochs)))
		return nil
	case contradiction:
		in.conflict(&s)
	}
	part := record.Partition(device, in.cfg.Partitions)
	err = in.cfg.Log.Append(ctx, KindBatch, part, client, payload)
	switch {
	case errors.Is(err, ErrShare):
		in.refuse(client, nackOf(&s, wire.ShareFull, "what is stored of this device has to land first"))
		return nil
	case err != nil:
		in.count.batch.withheld.Inc()
		return fmt.Errorf("%w: %w", ErrWithhold, err)
	}
	in.stored(client, &s, len(payload))
	return nil
}

// verdict is what judge makes of a batch.
type verdict uint8

const (
	fresh verdict = iota
	duplicate
	tooManyHoles
	contradiction
	tooManyEpochs
)

// judge holds a batch against what is known of its epoch. A copy gets its ack again.
func (in *Intake) judge(client string, s *wire.Sealed) (verdict, seqset.Range) {
	in.mu.Lock()
	defer in.mu.Unlock()
	e := in.epochs[table.Key{Device: s.Device, Epoch: s.Epoch}]
	if e == nil {
		if in.born[s.Device] >= maxEpochs {
			return tooManyEpochs, seqset.Range{}
		}
		e = newEpoch() // kept once its batch is stored
	}
	if s.Kind == wire.KindReadings && !imported(client) && e.contradicts(s) {
		return contradiction, seqset.Range{}
	}
	if e.covers(s) {
		in.owe(in.heard(client, s.Epoch))
		return duplicate, seqset.Range{}
	}
	if missing, ok := e.fits(s); !ok {
		return tooManyHoles, missing
	}
	return fresh, seqset.Range{}
}

// stored notes a batch that the log has fsynced, and owes its client an ack.
func (in *Intake) stored(client string, s *wire.Sealed, size int) {
	in.count.batch.appended.Inc()
	in.count.readings[s.Kind].Add(s.Count)
	in.count.bytes.Add(uint64(size))
	in.mu.Lock()
	defer in.mu.Unlock()
	key := table.Key{Device: s.Device, Epoch: s.Epoch}
	if in.epochs[key] == nil {
		in.born[key.Device]++
	}
	e := in.epoch(key)
	e.store(s, imported(client))
	e.client = client
	in.owe(in.heard(client, s.Epoch))
}

// epoch finds or makes the state of an epoch; in.mu is held.
func (in *Intake) epoch(key table.Key) *epoch {
	e := in.epochs[key]
	if e == nil {
		e = newEpoch()
		in.epochs[key] = e
	}
	return e
}

func (in *Intake) isReady() bool {
	in.mu.Lock()
	defer in.mu.Unlock()
	return in.ready()
}

// imported reports whether a client sends a file: one that is read again is no clone.
func imported(client string) bool { return strings.Contains(client, "+") }

func (in *Intake) conflict(s *wire.Sealed) {
	in.count.conflicts.Inc()
	text := fmt.Sprintf("device %s, epoch %s, from seq %d", s.Device, s.Epoch, s.First)
	in.cfg.Health.Raise(clones, text)
	in.cfg.Logger.Warn("other bytes came under the same sequence numbers; landing keeps the evidence",
		"device", s.Device, "epoch", s.Epoch, "first", s.First, "count", s.Count)
}

// refuse answers a batch that is not taken.
func (in *Intake) refuse(client string, n *wire.Nack) {
	in.count.batch.refused(string(n.Reason)).Inc()
	in.nack(client, n)
}

// nack sends a refusal. One that is lost is no harm: the device sends again.
func (in *Intake) nack(client string, n *wire.Nack) {
	payload, err := wire.AppendNack(nil, n)
	if err == nil {
		err = in.cfg.Publisher.Publish(client, topic.Down(client, topic.Nack), payload, false)
	}
	if err != nil {
		in.count.unsent.Inc()
		in.cfg.Logger.Debug("nack not sent", "client", client, "error", err)
		return
	}
	in.count.nacks(string(n.Reason)).Inc()
}

// reasonOf says why bytes were not read. What no encoder writes, with a CRC that fits, is a dialect we do not know.
func reasonOf(err error) wire.Reason {
	switch {
	case errors.Is(err, wire.ErrCRC):
		return wire.BadCRC
	case errors.Is(err, wire.ErrTooLarge):
		return wire.TooLarge
	}
	return wire.BadVersion
}

func nackOf(s *wire.Sealed, reason wire.Reason, detail string) *wire.Nack {
	return &wire.Nack{Epoch: s.Epoch, First: s.First, Count: s.Count, CRC: s.CRC, Reason: reason, Detail: detail}
}
