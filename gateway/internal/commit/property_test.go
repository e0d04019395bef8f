package commit_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/headwater-iot/headwater/gateway/internal/commit"
	"github.com/headwater-iot/headwater/gateway/internal/cursor"
	"github.com/headwater-iot/headwater/gateway/internal/land"
	"github.com/headwater-iot/headwater/gateway/internal/land/landtest"
	"github.com/headwater-iot/headwater/gateway/internal/table"
	"github.com/headwater-iot/headwater/shared/record"
	"github.com/headwater-iot/headwater/shared/seqset"
	"github.com/headwater-iot/headwater/shared/wire"
)

const wall0 = 946_684_000_000_000 // us: when the devices of these tests booted; a bubble begins at 2000-01-01

// message is something a device sends, perhaps often.
type message struct {
	kind    uint8
	client  string
	payload []byte

	epoch    record.Epoch
	from, to uint64
	fate     cursor.Fate // what it may give its seqs; 0 = none
}

// send puts a message into the log, a change of contracts into every partition.
func (m *message) send(log *landtest.Log, received int64) {
	if m.kind == land.KindContract {
		log.AppendAll(m.kind, received, m.payload)
	} else {
		log.Append(m.kind, m.client, received, m.payload)
	}
}

// drawFleet draws what a few devices send over some starts of their agents: batches, gaps, ends and hellos.
func drawFleet(t *rapid.T) []message {
	var out []message
	for d := range rapid.IntRange(1, 3).Draw(t, "devices") {
		device := fmt.Sprintf("probe-%d", d)
		predecessor := record.Epoch(0)
		for e := range rapid.IntRange(1, 3).Draw(t, "epochs") {
			epoch := record.Epoch(100*(d+1) + e + 1)
			out = append(out, drawEpoch(t, device, epoch, predecessor)...)
			predecessor = epoch
		}
	}
	return out
}

func drawEpoch(t *rapid.T, device string, epoch, predecessor record.Epoch) []message {
	var out []message
	h := wire.Header{Device: device, Epoch: epoch, Boot: record.Boot(epoch / rapid.SampledFrom([]record.Epoch{1, 100}).Draw(t, "boots")), Base: int64(epoch) * 1000}
	h.HasPromise, h.Promise = rapid.Bool().Draw(t, "promises"), h.Base
	anchor := rapid.SampledFrom([]wire.Anchor{
		landtest.Sync(wall0), {}, {State: wire.Unsynced, Generation: 1, Wall: wall0 - 5e6}, {State: wire.Gateway, Generation: 2, Wall: wall0},
	}).Draw(t, "anchor")
	msg := func(kind uint8, to uint64, fate cursor.Fate, payload []byte) {
		out = append(out, message{kind: kind, client: device, payload: payload, epoch: epoch, from: h.First, to: to, fate: fate})
	}
	for range rapid.IntRange(1, 5).Draw(t, "batches") {
		columns, rows := rapid.IntRange(1, 3).Draw(t, "columns"), rapid.IntRange(1, 4).Draw(t, "rows")
		end := h.First + uint64(columns*rows)
		switch rapid.IntRange(0, 5).Draw(t, "sent as") {
		case 0: // lost on the device, and never said
		case 1: // given up, of which a late copy may come all the same
			msg(land.KindBatch, end, cursor.GivenUp, landtest.Gap(t, anchor, h, end-h.First,
				wire.Gap{Reason: wire.DropOldest, From: h.Base, To: h.Base + 1}))
			fallthrough
		default:
			msg(land.KindBatch, end, cursor.Landed, landtest.Readings(t, anchor, h, columns, rows, 10))
		}
		h.First, h.Base = end, h.Base+100
	}
	if rapid.Bool().Draw(t, "ended") {
		msg(land.KindBatch, h.First, 0, landtest.End(t, anchor, h))
	}
	hello := &wire.Hello{Device: device, Client: device, Boot: h.Boot, Site: "s", Epochs: []wire.HelloEpoch{
		{Epoch: epoch, Predecessor: predecessor, Boot: h.Boot, Next: h.First},
	}}
	if predecessor != 0 {
		hello.Epochs = append(hello.Epochs, wire.HelloEpoch{Epoch: predecessor, Boot: h.Boot, State: wire.EpochLost, CountMax: 99})
	}
	msg(land.KindHello, 0, 0, landtest.Hello(t, hello))
	return out
}

// plan is one try: what is sent in which order, and what goes wrong.
type plan struct {
	messages []message // in the order of arrival, with copies
	chunk    int       // messages between two pauses
	faults   []int     // what becomes of each commit, then all succeed
	lives    []time.Duration
	takeover bool // the state directory is lost halfway
	back     bool // and is found again
}

