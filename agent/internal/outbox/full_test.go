package outbox

import (
	"math/rand/v2"
	"strconv"
	"testing"
	"time"

	"github.com/headwater-iot/headwater/shared/health"
	"github.com/headwater-iot/headwater/shared/record"
	"github.com/headwater-iot/headwater/shared/wire"
)

// heavy is row i with n bytes that do not compress.
func heavy(i, n int) record.Row {
	r := row(i)
	rng := rand.New(rand.NewPCG(3, uint64(i)))
	b := make([]byte, n)
	for j := range b {
		b[j] = byte(rng.Uint32())
	}
	r.Cells = append(r.Cells, record.Cell{Series: "blob", Kind: record.Bytes, Text: string(b)})
	return r
}

// wantAccounted checks that every row landed once or lies in a gap, and that the youngest landed.
func wantAccounted(t *testing.T, l *lake, rows, youngest int) (gapped uint64) {
	t.Helper()
	missing := uint64(0)
	for i := range rows {
		switch n := l.got[key(i)]; {
		case n > 1:
			t.Fatalf("row %d landed %d times", i, n)
		case n == 0 && i >= rows-youngest:
			t.Fatalf("row %d of %d is young, and did not land", i, rows)
		case n == 0:
			missing++
		}
	}
	for _, e := range l.epochs {
		gapped += e.reasons[wire.DropOldest]
	}
	if gapped != 3*missing {
		t.Fatalf("%d rows of 3 readings are missing, %d readings are in gaps", missing, gapped)
	}
	l.wantDense()
	return gapped
}

func TestQuotaGivesTheOldestUp(t *testing.T) {
	cfg := config(t)
	cfg.Quota = 9 << 20
	o := mustOpen(t, cfg)
	const rows = 1000
	for i := range rows {
		must(t, o.Append(heavy(i, 16<<10))) // 16 MB in all
	}
	if n := o.store.Bytes(); n > cfg.Quota {
		t.Fatalf("%d bytes on flash, quota %d", n, cfg.Quota)
	}
	if n := len(o.gaps); n != 1 {
		t.Fatalf("%d gaps, want one that is joined", n)
	}
	if !raised(cfg.Health, "outbox-full") {
		t.Fatal("nobody says that the share is full")
	}
	must(t, o.Close())
	o = mustOpen(t, cfg)
	l := newLake(t)
	l.drain(o)
	gapped := wantAccounted(t, l, rows, 200)
	if n := o.meters.dropped.Value(); n != gapped {
		t.Fatalf("%d readings counted as dropped, %d in gaps", n, gapped)
	}
	if len(o.gaps) != 0 || o.store.Bytes() != 0 {
		t.Fatalf("%d gaps and %d bytes are held after all has landed", len(o.gaps), o.store.Bytes())
	}
}

func raised(b *health.Board, code string) bool {
	for _, s := range b.Snapshot() {
		if s.Code == code {
			return true
		}
	}
	return false
}

// TestNoFlashAtAll: where flash takes nothing the ring goes on, and what it gives up is a gap.
func TestNoFlashAtAll(t *testing.T) {
	for name, change := range map[string]func(*Config){
		"quota":      func(c *Config) { c.Quota = 1 },
		"free space": func(c *Config) { c.Reserve = 1 << 60 },
	} {
		t.Run(name, func(t *testing.T) {
			cfg := config(t)
			change(&cfg)
			o := mustOpen(t, cfg)
			const rows = 300
			for i := range rows {
				must(t, o.Append(heavy(i, 16<<10)))
			}
			must(t, o.Seal())
			l := newLake(t)
			l.drain(o)
			wantAccounted(t, l, rows, 10)
			if n := o.meters.writes.Value(); n != 0 {
				t.Fatalf("%d writes to flash", n)
			}
		})
	}
}

