package importer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/headwater-iot/headwater/agent/internal/csvfile"
	"github.com/headwater-iot/headwater/agent/internal/seal"
	"github.com/headwater-iot/headwater/agent/internal/uplink"
	"github.com/headwater-iot/headwater/shared/record"
	"github.com/headwater-iot/headwater/shared/seqset"
	"github.com/headwater-iot/headwater/shared/wire"
)

var silent = Heard{Bad: func(string, *csvfile.BadRow) {}, Read: func(string, int64, int64) {}}

func write(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file.csv")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// many is a file of n rows of three columns, with bad rows, empty cells and two resolutions among them.
func many(n int) string {
	var b strings.Builder
	b.WriteString("time,a,b,c\n")
	for i := range n {
		switch {
		case i%97 == 5:
			b.WriteString("yesterday,1,2,3\n")
		case i%31 == 4:
			fmt.Fprintf(&b, "%d.000001,%d,,7\n", 1_700_000_000+i, i)
		default:
			fmt.Fprintf(&b, "%d,%d,%d.5,x%d\n", 1_700_000_000+i, i, i%17, i%3)
		}
	}
	return b.String()
}

func planned(t *testing.T, text string, o csvfile.Options) *Plan {
	t.Helper()
	p, err := Open(t.Context(), write(t, text), "probe", o, silent)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Close() })
	return p
}

func newQueue(t *testing.T, p *Plan) *queue {
	t.Helper()
	sealer, err := seal.New()
	if err != nil {
		t.Fatal(err)
	}
	return &queue{plan: p, sealer: sealer, sent: map[int]bool{}, fail: func(err error) { t.Error(err) }, done: func() {}}
}

// ack is what a gateway says that has stored and landed some.
func ack(p *Plan, lake, log byte, stored, landed seqset.Set, ended bool) *wire.Ack {
	return &wire.Ack{Lake: wire.ID{lake}, Log: wire.ID{log}, Epochs: []wire.AckEpoch{wire.NewAckEpoch(p.Epoch, &stored, &landed, ended)}}
}

// drain takes all that is to be sent and tells the gateway nothing.
func drain(q *queue) (refs []uplink.Ref, sealed [][]byte) {
	sent := map[uplink.Ref]bool{}
	for {
		b, ok := q.Next(uplink.Backlog, func(r uplink.Ref) bool { return sent[r] })
		if !ok {
			return refs, sealed
		}
		sent[b.Ref] = true
		refs, sealed = append(refs, b.Ref), append(sealed, b.Sealed)
	}
}

func TestSameFileSameBatches(t *testing.T) {
	text := many(40_000)
	one, two := planned(t, text, csvfile.Options{}), planned(t, text, csvfile.Options{Timezone: "UTC", TimeFormat: "unix"})
	if one.Epoch != two.Epoch {
		t.Errorf("epochs %s and %s of one file: an option that changes no reading lands it twice", one.Epoch, two.Epoch)
	}
	if len(one.pieces) < 3 || one.Bad == 0 {
		t.Fatalf("%d pieces, %d bad rows: the test wants more", len(one.pieces), one.Bad)
	}
	q := newQueue(t, one)
	q.named = true
	refs, sealed := drain(q)
	next := uint64(0)
	for i, ref := range refs {
		again, err := two.seal(q.sealer, len(refs)-1-i) // backwards: no order is needed
		if err != nil || string(again) != string(sealed[len(refs)-1-i]) {
			t.Fatalf("batch %d is not the same again: %v", len(refs)-1-i, err)
		}
		if ref.First != next {
			t.Errorf("batch %d begins at %d, want %d", i, ref.First, next)
		}
		next += ref.Count
	}
	if next != one.Readings {
		t.Errorf("batches have %d readings, the plan %d", next, one.Readings)
	}
	for _, other := range []*Plan{
		planned(t, text+"\n", csvfile.Options{}),
		planned(t, text, csvfile.Options{Columns: map[string]csvfile.Column{"a": {Series: "a"}}}),
		planned(t, text, csvfile.Options{Columns: map[string]csvfile.Column{"a": {Series: "a", Unit: "V"}}}),
	} {
		if other.Epoch == one.Epoch {
			t.Errorf("another file or mapping has the same epoch")
		}
	}
}