func drawPlan(t *rapid.T) plan {
	sent := drawFleet(t)
	order := make([]int, len(sent))
	for i := range order {
		order[i] = i
	}
	order = append(order, rapid.SliceOfN(rapid.IntRange(0, len(sent)-1), 0, 8).Draw(t, "copies")...)
	p := plan{
		chunk:    rapid.IntRange(1, 8).Draw(t, "chunk"),
		faults:   rapid.SliceOfN(rapid.IntRange(0, 5), 0, 10).Draw(t, "faults"),
		takeover: rapid.Bool().Draw(t, "takeover"),
		back:     rapid.Bool().Draw(t, "back"),
	}
	for _, i := range rapid.Permutation(order).Draw(t, "order") {
		p.messages = append(p.messages, sent[i])
	}
	p.messages = withReplays(t, withDecisions(t, p.messages))
	for _, s := range rapid.SliceOfN(rapid.IntRange(1, 50), 0, 5).Draw(t, "lives") {
		p.lives = append(p.lives, time.Duration(s)*100*time.Millisecond)
	}
	return p
}

// fault answers for one commit after the other.
func (p *plan) fault() func() (error, bool) {
	left := p.faults
	return func() (error, bool) {
		if len(left) == 0 {
			return nil, false
		}
		f := left[0]
		left = left[1:]
		switch f {
		case 1:
			return landtest.ErrUnknown, true
		case 2:
			return landtest.ErrUnknown, false
		case 3:
			return landtest.ErrConflict, false
		case 4:
			return landtest.ErrFailed, false
		}
		return nil, false
	}
}

// program is one life of the gateway.
func program(lake *landtest.Lake, log *landtest.Log) *commit.Loop {
	lander := land.New(land.Config{
		Settings: land.Settings{Workers: 2}, Log: log.ID, Lookup: lake.Cursor, Kept: lake, Logger: slog.New(slog.DiscardHandler),
	})
	return commit.New(commit.Config{
		Lake: lake, Log: log, Lander: lander, Outcome: landtest.Outcome,
		LogID: log.ID, Partitions: log.Partitions, Logger: slog.New(slog.DiscardHandler),
	})
}

// live runs a program for some time. It must be called in a bubble.
func live(lake *landtest.Lake, log *landtest.Log, d time.Duration) error {
	ctx, cancel := context.WithTimeout(context.Background(), d)
	defer cancel()
	return program(lake, log).Run(ctx)
}

// river lands a plan with all its faults and returns what the lake holds.
func (p *plan) river() (landtest.Tables, error) {
	lake, log := landtest.NewLake(), landtest.NewLog(1, 2)
	old := log
	lake.Fault = p.fault()
	lives := append(p.lives[:len(p.lives):len(p.lives)], time.Hour)
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		for i, m := range p.messages {
			if i%p.chunk == 0 {
				<-time.After(700 * time.Millisecond)
			}
			m.send(log, time.Now().UnixMicro())
		}
	}()
	for i, d := range lives {
		if p.takeover && i == len(lives)-1 {
			<-sent
			log = landtest.NewLog(2, 2) // devices send what is stored and not landed again, in any order; here: all
			for j := range p.messages {
				m := p.messages[(j*7+3)%len(p.messages)]
				m.send(log, time.Now().UnixMicro())
			}
			for _, m := range p.messages { // the stride may share a factor with their number
				m.send(log, time.Now().UnixMicro())
			}
		}
		if err := live(lake, log, d); err != nil {
			return landtest.Tables{}, err
		}
	}
	<-sent
	if p.back {
		if err := live(lake, old, time.Hour); err != nil {
			return landtest.Tables{}, err
		}
	}
	return lake.Tables(), nil
}

func TestEveryReadingHasOneFateWhateverFails(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		p := drawPlan(rt)
		var problem error
		synctest.Test(t, func(*testing.T) {
			tables, err := p.river()
			if problem = err; err == nil {
				problem = p.check(&tables)
			}
		})
		if problem != nil {
			rt.Fatal(problem)
		}
	})
}

// Negative control: the check sees a reading that is lost, and one that is doubled.
func TestCheckSeesWhatIsLostAndWhatIsDoubled(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		p := drawPlan(rt)
		p.takeover = false
		var problem, lost, doubled error
		synctest.Test(t, func(*testing.T) {
			tables, err := p.river()
			problem = err
			if n := len(tables.Readings); n > 0 {
				whole := tables.Readings
				tables.Readings = whole[:n-1]
				lost = p.check(&tables)
				tables.Readings = append(whole[:n:n], whole[0])
				doubled = p.check(&tables)
			} else {
				lost, doubled = io.EOF, io.EOF // nothing to see
			}
		})
		if problem != nil || lost == nil || doubled == nil {
			rt.Fatal("lost: ", lost, ", doubled: ", doubled, ", river: ", problem)
		}
	})
}

