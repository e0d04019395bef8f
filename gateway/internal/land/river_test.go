package land_test

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/headwater-iot/headwater/gateway/internal/cursor"
	"github.com/headwater-iot/headwater/gateway/internal/land"
	"github.com/headwater-iot/headwater/gateway/internal/land/landtest"
	"github.com/headwater-iot/headwater/gateway/internal/table"
	"github.com/headwater-iot/headwater/shared/record"
	"github.com/headwater-iot/headwater/shared/wire"
)

const (
	second = int64(1_000_000)
	day    = 86_400 * second
	// boot0 is when the devices of these tests booted, us wall: 2026-06-01. now is when their records arrive.
	boot0 = 1_780_272_000 * second
	now   = boot0 + 3600*second
)

// river is a log, a lake and what stands between them.
type river struct {
	t      *testing.T
	cfg    land.Config
	lake   *landtest.Lake
	log    *landtest.Log
	lander *land.Lander
	told   []cursor.Update
}

func newRiver(t *testing.T, s land.Settings) *river {
	r := &river{t: t, lake: landtest.NewLake(), log: landtest.NewLog(1, 1)}
	r.cfg = land.Config{Settings: s, Log: r.log.ID, Lookup: r.lake.Cursor, Logger: slog.New(slog.DiscardHandler)}
	_, own, _ := r.lake.Load(t.Context())
	if err := own(t.Context(), r.log.Next()); err != nil {
		t.Fatal(err)
	}
	r.restart()
	return r
}

// restart begins a new life of the gateway.
func (r *river) restart() {
	r.t.Helper()
	cursors, _, err := r.lake.Load(r.t.Context())
	if err != nil {
		r.t.Fatal(err)
	}
	r.lander = land.New(r.cfg)
	r.lander.Load(cursors)
	contracts, err := r.lake.Contracts(r.t.Context())
	if err == nil {
		err = r.lander.LoadContracts(contracts)
	}
	if err != nil {
		r.t.Fatal(err)
	}
}

// batch logs a sealed part, at now.
func (r *river) batch(payload []byte) {
	r.log.Append(land.KindBatch, "probe-1", now, payload)
}

func (r *river) hello(h *wire.Hello) {
	r.t.Helper()
	if h.Device == "" {
		h.Device, h.Client = "probe-1", "probe-1"
	}
	r.log.Append(land.KindHello, h.Client, now, landtest.Hello(r.t, h))
}

// land commits what the log holds and has not landed, in as few groups as it takes, and returns their number.
func (r *river) land() int {
	r.t.Helper()
	n, err := r.try()
	if err != nil {
		r.t.Fatal(err)
	}
	return n
}

func (r *river) try() (groups int, err error) {
	ctx, stop := context.WithCancel(r.t.Context())
	marks, _, _ := r.lake.Marks(ctx)
	opened := make(chan *land.Opened)
	records, _ := r.log.ReadFrom(marks)
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = r.lander.Open(ctx, records, opened) // ends with ctx
	}()
	defer func() { stop(); <-done }()
	entries := len(r.log.Entries())
	g := r.lander.Begin(marks)
	for range entries {
		o := <-opened
		for {
			took, err := g.Add(ctx, o)
			if err != nil {
				return groups, err
			}
			if took {
				break
			}
			r.commit(g)
			groups++
			g = r.lander.Begin(g.Marks())
		}
	}
	r.told = append(r.told, g.Answers()...)
	if !g.Empty() {
		r.commit(g)
		groups++
	}
	return groups, nil
}

func (r *river) commit(g *land.Group) {
	r.t.Helper()
	if err := r.lake.Commit(r.t.Context(), g.Commit(now)); err != nil {
		r.t.Fatal(err)
	}
	r.told = append(r.told, g.Settle()...)
}

func (r *river) cursor(epoch record.Epoch) table.Cursor {
	r.t.Helper()
	row, ok := r.lake.Tables().Cursors[table.Key{Device: "probe-1", Epoch: epoch}]
	if !ok {
		r.t.Fatalf("no cursor of epoch %s", epoch)
	}
	return row
}

// story tells what the tables hold, a line a row, so that a test can say what it expects in words.
func (r *river) story() string {
	var b strings.Builder
	tables := r.lake.Tables()
	for i := range tables.Readings {
		run := &tables.Readings[i]
		fmt.Fprintf(&b, "landed %d %s [%d..%d] at %+.3fs", run.Epoch, run.Series, run.Seq[0], run.Seq[len(run.Seq)-1],
			float64(run.EventTime[0]-now)/1e6)
		if run.Base != 0 {
			fmt.Fprintf(&b, " base %#x", run.Base)
		}
		if run.Quality != nil {
			fmt.Fprintf(&b, " quality %#x", run.Quality)
		}
		b.WriteByte('\n')
	}
	for _, q := range tables.Quarantine {
		fmt.Fprintf(&b, "quarantined %d [%d,%d) count %d %s bytes %t\n", q.Epoch, q.From, q.To, q.Count, q.Reason, len(q.Bytes) > 0)
	}
	for _, g := range tables.Gaps {
		fmt.Fprintf(&b, "gap %d [%d,%d) count %d", g.Epoch, g.From, g.To, g.Count)
		if g.CountMax > 0 {
			fmt.Fprintf(&b, " at most %d", g.CountMax)
		}
		fmt.Fprintf(&b, " %s", g.Reason)
		if g.Presumed {
			b.WriteString(" presumed")
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// expect fails unless the tables tell the story.
func (r *river) expect(lines ...string) {
	r.t.Helper()
	want := strings.Join(append(lines, ""), "\n")
	if got := r.story(); got != want {
		r.t.Errorf("the tables hold\n%swant\n%s", got, want)
	}
}

// header is of a batch of device probe-1 in boot 7 that was sampled at the given device time, ms.
func header(epoch record.Epoch, first uint64, base int64) wire.Header {
	return wire.Header{Device: "probe-1", Epoch: epoch, Boot: 7, First: first, Base: base}
}

// synced is an honest anchor of boot 7.
func synced() wire.Anchor { return landtest.Sync(boot0) }

// at returns the ms of device time that lies d seconds from now on an honest clock.
func at(d int64) int64 { return (now-boot0)/1000 + d*1000 }
