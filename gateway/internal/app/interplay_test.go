package app_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/headwater-iot/headwater/gateway/internal/commit"
	"github.com/headwater-iot/headwater/gateway/internal/intake"
	"github.com/headwater-iot/headwater/gateway/internal/land"
	"github.com/headwater-iot/headwater/gateway/internal/land/landtest"
	"github.com/headwater-iot/headwater/gateway/internal/table"
	"github.com/headwater-iot/headwater/shared/record"
	"github.com/headwater-iot/headwater/shared/seqset"
	"github.com/headwater-iot/headwater/shared/wire"
)

// site is intake, landing and commit as the app joins them, over a log and a lake in memory, and the devices they serve.
// Its methods are called in a bubble.
type site struct {
	t     landtest.TB
	lake  *landtest.Lake
	log   *landtest.Log
	logs  byte
	start uint64

	in   *intake.Intake
	stop func() error

	mu      sync.Mutex // guards all below, as do the devices' inboxes
	full    bool       // the log refuses
	devices map[string]*device
}

// Append makes the log that of intake.
func (s *site) Append(_ context.Context, kind uint8, _ int, client string, payload []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.full {
		return errors.New("full")
	}
	s.log.Append(kind, client, time.Now().UnixMicro(), payload)
	return nil
}

func (s *site) refuse(full bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.full = full
}

func (s *site) Backlog() int64 { return 0 }

// Publish puts an ack into the inbox of its device.
func (s *site) Publish(client, where string, payload []byte, _ bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if strings.HasSuffix(where, "/ack") && len(payload) > 0 {
		ack, err := wire.ParseAck(payload)
		if err != nil {
			s.t.Fatal(err)
		}
		d := s.devices[client]
		d.inbox = append(d.inbox, ack)
	}
	return nil
}

// run starts the stages in the order of the app.
func (s *site) run() {
	s.start++
	logger := slog.New(slog.DiscardHandler)
	s.in = intake.New(intake.Config{
		Log: s, Lake: wire.ID{9}, LogID: s.log.ID, Start: s.start, Partitions: s.log.Partitions, Publisher: s, Logger: logger,
	})
	lander := land.New(land.Config{Settings: land.Settings{Workers: 1}, Log: s.log.ID, Lookup: s.lake.Cursor, Logger: logger})
	loop := commit.New(commit.Config{
		Lake: s.lake, Log: s.log, Lander: lander, Outcome: landtest.Outcome, LogID: s.log.ID, Partitions: s.log.Partitions,
		Loaded: s.in.Loaded, Landed: s.in.Landed, Logger: logger,
	})
	marks, _, _ := s.lake.Marks(context.Background())
	for _, e := range s.log.Entries() {
		if marks.Log != s.log.ID || e.Offset >= marks.Next[e.Partition] {
			s.in.Replay(e.Kind, e.Client, e.Payload)
		}
	}
	s.in.Open()
	ctx, cancel := context.WithCancel(context.Background())
	var all sync.WaitGroup
	var err error // valid after all.Wait
	all.Go(func() { _ = s.in.Run(ctx) })
	all.Go(func() { err = loop.Run(ctx) })
	s.stop = func() error { cancel(); all.Wait(); return err }
	<-loop.Ready()
}

// device is an agent as far as the gateway can tell: it keeps what has not landed, and names every epoch that is not
// settled.
type device struct {
	s      *site
	name   string
	nonce  uint64
	inbox  []*wire.Ack
	epochs []*deviceEpoch // the last is the current one
	made   *record.Epoch  // the last epoch given out on this site

	greeted bool // the hello of this connection was answered
}

type deviceEpoch struct {
	id, before record.Epoch
	state      wire.EpochState
	next       uint64
	known      uint64 // next, as far as the device knows after a power cut
	held       []batch
	done       bool
}

type batch struct {
	from, n uint64
	payload []byte
}

func (d *device) current() *deviceEpoch { return d.epochs[len(d.epochs)-1] }

func (d *device) begin() {
	*d.made++
	e := &deviceEpoch{id: *d.made}
	if len(d.epochs) > 0 {
		e.before = d.current().id
	}
	d.epochs = append(d.epochs, e)
}

func (d *device) sample(n int) {
	e := d.current()
	h := wire.Header{Device: d.name, Epoch: e.id, Boot: record.Boot(e.id), First: e.next, Base: int64(e.next)}
	d.current().held = append(e.held, batch{e.next, uint64(n), landtest.Readings(d.s.t, landtest.Sync(bootAt), h, 1, n, 10)})
	e.next += uint64(n)
	e.known = e.next
}