// TestNothingIsGivenUpForOthers: others fill the card. What is on it stays, for its room would not be enough; what comes
// waits in the ring, and goes to flash when there is room again.
func TestNothingIsGivenUpForOthers(t *testing.T) {
	cfg := config(t)
	o := mustOpen(t, cfg)
	appendRows(t, o, 0, 100)
	flushAll(t, o)
	reserve := o.cfg.Reserve
	o.cfg.Reserve = 1 << 60
	appendRows(t, o, 100, 200)
	flushAll(t, o)
	if len(o.gaps) != 0 || len(o.held) == 0 || !raised(cfg.Health, "outbox-full") {
		t.Fatalf("%d gaps, %d batches in the ring, said: %v", len(o.gaps), len(o.held), raised(cfg.Health, "outbox-full"))
	}
	o.cfg.Reserve = reserve
	flushAll(t, o)
	if len(o.held) != 0 {
		t.Fatalf("%d batches stay in the ring", len(o.held))
	}
	l := newLake(t)
	l.drain(o)
	l.wantRows(0, 200)
}

// TestGapOnItsWayDoesNotChange: the gateway would see other bytes under the same seqs.
func TestGapOnItsWayDoesNotChange(t *testing.T) {
	o := mustOpen(t, config(t))
	none := func(Ref) bool { return false }
	drop := func(i int) {
		appendRows(t, o, i, i+5)
		must(t, o.Seal())
		o.flash.Lock()
		defer o.flash.Unlock()
		o.flush(func(*held) bool { return true })
		must(t, o.dropOldest(o.store.Segments()[0]))
	}
	drop(0)
	drop(5)
	b, ok := o.Next(Backlog, none)
	if !ok || b.Kind != wire.KindGap || b.First != 0 || b.Count != 20 {
		t.Fatalf("first gap %+v", b)
	}
	sent := string(b.Sealed)
	drop(10)
	if b, _ = o.Next(Backlog, none); string(b.Sealed) != sent {
		t.Fatalf("a gap that was sent has changed to %+v", b.Ref)
	}
	l := newLake(t)
	l.drain(o)
	l.wantDense()
	if n := l.epochs[o.Epoch()].reasons[wire.DropOldest]; n != 30 {
		t.Fatalf("%d readings in gaps", n)
	}
}

func TestLiveLaneIsTheCurrentEpochInTheRing(t *testing.T) {
	cfg := config(t)
	o := mustOpen(t, cfg)
	appendRows(t, o, 0, 5)
	must(t, o.Seal())
	appendRows(t, o, 5, 10)
	kill(t, o)
	o = mustOpen(t, cfg)
	appendRows(t, o, 10, 15)
	must(t, o.Seal())
	sent := map[Ref]bool{}
	skip := func(r Ref) bool { return sent[r] }
	var order []string
	for _, lane := range []Lane{Live, Backlog} {
		for {
			b, ok := o.Next(lane, skip)
			if !ok {
				break
			}
			sent[b.Ref] = true
			if live := b.Epoch == o.Epoch(); live != (lane == Live) {
				t.Fatalf("lane %d carries %+v", lane, b.Ref)
			}
			if b.Anchor.State != wire.Synced {
				t.Fatalf("anchor %+v", b.Anchor)
			}
			order = append(order, b.Kind.String()+" "+strconv.FormatUint(b.First, 10))
		}
	}
	want := []string{"readings 0", "readings 0", "readings 10", "end 20"}
	if len(order) != len(want) {
		t.Fatalf("sent %v, want %v", order, want)
	}
	for i := range want {
		if order[i] != want[i] {
			t.Fatalf("sent %v, want %v", order, want)
		}
	}
}

// TestVerify: our copy is looked at, wherever it is.
func TestVerify(t *testing.T) {
	o := mustOpen(t, config(t))
	appendRows(t, o, 0, 5)
	must(t, o.Seal())
	r := o.held[0].Ref
	if !o.Verify(r) {
		t.Fatal("a good copy in the ring is called bad")
	}
	p, err := o.ring.Payload(o.held[0].pos)
	must(t, err)
	p[len(p)-5] ^= 1
	if o.Verify(r) {
		t.Fatal("a bad copy in the ring is called good")
	}
	appendRows(t, o, 5, 10)
	must(t, o.Seal())
	r = o.held[0].Ref
	o.flash.Lock()
	o.flush(func(*held) bool { return true })
	o.flash.Unlock()
	if !o.Verify(r) {
		t.Fatal("a good copy on flash is called bad")
	}
	l := newLake(t)
	l.drain(o)
	l.wantDense()
	l.wantRows(5, 10)
	if n := l.epochs[o.Epoch()].reasons[wire.Damaged]; n != 10 {
		t.Fatalf("%d readings in gaps", n)
	}
}

