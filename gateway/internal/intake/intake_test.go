package intake

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/headwater-iot/headwater/gateway/internal/cursor"
	"github.com/headwater-iot/headwater/shared/meter"
	"github.com/headwater-iot/headwater/shared/record"
	"github.com/headwater-iot/headwater/shared/seqset"
	"github.com/headwater-iot/headwater/shared/topic"
	"github.com/headwater-iot/headwater/shared/wire"
)

// world is an intake with a log in memory and a broker that keeps what it was given.
type world struct {
	*Intake
	t testing.TB

	mu      sync.Mutex
	log     []logged
	fail    error
	slow    map[string]int // of these clients so many acks are dropped
	backlog int64
	acks    map[string][]*wire.Ack
	nacks   map[string][]*wire.Nack
	cleared []string
}

type logged struct {
	kind    uint8
	client  string
	payload []byte
}

func (w *world) Append(_ context.Context, kind uint8, _ int, client string, payload []byte) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.fail != nil {
		return w.fail
	}
	w.log = append(w.log, logged{kind, client, payload})
	return nil
}

func (w *world) Backlog() int64 { return w.backlog }

func (w *world) Publish(client, where string, payload []byte, retained bool) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.slow[client] > 0 {
		w.slow[client]--
		w.Missed(client)
		return nil
	}
	switch {
	case where == topic.Down(client, topic.Nack) && !retained:
		n, err := wire.ParseNack(payload)
		if err != nil {
			w.t.Error(err)
		}
		w.nacks[client] = append(w.nacks[client], n)
	case where == topic.Down(client, topic.Ack) && retained && len(payload) == 0:
		w.cleared = append(w.cleared, client)
	case where == topic.Down(client, topic.Ack) && retained:
		a, err := wire.ParseAck(payload)
		if err != nil {
			w.t.Error(err)
		}
		w.acks[client] = append(w.acks[client], a)
	default:
		w.t.Errorf("published on %s (retained %v)", where, retained)
	}
	return nil
}

// drop lets the next n acks to a client be lost.
func (w *world) drop(client string, n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.slow = map[string]int{client: n}
}

// dropsLeft returns how many acks to a client are still to be lost.
func (w *world) dropsLeft(client string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.slow[client]
}

// again starts a new intake over the same log, as after a restart. It is not ready.
func (w *world) again(start uint64) {
	w.Intake = New(Config{
		Log: w, Lake: wire.ID{1}, LogID: wire.ID{2}, Start: start, Partitions: 4, Publisher: w,
		Logger: slog.New(slog.DiscardHandler), Meter: meter.New(),
	})
}

func newWorld(t testing.TB) *world {
	w := &world{t: t, acks: map[string][]*wire.Ack{}, nacks: map[string][]*wire.Nack{}}
	w.again(1)
	w.Loaded(nil)
	w.Open()
	return w
}

// running runs the acks until the test is over; for bubbles of synctest.
func (w *world) running() *world {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := w.Run(ctx); err != nil {
			w.t.Error(err)
		}
	}()
	w.t.Cleanup(func() { cancel(); <-done })
	return w
}

// part is what a device seals; two parts of the same seqs differ by body.
type part struct {
	device  string
	kind    wire.Kind
	epoch   record.Epoch
	from, n uint64
	body    string
}

func (p part) bytes(t testing.TB) []byte {
	t.Helper()
	if p.kind == 0 {
		p.kind = wire.KindReadings
	}
	if p.body == "" && p.kind != wire.KindEnd {
		p.body = "body"
	}
	if p.device == "" {
		p.device = "dev"
	}
	h := wire.Header{Kind: p.kind, Device: p.device, Epoch: p.epoch, Boot: 9, First: p.from, Count: p.n}
	sealed, err := wire.AppendSealed(nil, h, []byte(p.body))
	if err != nil {
		t.Fatal(err)
	}
	return wire.AppendEnvelope(nil, wire.Anchor{}, sealed)
}

func (w *world) send(p part) {
	w.t.Helper()
	if err := w.Batch(w.t.Context(), "dev", p.bytes(w.t)); err != nil {
		w.t.Fatal(err)
	}
}