// restart ends the epoch in order; a power cut takes what was not on flash, which is every second batch.
func (d *device) restart(powerCut bool) {
	e := d.current()
	e.state = wire.EpochEnded
	if powerCut {
		e.state, e.known = wire.EpochLost, 0
		kept := e.held[:0]
		for i, b := range e.held {
			if i%2 == 0 {
				kept = append(kept, b)
				e.known = b.from + b.n
			}
		}
		e.held = kept
	}
	d.begin()
	d.connect()
}

func (d *device) hello() {
	h := &wire.Hello{Device: d.name, Client: d.name, Nonce: d.nonce, Boot: record.Boot(d.current().id)}
	for _, e := range d.epochs {
		var held seqset.Set
		for _, b := range e.held {
			held.Add(b.from, b.from+b.n)
		}
		h.Epochs = append(h.Epochs, wire.HelloEpoch{
			Epoch: e.id, Predecessor: e.before, Boot: record.Boot(e.id), Next: max(e.known, held.Max()), Held: held.Flat(), State: e.state,
		})
	}
	_ = d.s.in.Hello(context.Background(), d.name, landtest.Hello(d.s.t, h)) // a hello that is withheld comes again
}

// connect is the begin of a connection: whatever was on its way is lost.
func (d *device) connect() {
	d.nonce++
	d.greeted = false
}

// send sends every stride-th batch, and the ends, on a connection whose hello was answered.
func (d *device) send(stride int) {
	if !d.greeted {
		return
	}
	ctx := context.Background()
	for _, e := range slices.Clone(d.epochs) {
		for i, b := range e.held {
			if i%stride == 0 {
				_ = d.s.in.Batch(ctx, d.name, b.payload)
			}
		}
		if e.state == wire.EpochEnded && !e.done {
			h := wire.Header{Device: d.name, Epoch: e.id, Boot: record.Boot(e.id), First: e.next}
			_ = d.s.in.Batch(ctx, d.name, landtest.End(d.s.t, landtest.Sync(bootAt), h))
		}
	}
}

// listen takes the acks that have come, as far as they are of this connection.
func (d *device) listen() {
	synctest.Wait()
	d.s.mu.Lock()
	inbox := d.inbox
	d.inbox = nil
	d.s.mu.Unlock()
	for _, a := range inbox {
		if a.Nonce != d.nonce {
			continue
		}
		d.greeted = true
		for i := range a.Epochs {
			at := slices.IndexFunc(d.epochs, func(e *deviceEpoch) bool { return e.id == a.Epochs[i].Epoch })
			if at < 0 {
				continue
			}
			e, landed := d.epochs[at], a.Epochs[i].LandedSet()
			e.held = slices.DeleteFunc(e.held, func(b batch) bool { return landed.HasAll(b.from, b.from+b.n) })
			e.done = a.Epochs[i].Ended
		}
	}
	last := d.current()
	d.epochs = slices.DeleteFunc(d.epochs, func(e *deviceEpoch) bool { return e != last && e.done && len(e.held) == 0 })
}

const bootAt = 946_684_000_000_000 // us: a bubble begins at 2000-01-01

// deed is one thing that happens at a site.
type deed struct{ what, who, much int }

func (s *site) happens(x deed, names []string) error {
	d := s.devices[names[x.who%len(names)]]
	switch x.what {
	case 0, 1:
		d.sample(1 + x.much%5)
	case 2:
		d.connect()
		d.hello()
		d.listen()
	case 3, 4:
		d.send(1 + x.much%3)
		if x.much%2 == 0 {
			<-time.After(50 * time.Millisecond)
			d.listen()
		}
	case 5:
		d.listen()
	case 6:
		<-time.After(time.Duration(x.much) * 100 * time.Millisecond)
	case 7:
		d.restart(x.much%2 == 0)
	case 8: // the gateway is restarted, perhaps without its state directory
		if err := s.stop(); err != nil {
			return err
		}
		if x.much%3 == 0 {
			s.logs++
			s.log = landtest.NewLog(s.logs, 2)
		}
		s.run()
	case 9: // the log is full for a while
		s.refuse(true)
		d.hello()
		d.send(1)
		s.refuse(false)
	case 10: // a connection is lost, and the acks with it
		s.mu.Lock()
		d.inbox = nil
		s.mu.Unlock()
		d.connect()
	}
	return nil
}

// settle lets all go well for some minutes.
func (s *site) settle(names []string) {
	s.lake.Fault = nil
	for range 8 {
		for _, name := range names {
			d := s.devices[name]
			d.connect()
			d.hello()
			d.listen()
			d.send(1)
		}
		<-time.After(time.Minute)
		for _, name := range names {
			s.devices[name].listen()
		}
	}
}