// TestAnotherByteIsAnotherFile, whatever it says: nobody could tell an edited reading from one that is there.
func TestAnotherByteIsAnotherFile(t *testing.T) {
	text := many(100)
	one := planned(t, text, csvfile.Options{})
	for name, other := range map[string]string{"CRLF": strings.ReplaceAll(text, "\n", "\r\n"), "grown": text + "\n"} {
		if p := planned(t, other, csvfile.Options{}); p.Epoch == one.Epoch {
			t.Errorf("%s: the same epoch", name)
		}
	}
}

// TestNumberingIsPinned fails when a new version would give a reading of a known file another seq, or the file another
// epoch: an import that a released version began would land twice, or not wholly.
func TestNumberingIsPinned(t *testing.T) {
	p := planned(t, many(40_000), csvfile.Options{})
	q := newQueue(t, p)
	dec, err := wire.NewDecoder()
	if err != nil {
		t.Fatal(err)
	}
	q.named = true
	_, all := drain(q)
	var got strings.Builder
	fmt.Fprintf(&got, "epoch %s, %d batches, %d readings\n", p.Epoch, len(all), p.Readings)
	for _, i := range []int{0, 1} {
		s, err := wire.ParseSealed(all[i])
		if err != nil {
			t.Fatal(err)
		}
		var body record.Body
		if err := dec.Readings(&s, &body); err != nil {
			t.Fatal(err)
		}
		seq := s.First
		for _, g := range body.Groups {
			for _, c := range g.Columns {
				n := uint64(c.Cells(len(g.Times)))
				fmt.Fprintf(&got, "%d+%d %s in 10^-%d s from %d\n", seq, n, c.Series, g.Unit, g.Times[0])
				seq += n
			}
		}
	}
	const want = `epoch 3e98af844d2aa7b0, 11 batches, 117483 readings
0+3700 a in 10^-3 s from 1700000000000
3700+3700 b in 10^-3 s from 1700000000000
7400+3700 c in 10^-3 s from 1700000000000
11100+124 a in 10^-6 s from 1700000004000001
11224+124 c in 10^-6 s from 1700000004000001
11348+3700 a in 10^-3 s from 1700003864000
15048+3700 b in 10^-3 s from 1700003864000
18748+3700 c in 10^-3 s from 1700003864000
22448+124 a in 10^-6 s from 1700003879000001
22572+124 c in 10^-6 s from 1700003879000001
`
	if got.String() != want {
		t.Errorf("got\n%s\nwant\n%s", got.String(), want)
	}
}

func TestSecondRunSendsNothing(t *testing.T) {
	p := planned(t, many(20_000), csvfile.Options{})
	q := newQueue(t, p)
	done := false
	q.done = func() { done = true }
	_ = q.Apply(&wire.Ack{Lake: wire.ID{1}, Log: wire.ID{1}}) // the answer to hello, before the hello has landed
	if refs, _ := drain(q); len(refs) > 0 {
		t.Errorf("%d batches sent before the gateway has said what it has", len(refs))
	}
	all := seqset.Of(seqset.Range{From: 0, To: p.Readings})
	_ = q.Apply(ack(p, 1, 1, all, all, false))
	if refs, _ := drain(q); len(refs) != 1 || refs[0].Count != 0 || done {
		t.Errorf("sent %v, done %v; want the end alone", refs, done)
	}
	_ = q.Apply(ack(p, 1, 1, all, all, true))
	if refs, _ := drain(q); len(refs) != 0 || !done {
		t.Errorf("sent %v, done %v; want nothing, and done", refs, done)
	}
}