func helloOf(t testing.TB, client string, nonce uint64, epochs ...wire.HelloEpoch) []byte {
	t.Helper()
	device, err := record.DeviceOf(client)
	if err != nil {
		t.Fatal(err)
	}
	b, err := wire.AppendHello(nil, &wire.Hello{Device: device, Client: client, Nonce: nonce, Sent: int64(nonce) * 10, Boot: 9, Epochs: epochs})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// greeting says hello of one epoch and returns the answer.
func (w *world) greeting(client string, nonce uint64, epochs ...wire.HelloEpoch) *wire.Ack {
	w.t.Helper()
	before := len(w.acksOf(client))
	if err := w.Hello(w.t.Context(), client, helloOf(w.t, client, nonce, epochs...)); err != nil {
		w.t.Fatal(err)
	}
	if len(w.acksOf(client)) != before+1 {
		w.t.Fatalf("hello got %d answers at once, want 1", len(w.acksOf(client))-before)
	}
	return w.acksOf(client)[before]
}

// acksOf returns the acks of a client so far.
func (w *world) acksOf(client string) []*wire.Ack {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.acks[client]
}

func (w *world) last(client string) *wire.Ack {
	w.t.Helper()
	if len(w.acksOf(client)) == 0 {
		w.t.Fatalf("%s got no ack", client)
	}
	return w.acksOf(client)[len(w.acksOf(client))-1]
}

func marks(a *wire.Ack) string {
	text := ""
	for _, e := range a.Epochs {
		text += fmt.Sprintf("%d: stored %d%v landed %d%v ended %v;", uint64(e.Epoch), e.StoredMark, e.Stored, e.LandedMark, e.Landed, e.Ended)
	}
	return text
}

func update(epoch record.Epoch, ended bool, ranges ...seqset.Range) cursor.Update {
	return cursor.Update{Device: "dev", Epoch: epoch, Closed: seqset.Of(ranges...), Ended: ended}
}

func TestHelloIsAnsweredAtOnce(t *testing.T) {
	w := newWorld(t)
	w.Landed([]cursor.Update{update(5, false, seqset.Range{From: 0, To: 7})})
	a := w.greeting("dev", 3, wire.HelloEpoch{Epoch: 5, Boot: 9, Next: 7})
	if a.Nonce != 3 || a.Sent != 30 || a.Client != "dev" || a.Lake != (wire.ID{1}) || a.Log != (wire.ID{2}) || a.Start != 1 || a.N == 0 || a.Time == 0 {
		t.Errorf("answered %+v", a)
	}
	if got, want := marks(a), "5: stored 7[] landed 7[] ended false;"; got != want {
		t.Errorf("answered %s, want %s", got, want)
	}
	if len(w.log) != 1 || w.log[0].kind != KindHello {
		t.Errorf("logged %v, want the hello", w.log)
	}
}

func TestStoredOnlyAfterAppend(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t).running()
		w.greeting("dev", 1, wire.HelloEpoch{Epoch: 5, Boot: 9})
		w.fail = errors.New("full")
		if err := w.Batch(t.Context(), "dev", part{epoch: 5, n: 4}.bytes(t)); !errors.Is(err, ErrWithhold) {
			t.Fatalf("batch with a full log: %v, want ErrWithhold", err)
		}
		if err := w.Hello(t.Context(), "dev", helloOf(t, "dev", 2)); !errors.Is(err, ErrWithhold) {
			t.Fatalf("hello with a full log: %v, want ErrWithhold", err)
		}
		w.fail = nil
		a := w.greeting("dev", 3, wire.HelloEpoch{Epoch: 5, Boot: 9, Next: 4})
		if got := marks(a); got != "" {
			t.Errorf("a batch that was withheld is acknowledged: %s", got)
		}
		w.send(part{epoch: 5, n: 4})
		time20ms(t)
		if got, want := marks(w.last("dev")), "5: stored 4[] landed 0[] ended false;"; got != want {
			t.Errorf("acked %s, want %s", got, want)
		}
	})
}