// live lets a course of things happen and says what is wrong at its end.
func live(t landtest.TB, deeds []deed, faults []int) error {
	s := &site{t: t, lake: landtest.NewLake(), log: landtest.NewLog(1, 2), logs: 1, devices: map[string]*device{}}
	names := []string{"probe-0", "probe-1"}
	var made record.Epoch
	for _, name := range names {
		d := &device{s: s, name: name, made: &made}
		d.begin()
		s.devices[name] = d
	}
	s.lake.Fault = func() (error, bool) {
		if len(faults) == 0 {
			return nil, false
		}
		f := faults[0]
		faults = faults[1:]
		if f < 2 {
			return landtest.ErrUnknown, f == 0
		}
		return nil, false
	}
	s.run()
	for _, x := range deeds {
		if err := s.happens(x, names); err != nil {
			return err
		}
	}
	s.settle(names)
	if err := s.stop(); err != nil {
		return err
	}
	for _, name := range names {
		if d := s.devices[name]; len(d.epochs) != 1 || len(d.current().held) != 0 {
			return fmt.Errorf("%s still keeps %d epochs, and %d batches of the current one", name, len(d.epochs), len(d.current().held))
		}
	}
	return fates(s.lake.Tables())
}

// fates holds that every seq that was given out, as far as its device knows, landed once or is presumed lost.
func fates(tables landtest.Tables) error {
	landed, presumed := map[table.Key]*seqset.Set{}, map[table.Key]*seqset.Set{}
	for k := range tables.Cursors {
		landed[k], presumed[k] = new(seqset.Set), new(seqset.Set)
	}
	for i := range tables.Readings {
		r := &tables.Readings[i]
		k := table.Key{Device: r.Device, Epoch: r.Epoch}
		for _, seq := range r.Seq {
			if landed[k].Has(seq) {
				return fmt.Errorf("%v: seq %d landed twice", k, seq)
			}
			landed[k].Add(seq, seq+1)
		}
	}
	for _, g := range tables.Gaps {
		presumed[table.Key{Device: g.Device, Epoch: g.Epoch}].Add(g.From, g.To)
	}
	for k, c := range tables.Cursors {
		all := landed[k].Clone()
		all.AddSet(presumed[k])
		if all.Count() != landed[k].Count()+presumed[k].Count() || !all.HasAll(0, c.Accepted) {
			return fmt.Errorf("%v: of %d given out %v landed and %v are presumed lost", k, c.Accepted, *landed[k], *presumed[k])
		}
		if powerCut := c.Ended && !c.HasFinal; !presumed[k].Empty() && !powerCut {
			return fmt.Errorf("%v: nothing was lost, and %v are presumed to be", k, *presumed[k])
		}
	}
	if len(tables.Quarantine) > 0 {
		return fmt.Errorf("quarantine: %+v", tables.Quarantine)
	}
	return nil
}

// TestDevicesGetRidOfAllTheyHold: whatever restarts, fails or is lost on the way, devices that are left in peace for some
// minutes have nothing left to send, nothing landed twice, and only power cuts have cost readings.
func TestDevicesGetRidOfAllTheyHold(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		deeds := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) deed {
			return deed{
				rapid.IntRange(0, 10).Draw(t, "what"), rapid.IntRange(0, 1).Draw(t, "who"), rapid.IntRange(0, 40).Draw(t, "much"),
			}
		}), 20, 80).Draw(rt, "deeds")
		faults := rapid.SliceOfN(rapid.IntRange(0, 4), 0, 6).Draw(rt, "faults")
		var problem error
		synctest.Test(t, func(*testing.T) { problem = live(rt, deeds, faults) })
		if problem != nil {
			rt.Fatal(problem)
		}
	})
}

// Negative control: the check sees a landed reading that is taken away, and one that is doubled.
func TestFatesSeesWhatIsLostAndWhatIsDoubled(t *testing.T) {
	key := table.Key{Device: "probe-0", Epoch: 1}
	whole := func() landtest.Tables {
		return landtest.Tables{
			Readings: []table.Run{{Device: key.Device, Epoch: key.Epoch, Seq: []uint64{0, 1, 2}}},
			Cursors:  map[table.Key]table.Cursor{key: {Accepted: 3}},
		}
	}
	if err := fates(whole()); err != nil {
		t.Fatal(err)
	}
	for name, spoil := range map[string]func(*landtest.Tables){
		"lost":    func(x *landtest.Tables) { x.Readings[0].Seq = x.Readings[0].Seq[:2] },
		"doubled": func(x *landtest.Tables) { x.Readings = append(x.Readings, x.Readings[0]) },
		"presumed": func(x *landtest.Tables) {
			x.Gaps = []table.GapRow{{Device: key.Device, Epoch: 1, From: 1, To: 2, Presumed: true}}
		},
	} {
		x := whole()
		spoil(&x)
		if fates(x) == nil {
			t.Errorf("%s: not seen", name)
		}
	}
}