type seqKey struct {
	device string
	epoch  record.Epoch
	seq    uint64
}

// check holds the tables to what was sent: each seq that arrived has exactly one fate, one that something gave it.
func (p *plan) check(tables *landtest.Tables) error {
	fates := map[seqKey][]cursor.Fate{}
	for i := range tables.Readings {
		r := &tables.Readings[i]
		for j, seq := range r.Seq {
			k := seqKey{r.Device, r.Epoch, seq}
			fates[k] = append(fates[k], cursor.Landed)
			if r.Unit == "Cel" && r.Floats[j] != landtest.Value(r.Epoch, seq) {
				return fmt.Errorf("%v landed as %v", k, r.Floats[j])
			}
		}
	}
	presumed := map[seqKey]int{}
	for _, g := range tables.Gaps {
		for seq := g.From; seq < g.To; seq++ {
			k := seqKey{g.Device, g.Epoch, seq}
			if g.Presumed {
				presumed[k]++
			} else {
				fates[k] = append(fates[k], cursor.GivenUp)
			}
		}
	}
	for _, q := range tables.Quarantine {
		if q.Reason != land.Contract || q.Rule == "" || q.Contract == "" {
			return fmt.Errorf("quarantine: %+v", q)
		}
		for seq := q.From; seq < q.To && q.Fate != table.FateReplayed; seq++ { // what was replayed is among the readings
			k := seqKey{q.Device, q.Epoch, seq}
			fates[k] = append(fates[k], cursor.Quarantined)
		}
	}
	possible := map[seqKey]map[cursor.Fate]bool{}
	judged := slices.ContainsFunc(p.messages, func(m message) bool { return m.kind == land.KindContract })
	for _, m := range p.messages {
		for seq := m.from; m.fate != 0 && seq < m.to; seq++ {
			k := seqKey{m.client, m.epoch, seq}
			if possible[k] == nil {
				possible[k] = map[cursor.Fate]bool{}
			}
			possible[k][m.fate] = true
			if judged && m.fate == cursor.Landed { // unless a rule says otherwise
				possible[k][cursor.Quarantined], possible[k][cursor.GivenUp] = true, true
			}
		}
	}
	for k, may := range possible {
		if len(fates[k]) != 1 || !may[fates[k][0]] || presumed[k] != 0 {
			return fmt.Errorf("%v has fates %v, one of %v was due; presumed %d times", k, fates[k], may, presumed[k])
		}
	}
	if len(fates) != len(possible) {
		return fmt.Errorf("%d seqs have a fate, %d came", len(fates), len(possible))
	}
	return checkCursors(tables, fates, presumed)
}

// checkCursors holds the cursors to the rows they were committed with.
func checkCursors(tables *landtest.Tables, fates map[seqKey][]cursor.Fate, presumed map[seqKey]int) error {
	closed, missing := map[table.Key]*seqset.Set{}, map[table.Key]*seqset.Set{}
	for k := range tables.Cursors {
		closed[k], missing[k] = new(seqset.Set), new(seqset.Set)
	}
	counts := map[table.Key]map[cursor.Fate]uint64{}
	for k, f := range fates {
		key := table.Key{Device: k.device, Epoch: k.epoch}
		closed[key].Add(k.seq, k.seq+1)
		if counts[key] == nil {
			counts[key] = map[cursor.Fate]uint64{}
		}
		counts[key][f[0]]++
	}
	for k, n := range presumed {
		if n != 1 {
			return fmt.Errorf("%v is presumed lost %d times", k, n)
		}
		missing[table.Key{Device: k.device, Epoch: k.epoch}].Add(k.seq, k.seq+1)
	}
	for k, row := range tables.Cursors {
		if !row.Closed.Equal(closed[k]) || !row.Presumed.Equal(missing[k]) {
			return fmt.Errorf("cursor %v: closed %v presumed %v, rows say %v and %v", k, row.Closed, row.Presumed, *closed[k], *missing[k])
		}
		if n := counts[k]; row.Landed != n[cursor.Landed] || row.Quarantined != n[cursor.Quarantined] || row.GapSeqs != n[cursor.GivenUp] {
			return fmt.Errorf("cursor %v: landed %d, quarantined %d, gaps %d; rows say %v", k, row.Landed, row.Quarantined, row.GapSeqs, n)
		}
	}
	return nil
}