func TestWindowOfBatchesGetsOneAck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t).running()
		w.greeting("dev", 1)
		for i := range uint64(50) {
			w.send(part{epoch: 5, from: 10 * i, n: 10})
		}
		time20ms(t)
		if n := len(w.acksOf("dev")); n != 2 {
			t.Errorf("50 batches got %d acks, want 1", n-1)
		}
		if got, want := marks(w.last("dev")), "5: stored 500[] landed 0[] ended false;"; got != want {
			t.Errorf("acked %s, want %s", got, want)
		}
	})
}

func TestCopiesAreAckedAndNotAppended(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t).running()
		for _, p := range []part{{epoch: 5, n: 4}, {epoch: 5, kind: wire.KindGap, from: 1, n: 2}, {epoch: 5, kind: wire.KindEnd, from: 4}} {
			before := len(w.log)
			w.send(p)
			first := len(w.log) - before
			w.send(p)
			if again := len(w.log) - before; again != first {
				t.Errorf("the copy of %+v was appended", p)
			}
		}
		time20ms(t)
		acks := len(w.acksOf("dev"))
		w.send(part{epoch: 5, n: 4})
		time20ms(t)
		if len(w.acksOf("dev")) != acks+1 {
			t.Error("a copy got no ack")
		}
		w.send(part{epoch: 5, from: 2, n: 4, body: "wider"}) // holds something new
		if n := len(w.log); n != 3 {
			t.Errorf("%d records in the log, want batch, end and the batch that holds something new", n)
		}
	})
}

func TestOtherBytesUnderTheSameSeqsAreKeptAsEvidence(t *testing.T) {
	w := newWorld(t)
	w.send(part{epoch: 5, n: 4})
	for range 3 {
		w.send(part{epoch: 5, n: 4, body: "another"})
	}
	if len(w.log) != 2 || w.count.conflicts.Value() != 1 {
		t.Errorf("%d records, %d conflicts; want the other batch once", len(w.log), w.count.conflicts.Value())
	}
	file := record.ImportClient("dev", 6)
	for _, body := range []string{"one", "two"} {
		if err := w.Batch(t.Context(), file, part{epoch: 6, n: 4, body: body}.bytes(t)); err != nil {
			t.Fatal(err)
		}
	}
	if w.count.conflicts.Value() != 1 {
		t.Error("an import that was run again counts as a clone")
	}
}

func TestHoleFirst(t *testing.T) {
	w := newWorld(t)
	w.Landed([]cursor.Update{{Device: "dev", Epoch: 5, Presumed: seqset.Of(seqset.Range{From: 0, To: 3})}})
	for i := range uint64(cursor.MaxRanges - 1) {
		w.send(part{epoch: 5, from: 10 + 10*i, n: 1})
	}
	logged := len(w.log)
	if logged != cursor.MaxRanges-1 || len(w.nacks["dev"]) != 0 {
		t.Fatalf("%d batches logged, %d nacked", logged, len(w.nacks["dev"]))
	}
	w.send(part{epoch: 5, from: 9999, n: 1})
	n := w.nacks["dev"]
	if len(w.log) != logged || len(n) != 1 || n[0].Reason != wire.HoleFirst || n[0].MissingFrom != 3 || n[0].MissingTo != 10 {
		t.Fatalf("a batch with a range too many: logged %d, nacks %+v; want hole_first 3..10", len(w.log)-logged, n)
	}
	w.send(part{epoch: 5, from: 3, n: 7}) // the hole
	w.send(part{epoch: 5, from: 9999, n: 1})
	if len(w.log) != logged+2 {
		t.Error("with its hole filled the batch is still refused")
	}
}

