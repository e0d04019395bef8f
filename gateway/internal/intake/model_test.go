package intake

import (
	"errors"
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"github.com/headwater-iot/headwater/gateway/internal/cursor"
	"github.com/headwater-iot/headwater/shared/record"
	"github.com/headwater-iot/headwater/shared/seqset"
	"github.com/headwater-iot/headwater/shared/wire"
)

// model is what is true, kept in the plainest way.
type model struct {
	logged, landed map[record.Epoch]*seqset.Set
	ended          map[record.Epoch]uint64 // final seq of those whose end has landed
	heard          map[record.Epoch]wire.AckEpoch
	number         wire.AckNumber
	acks           int // looked at so far
}

func (m *model) of(sets map[record.Epoch]*seqset.Set, e record.Epoch) *seqset.Set {
	if sets[e] == nil {
		sets[e] = &seqset.Set{}
	}
	return sets[e]
}

// check holds every new ack against the truth and against the one before.
func (m *model) check(rt *rapid.T, acks []*wire.Ack) {
	for _, a := range acks[m.acks:] {
		if !m.number.Less(a.Number()) {
			rt.Fatalf("ack %+v after %+v", a.Number(), m.number)
		}
		m.number = a.Number()
		for _, e := range a.Epochs {
			before := m.heard[e.Epoch]
			stored, landed := e.StoredSet(), e.LandedSet()
			wasStored, wasLanded := before.StoredSet(), before.LandedSet()
			within(rt, "stored", stored, m.of(m.logged, e.Epoch))
			within(rt, "landed", landed, m.of(m.landed, e.Epoch))
			within(rt, "stored before", wasStored, &stored)
			within(rt, "landed before", wasLanded, &landed)
			if _, true := m.ended[e.Epoch]; e.Ended != before.Ended && (!e.Ended || !true) {
				rt.Fatalf("epoch %d: ended %v after %v", e.Epoch, e.Ended, before.Ended)
			}
			m.heard[e.Epoch] = e
		}
	}
	m.acks = len(acks)
}

func within(rt *rapid.T, what string, small seqset.Set, large *seqset.Set) {
	for _, r := range small.Ranges() {
		if !large.HasAll(r.From, r.To) {
			rt.Fatalf("%s: %v is not within %v", what, small.Ranges(), large.Ranges())
		}
	}
}

// modelFinal is the seq behind the last of every epoch: a device numbers nothing behind the end that it has sent.
const modelFinal = 48

// TestAcksAgainstModel sends, lands, fails and restarts at random, and holds every ack against what is true.
func TestAcksAgainstModel(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) { modelRun(t, rt) })
}

func modelRun(t *testing.T, rt *rapid.T) {
	w := newWorld(t)
	m := &model{
		logged: map[record.Epoch]*seqset.Set{}, landed: map[record.Epoch]*seqset.Set{},
		ended: map[record.Epoch]uint64{}, heard: map[record.Epoch]wire.AckEpoch{},
	}
	full, nonce, start := errors.New("full"), uint64(0), uint64(1)
	epochs := rapid.Map(rapid.IntRange(1, 3), func(n int) record.Epoch { return record.Epoch(n) })
	rt.Repeat(map[string]func(*rapid.T){
		"batch": func(rt *rapid.T) {
			kind := rapid.SampledFrom([]wire.Kind{wire.KindReadings, wire.KindReadings, wire.KindGap, wire.KindEnd}).Draw(rt, "kind")
			p := part{epoch: epochs.Draw(rt, "epoch"), kind: kind, from: modelFinal}
			if kind != wire.KindEnd {
				p.from = rapid.Uint64Range(0, modelFinal-8).Draw(rt, "from")
				p.n = rapid.Uint64Range(1, 8).Draw(rt, "n")
				p.body = fmt.Sprintf("%d-%d-%d-%d", p.epoch, p.from, p.n, rapid.IntRange(0, 20).Draw(rt, "clone")/20)
			}
			if err := w.Batch(t.Context(), "dev", p.bytes(t)); err == nil {
				m.of(m.logged, p.epoch).Add(p.from, p.from+p.n)
			} else if w.fail == nil {
				rt.Fatal(err)
			}
		},
		"hello": func(rt *rapid.T) {
			nonce++
			var say []wire.HelloEpoch
			for e := record.Epoch(1); e <= 3; e++ {
				if rapid.Bool().Draw(rt, "names it") {
					he := wire.HelloEpoch{Epoch: e, Boot: 9, Next: modelFinal}
					if final, ended := m.ended[e]; ended {
						he.State, he.Next = wire.EpochEnded, final
					}
					say = append(say, he)
				}
			}
			if err := w.Hello(t.Context(), "dev", helloOf(t, "dev", nonce, say...)); err != nil && w.fail == nil {
				rt.Fatal(err)
			}
		},
		"land": func(rt *rapid.T) {
			e := epochs.Draw(rt, "epoch")
			landed := m.of(m.landed, e)
			for _, r := range m.of(m.logged, e).Ranges() {
				if rapid.Bool().Draw(rt, "lands") {
					landed.Add(r.From, r.To)
				}
			}
			if final := m.of(m.logged, e).Max(); landed.HasAll(0, final) && final > 0 && rapid.Bool().Draw(rt, "ends") {
				m.ended[e] = modelFinal
			}
			_, ended := m.ended[e]
			w.Landed([]cursor.Update{{Device: "dev", Epoch: e, Closed: landed.Clone(), Ended: ended}})
		},
		"full": func(*rapid.T) {
			if w.fail == nil {
				w.fail = full
			} else {
				w.fail = nil
			}
		},
		"acks leave": func(*rapid.T) { w.answerAll() },
		"restart": func(*rapid.T) {
			conserved(rt, w)
			start++
			w.again(start)
			for _, r := range w.log {
				w.Replay(r.kind, r.client, r.payload)
			}
			var all []cursor.Update
			for e, landed := range m.landed {
				_, ended := m.ended[e]
				all = append(all, cursor.Update{Device: "dev", Epoch: e, Closed: landed.Clone(), Ended: ended})
			}
			w.Open()
			w.Loaded(all)
		},
		"": func(rt *rapid.T) { m.check(rt, w.acksOf("dev")) },
	})
	conserved(rt, w)
}

// conserved holds that every message ended in exactly one counter.
func conserved(rt *rapid.T, w *world) {
	for name, f := range map[string]flow{"batch": w.count.batch, "hello": w.count.hello} {
		out := f.appended.Value() + f.duplicates.Value() + f.withheld.Value()
		for _, r := range []wire.Reason{wire.HoleFirst, wire.BadVersion, wire.TooLarge, wire.BadIdentity, wire.BadCRC} {
			out += f.refused(string(r)).Value()
		}
		if in := f.received.Value(); in != out {
			rt.Fatalf("%d messages (%s) came in, %d were counted out", in, name, out)
		}
	}
}