// TestSilentGatewayIsNotWaitedForLong: a gateway whose landing is far behind says nothing of the epoch for a while.
func TestSilentGatewayIsNotWaitedForLong(t *testing.T) {
	p := planned(t, many(1000), csvfile.Options{})
	synctest.Test(t, func(t *testing.T) {
		q := newQueue(t, p)
		_ = q.Apply(&wire.Ack{Lake: wire.ID{1}, Log: wire.ID{1}})
		<-time.After(askFor - time.Millisecond)
		if refs, _ := drain(q); len(refs) > 0 {
			t.Errorf("%d batches sent after less than %s", len(refs), askFor)
		}
		<-time.After(time.Millisecond)
		if refs, _ := drain(q); len(refs) == 0 {
			t.Errorf("nothing sent after %s", askFor)
		}
	})
}

func TestDoneMeansLanded(t *testing.T) {
	p := planned(t, many(20_000), csvfile.Options{})
	all := seqset.Of(seqset.Range{From: 0, To: p.Readings})
	most := seqset.Of(seqset.Range{From: 0, To: p.Readings - 1})
	for _, c := range []struct {
		landed seqset.Set
		ended  bool
		want   bool
	}{{seqset.Set{}, true, false}, {most, true, false}, {all, false, false}, {all, true, true}} {
		q, done := newQueue(t, p), false
		q.done = func() { done = true }
		_ = q.Apply(ack(p, 1, 1, all, c.landed, c.ended))
		if done != c.want {
			t.Errorf("%d of %d readings landed, ended %v: done %v", c.landed.Count(), p.Readings, c.ended, done)
		}
	}
}

func TestNewLogVoidsStored(t *testing.T) {
	p := planned(t, many(20_000), csvfile.Options{})
	q := newQueue(t, p)
	q.named = true
	everything, _ := drain(q)
	all := seqset.Of(seqset.Range{From: 0, To: p.Readings})
	first := p.ref(0)
	half := seqset.Of(seqset.Range{From: first.First, To: first.First + first.Count})
	_ = q.Apply(ack(p, 1, 1, all, half, false))
	if refs, _ := drain(q); len(refs) != 1 {
		t.Fatalf("sent %v though all is stored", refs)
	}
	_ = q.Apply(ack(p, 1, 2, half, half, false))
	if refs, _ := drain(q); len(refs) != len(everything)-1 {
		t.Errorf("a new log: %d batches sent, want all %d but the one that landed", len(refs), len(everything))
	}
	_ = q.Apply(ack(p, 2, 2, seqset.Set{}, seqset.Set{}, false))
	if refs, _ := drain(q); len(refs) != len(everything) {
		t.Errorf("a new lake: %d batches sent, want all %d", len(refs), len(everything))
	}
}

func TestChangedFileStops(t *testing.T) {
	for name, change := range map[string]func(path, text string) error{
		"other bytes": func(path, text string) error {
			return os.WriteFile(path, []byte(strings.Replace(text, ",15,", ",16,", 1)), 0o600)
		},
		"shorter": func(path, text string) error { return os.WriteFile(path, []byte(text[:len(text)/4]), 0o600) },
		"longer":  func(path, text string) error { return os.WriteFile(path, []byte(text+"1700000000,1,2,3\n"), 0o600) },
	} {
		text := many(20_000)
		p := planned(t, text, csvfile.Options{})
		q := newQueue(t, p)
		var failed error
		q.named, q.fail = true, func(err error) { failed = err }
		if err := change(p.Path, text); err != nil {
			t.Fatal(err)
		}
		all := seqset.Of(seqset.Range{From: 0, To: p.Readings})
		refs, _ := drain(q)
		if failed == nil { // all of what was planned is still there
			_ = q.Apply(ack(p, 1, 1, all, seqset.Set{}, false))
			refs, _ = drain(q)
		}
		if !errors.Is(failed, ErrChanged) {
			t.Errorf("%s: %v, want ErrChanged", name, failed)
		}
		if len(refs) > 0 && refs[len(refs)-1].Count == 0 {
			t.Errorf("%s: the end was sent", name)
		}
	}
}

