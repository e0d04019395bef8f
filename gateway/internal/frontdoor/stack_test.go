package frontdoor

import (
	"context"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	paho "github.com/eclipse/paho.mqtt.golang"
	"golang.org/x/sys/unix"

	"github.com/headwater-iot/headwater/gateway/internal/intake"
	"github.com/headwater-iot/headwater/gateway/internal/log"
	"github.com/headwater-iot/headwater/shared/durable"
	"github.com/headwater-iot/headwater/shared/topic"
	"github.com/headwater-iot/headwater/shared/wire"
)

// logOf is the log as intake sees it.
type logOf struct{ *log.Log }

func (l logOf) Append(ctx context.Context, kind uint8, partition int, client string, payload []byte) error {
	_, err := l.Log.Append(ctx, log.Record{Kind: log.Kind(kind), Partition: partition, Client: client, Payload: payload})
	return err
}

func (logOf) Backlog() int64 { return 0 }

// stack runs door, intake and log as the gateway does, over a disk whose steps the test sees.
func stack(t testing.TB, step func(step, path string) error) *Door {
	t.Helper()
	l, err := log.Open(log.Config{Dir: t.TempDir(), Partitions: 2, Disk: durable.Disk{Step: step}})
	if err != nil {
		t.Fatal(err)
	}
	var in *intake.Intake // the door needs a handler and intake a publisher
	d := start(t, handler{
		batch:  func(client string, payload []byte) error { return in.Batch(context.Background(), client, payload) },
		hello:  func(client string, payload []byte) error { return in.Hello(context.Background(), client, payload) },
		missed: func(client string) { in.Missed(client) },
	})
	in = intake.New(intake.Config{
		Log: logOf{l}, Lake: wire.ID{1}, LogID: l.ID(), Start: l.Start(), Partitions: l.Partitions(), Publisher: d,
		Logger: slog.New(slog.DiscardHandler),
	})
	in.Loaded(nil)
	in.Open()
	ctx, cancel := context.WithCancel(context.Background())
	var acks sync.WaitGroup
	acks.Go(func() {
		if err := in.Run(ctx); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(func() {
		cancel()
		acks.Wait()
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return d
}

func batchOf(t testing.TB, device string, first, count uint64) []byte {
	t.Helper()
	sealed, err := wire.AppendSealed(nil, wire.Header{Kind: wire.KindReadings, Device: device, Epoch: 5, Boot: 9, First: first, Count: count}, []byte("body"))
	if err != nil {
		t.Fatal(err)
	}
	return wire.AppendEnvelope(nil, wire.Anchor{}, sealed)
}

// device connects, listens and says hello; the acks it hears come through the channel.
func device(t testing.TB, d *Door, id string, change ...func(*paho.ClientOptions)) (paho.Client, <-chan *wire.Ack) {
	t.Helper()
	c := dial(t, d, id, change...)
	acks := make(chan *wire.Ack, 64) // more than any test here brings about
	hear := func(_ paho.Client, m paho.Message) {
		if m.Retained() || m.Topic() != topic.Down(id, topic.Ack) {
			return
		}
		a, err := wire.ParseAck(m.Payload())
		if err != nil {
			t.Error(err)
			return
		}
		select {
		case acks <- a:
		default: // a benchmark does not listen
		}
	}
	if err := done(t, c.Subscribe(topic.DownAll(id), 1, hear)); err != nil {
		t.Fatal(err)
	}
	hello, err := wire.AppendHello(nil, &wire.Hello{Device: id, Client: id, Nonce: 77, Boot: 9, Epochs: []wire.HelloEpoch{{Epoch: 5, Boot: 9}}})
	if err != nil {
		t.Fatal(err)
	}
	if err := done(t, c.Publish(topic.Up(id, topic.Hello), 1, false, hello)); err != nil {
		t.Fatal(err)
	}
	if a := await(t, "the answer to hello", acks); a.Nonce != 77 || a.Client != id {
		t.Fatalf("hello was answered by %+v", a)
	}
	return c, acks
}

// stored waits for the ack that says so much of the epoch is stored.
func stored(t testing.TB, acks <-chan *wire.Ack, mark uint64) {
	t.Helper()
	for {
		a := await(t, "an ack", acks)
		if slices.ContainsFunc(a.Epochs, func(e wire.AckEpoch) bool { return e.StoredMark >= mark }) {
			return
		}
	}
}

// TestNothingIsSaidBeforeTheFsync holds the fsync of a batch back: neither PUBACK nor `stored` comes before it.
func TestNothingIsSaidBeforeTheFsync(t *testing.T) {
	var hold atomic.Bool
	reached, release := make(chan struct{}), make(chan struct{})
	d := stack(t, func(step, path string) error {
		if step == durable.StepSync && strings.HasSuffix(path, ".hwl") && hold.CompareAndSwap(true, false) {
			close(reached)
			<-release
		}
		return nil
	})
	c, acks := device(t, d, "dev")
	hold.Store(true)
	token := c.Publish(topic.Up("dev", topic.Batch), 1, false, batchOf(t, "dev", 0, 4))
	await(t, "the fsync", reached)
	select {
	case <-token.Done():
		t.Error("PUBACK before the fsync")
	case a := <-acks:
		t.Errorf("ack before the fsync: %+v", a)
	default:
	}
	close(release)
	if err := done(t, token); err != nil {
		t.Error(err)
	}
	stored(t, acks, 4)
}

// TestFullLogWithholds fills the disk: no PUBACK, no ack, the connection ends; with room again the same batch goes in.
func TestFullLogWithholds(t *testing.T) {
	var full atomic.Bool
	d := stack(t, func(step, path string) error {
		if full.Load() && step == "append" {
			return unix.ENOSPC
		}
		return nil
	})
	watch, gone := lost()
	c, acks := device(t, d, "dev", watch)
	full.Store(true)
	token := c.Publish(topic.Up("dev", topic.Batch), 1, false, batchOf(t, "dev", 0, 4))
	await(t, "the end of the connection", gone)
	if err := done(t, token); err == nil {
		t.Error("PUBACK of what a full log did not take")
	}
	if len(acks) != 0 {
		t.Errorf("acked: %+v", <-acks)
	}
	full.Store(false)
	c, acks = device(t, d, "dev")
	if err := done(t, c.Publish(topic.Up("dev", topic.Batch), 1, false, batchOf(t, "dev", 0, 4))); err != nil {
		t.Fatal(err)
	}
	stored(t, acks, 4)
}