// TestBacklogDoesNotWaitForFlash: what the status page asks is answered while a card hangs, and is what the hello says.
func TestBacklogDoesNotWaitForFlash(t *testing.T) {
	cfg := config(t)
	o := mustOpen(t, cfg)
	same := func() {
		t.Helper()
		o.flash.Lock() // a card that hangs; a Backlog that waits for it never returns
		bytes, batches := o.Backlog()
		epoch := o.Epoch()
		o.flash.Unlock()
		r := o.Report()
		if bytes != r.Bytes || batches != r.Batches || batches == 0 || epoch != r.Epochs[len(r.Epochs)-1].Epoch {
			t.Errorf("%d bytes in %d batches of %v; the hello says %+v", bytes, batches, epoch, r)
		}
	}
	appendRows(t, o, 0, 5)
	must(t, o.Seal())
	same()
	must(t, o.Close())
	o = mustOpen(t, cfg)
	same() // of flash, before any look of Run's
	appendRows(t, o, 5, 10)
	must(t, o.Seal())
	o.flash.Lock()
	o.flush(func(*held) bool { return true })
	o.flash.Unlock()
	o.deadline(time.Now()) // as Run does after it
	same()
}

// TestRestoredLakeGetsAllThatIsHeld: what the lost lake had landed is void.
func TestRestoredLakeGetsAllThatIsHeld(t *testing.T) {
	o := mustOpen(t, config(t))
	for i := range 3 {
		appendRows(t, o, 10*i, 10*i+10)
		must(t, o.Seal())
	}
	o.flash.Lock()
	o.flush(func(*held) bool { return true })
	o.flash.Unlock()
	l := newLake(t)
	b, _ := o.Next(Backlog, func(Ref) bool { return false })
	l.take(b.Sealed)
	must(t, o.Apply(l.ack()))
	if r := o.Report().Epochs[0]; r.Floor != 20 {
		t.Fatalf("after the first batch: %+v", r)
	}
	other := newLake(t)
	other.lakeID[0] = 2
	must(t, o.Apply(other.ack()))
	if r := o.Report().Epochs[0]; r.Floor != 0 || len(r.Held) != 2 {
		t.Fatalf("after the lake was restored: %+v", r)
	}
	other.drain(o)
	other.wantRows(0, 30)
}

func TestOldAckIsIgnored(t *testing.T) {
	o := mustOpen(t, config(t))
	appendRows(t, o, 0, 10)
	must(t, o.Seal())
	id := o.Epoch()
	ack := func(start, n, landed uint64) *wire.Ack {
		return &wire.Ack{Lake: wire.ID{1}, Log: wire.ID{1}, Start: start, N: n, Epochs: []wire.AckEpoch{{Epoch: id, StoredMark: landed, LandedMark: landed}}}
	}
	must(t, o.Apply(ack(2, 1, 0)))
	must(t, o.Apply(ack(1, 99, 20)))
	if len(o.held) != 1 {
		t.Fatal("an ack of an earlier start of the gateway has deleted")
	}
	must(t, o.Apply(ack(2, 2, 20)))
	if len(o.held) != 0 {
		t.Fatal("a newer ack has not deleted")
	}
}

// TestRowOlderThanAPromiseEndsPromises: one lie is enough.
func TestRowOlderThanAPromiseEndsPromises(t *testing.T) {
	cfg := config(t)
	c := cfg.Clock.(clock)
	c.start = c.start.Add(-1e12)
	cfg.Clock = c
	cfg.Promise = func() int64 { return c.Monotonic() / 1000 }
	o := mustOpen(t, cfg)
	promise := func() bool {
		must(t, o.Seal())
		h := o.held[len(o.held)-1]
		b, err := o.payload(h)
		must(t, err)
		s, err := wire.ParseSealed(b)
		must(t, err)
		return s.HasPromise
	}
	appendRows(t, o, 0, 1)
	if !promise() {
		t.Fatal("no promise")
	}
	appendRows(t, o, 1, 2) // of long ago
	if promise() {
		t.Fatal("a promise after one was broken")
	}
	if o.meters.promisesBroken.Value() != 1 {
		t.Fatal("not counted")
	}
}