func TestRefusals(t *testing.T) {
	good := part{epoch: 5, from: 3, n: 4}.bytes(t)
	flip := func(at int) []byte {
		b := append([]byte(nil), good...)
		b[at] ^= 1
		return b
	}
	future := append([]byte(nil), good...)
	future[2] = 9
	named := wire.Nack{Epoch: 5, First: 3, Count: 4}
	for _, c := range []struct {
		name, client string
		payload      []byte
		want         wire.Nack
	}{
		{"damaged body", "dev", flip(len(good) - 6), wire.Nack{Epoch: 5, First: 3, Count: 4, Reason: wire.BadCRC}},
		{"damaged envelope", "dev", flip(9), wire.Nack{Epoch: 5, First: 3, Count: 4, Reason: wire.BadCRC}},
		{"version", "dev", future, wire.Nack{Epoch: 5, First: 3, Count: 4, Reason: wire.BadVersion}},
		{"nothing", "dev", nil, wire.Nack{Reason: wire.BadVersion}},
		{"too large", "dev", append(append([]byte(nil), good...), make([]byte, wire.MaxSealed)...), wire.Nack{Epoch: 5, First: 3, Count: 4, Reason: wire.TooLarge}},
		{"another device", "other", good, wire.Nack{Epoch: 5, First: 3, Count: 4, Reason: wire.BadIdentity}},
		{"no device", "no device", good, wire.Nack{Epoch: named.Epoch, First: 3, Count: 4, Reason: wire.BadIdentity}},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			if err := w.Batch(t.Context(), c.client, c.payload); err != nil {
				t.Fatalf("refused with %v, want a nack and nil", err)
			}
			if len(w.log) != 0 || len(w.epochs) != 0 || len(w.nacks[c.client]) != 1 {
				t.Fatalf("%d records, %d epochs, %d nacks", len(w.log), len(w.epochs), len(w.nacks[c.client]))
			}
			n := *w.nacks[c.client][0]
			n.Detail, n.CRC = "", 0
			if n != c.want {
				t.Errorf("nack %+v, want %+v", n, c.want)
			}
		})
	}
	w := newWorld(t)
	for _, hello := range [][]byte{nil, helloOf(t, "other", 1), good} {
		if err := w.Hello(t.Context(), "dev", hello); err != nil || len(w.log) != 0 || len(w.acksOf("dev")) != 0 {
			t.Errorf("hello of %d bytes: %v, %d records, %d acks", len(hello), err, len(w.log), len(w.acksOf("dev")))
		}
	}
}

func TestNothingBeforeReady(t *testing.T) {
	w := newWorld(t)
	w.send(part{epoch: 5, n: 4})
	w.send(part{epoch: 5, from: 6, n: 4})
	w.again(2)
	tries := func(what string) {
		t.Helper()
		if err := w.Batch(t.Context(), "dev", part{epoch: 5, n: 4}.bytes(t)); !errors.Is(err, ErrWithhold) {
			t.Errorf("batch %s: %v", what, err)
		}
		if err := w.Hello(t.Context(), "dev", helloOf(t, "dev", 1)); !errors.Is(err, ErrWithhold) {
			t.Errorf("hello %s: %v", what, err)
		}
	}
	tries("before anything")
	for _, r := range w.log {
		w.Replay(r.kind, r.client, r.payload)
	}
	w.Open()
	tries("before the cursors")
	w.Loaded([]cursor.Update{update(5, false, seqset.Range{From: 0, To: 3})})
	a := w.greeting("dev", 2, wire.HelloEpoch{Epoch: 5, Boot: 9, Next: 10})
	if got, want := marks(a), "5: stored 4[6 10] landed 3[] ended false;"; got != want || a.Start != 2 {
		t.Errorf("after a restart: %s, start %d; want %s, 2", got, a.Start, want)
	}
}

func TestCreditFallsWithTheBacklog(t *testing.T) {
	w := newWorld(t)
	var last uint64 = 1 << 62
	for _, backlog := range []int64{0, DefaultCreditBacklog / 2, DefaultCreditBacklog - 1, 5 * DefaultCreditBacklog} {
		w.backlog = backlog
		credit := w.greeting("dev", 1).Credit
		if credit >= last && backlog < DefaultCreditBacklog || credit < CreditFloor {
			t.Errorf("credit %d with a backlog of %d, %d with less", credit, backlog, last)
		}
		last = credit
	}
	if last != CreditFloor {
		t.Errorf("credit of a hopeless backlog is %d, want the floor", last)
	}
}