// TestWorstBatchesFit: what nothing compresses makes one batch of every piece all the same.
func TestWorstBatchesFit(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	noise := func(n int) string {
		b := make([]byte, n)
		for i := range b {
			b[i] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_"[rng.IntN(64)]
		}
		return string(b)
	}
	cell := func(text bool) string {
		switch n := rng.IntN(20); {
		case n == 0:
			return ""
		case text:
			return noise(rng.IntN(300))
		case n == 1:
			return "NaN"
		case n == 2:
			return fmt.Sprint(rng.Uint64() | 1<<63)
		}
		return strconv.FormatFloat(rng.NormFloat64()*math.Pow(10, float64(rng.IntN(60))), 'g', -1, 64)
	}
	for _, c := range []struct{ columns, rows, name int }{{1, 20_000, 3}, {7, 3000, 10}, {60, 500, 250}, {600, 20, 200}} {
		var b strings.Builder
		b.WriteString("time")
		for range c.columns {
			b.WriteString("," + noise(c.name))
		}
		b.WriteString("\n")
		for range c.rows {
			fmt.Fprintf(&b, "%d.%06d", 1_000_000_000+rng.IntN(1e9), rng.IntN(1000)*(1+999*rng.IntN(2)))
			for i := range c.columns {
				b.WriteString("," + cell(i%3 == 2))
			}
			b.WriteString("\n")
		}
		p := planned(t, b.String(), csvfile.Options{})
		q := newQueue(t, p)
		q.named = true
		refs, sealed := drain(q) // panics where a piece makes more than one batch
		largest := 0
		for _, s := range sealed {
			largest = max(largest, len(s))
		}
		if p.Bad > 0 || len(refs) != len(p.pieces) || largest > wire.MaxSealed {
			t.Errorf("%d columns: %d bad rows, %d batches of %d pieces, the largest of %d bytes", c.columns, p.Bad, len(refs), len(p.pieces), largest)
		}
		t.Logf("%d columns: %d pieces, the largest batch has %d bytes", c.columns, len(p.pieces), largest)
	}
}

// TestScatteredYearsAreSeen: only rows that no gateway can gather are called scattered.
func TestScatteredYearsAreSeen(t *testing.T) {
	rows := func(n int, minute func(i int) int) string {
		var b strings.Builder
		b.WriteString("time,v\n")
		for i := range n {
			fmt.Fprintf(&b, "%d,x%0199d\n", 1_600_000_000+60*minute(i), i)
		}
		return b.String()
	}
	const year = 365 * 24 * 60
	for name, c := range map[string]struct {
		text string
		want bool
	}{
		"three years upwards":          {rows(30_000, func(i int) int { return 3 * year / 30_000 * i }), false},
		"three years in no order":      {rows(30_000, func(i int) int { return i * 7919 % (3 * year) }), true},
		"a year in no order":           {rows(30_000, func(i int) int { return i * 7919 % year }), false},
		"a reading a day for 30 years": {rows(30*365, func(i int) int { return i * 24 * 60 }), false},
		"three years, ten times":       {rows(30_000, func(i int) int { return i * 263 % (3 * year) }), false},
	} {
		p := planned(t, c.text, csvfile.Options{})
		if p.Scattered() != c.want {
			t.Errorf("%s: scattered %v; %d days, %d with those of every batch, %d batches", name, p.Scattered(), p.Days, p.Spread, len(p.pieces))
		}
	}
}

func TestSendEndsWithItsContext(t *testing.T) {
	p := planned(t, many(100), csvfile.Options{})
	ctx, cancel := context.WithCancel(t.Context())
	_, err := Send(ctx, p, Config{
		Broker: "tcp://127.0.0.1:1", Log: slog.New(slog.NewTextHandler(io.Discard, nil)), Tell: func(Progress) { cancel() },
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("Send: %v, want that it was cancelled", err)
	}
}
