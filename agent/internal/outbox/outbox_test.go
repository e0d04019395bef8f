package outbox

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/headwater-iot/headwater/agent/internal/segment"
	"github.com/headwater-iot/headwater/shared/record"
	"github.com/headwater-iot/headwater/shared/seqset"
	"github.com/headwater-iot/headwater/shared/wire"
)

func TestRowsLandOnce(t *testing.T) {
	cfg := config(t)
	o := mustOpen(t, cfg)
	l := newLake(t)
	appendRows(t, o, 0, 100)
	if err := o.Seal(); err != nil {
		t.Fatal(err)
	}
	l.drain(o)
	l.wantRows(0, 100)
	if r := o.Report(); r.Batches != 0 || r.Epochs[0].Floor != 200 || r.Epochs[0].Next != 200 {
		t.Fatalf("after all has landed: %+v", r)
	}
}

func TestCloseWritesAllToFlashAndEndsTheEpoch(t *testing.T) {
	cfg := config(t)
	o := mustOpen(t, cfg)
	first := o.Epoch()
	appendRows(t, o, 0, 100)
	if err := o.Close(); err != nil {
		t.Fatal(err)
	}
	o = mustOpen(t, cfg)
	r := o.Report()
	if len(r.Epochs) != 2 || r.Epochs[0].Epoch != first || r.Epochs[0].State != wire.EpochEnded ||
		r.Epochs[0].Next != 200 || r.Epochs[1].Predecessor != first {
		t.Fatalf("report after restart: %+v", r.Epochs)
	}
	l := newLake(t)
	l.drain(o)
	l.wantRows(0, 100)
	l.wantDense()
	if e := l.epochs[first]; !e.ended || e.final != 200 {
		t.Fatalf("end of the first epoch: %+v", e)
	}
	if r := o.Report(); len(r.Epochs) != 1 || r.Batches != 0 {
		t.Fatalf("the first epoch is not forgotten: %+v", r)
	}
}

func TestKilledProcessIsTakenOver(t *testing.T) {
	cfg := config(t)
	o := mustOpen(t, cfg)
	first := o.Epoch()
	appendRows(t, o, 0, 50)
	if err := o.Seal(); err != nil {
		t.Fatal(err)
	}
	appendRows(t, o, 50, 80)
	kill(t, o)
	o = mustOpen(t, cfg)
	if a := o.LastAnchor(); a.State != wire.Synced || a.Generation != 1 {
		t.Fatalf("last anchor %+v", a)
	}
	l := newLake(t)
	l.drain(o)
	l.wantRows(0, 80)
	l.wantDense()
	if e := l.epochs[first]; !e.ended || e.final != 160 {
		t.Fatalf("end of the first epoch: %+v", e)
	}
	if n := cfg.Meter.Counter("headwater_outbox_flash_writes_total", "").Value(); n != 0 {
		t.Fatalf("%d flash writes", n)
	}
}

func TestPowerCutIsDeclared(t *testing.T) {
	cfg := config(t)
	o := mustOpen(t, cfg)
	first := o.Epoch()
	appendRows(t, o, 0, 50)
	if err := o.Seal(); err != nil {
		t.Fatal(err)
	}
	o.flash.Lock()
	o.flush(func(*held) bool { return true })
	o.flash.Unlock()
	appendRows(t, o, 50, 60)
	powerCut(t, o, cfg)
	o = mustOpen(t, cfg)
	e := o.Report().Epochs[0]
	if e.Epoch != first || e.State != wire.EpochLost || e.Next != 100 || e.CountMax != 110 {
		t.Fatalf("the lost epoch: %+v", e)
	}
	l := newLake(t)
	l.drain(o)
	l.wantRows(0, 50)
	if len(o.Report().Epochs) != 1 {
		t.Fatal("the lost epoch is not forgotten though the gateway has its end")
	}
}

func TestHealthyHourWritesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := config(t)
		o := mustOpen(t, cfg)
		before := o.meters.metaWrites.Value()
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- o.Run(ctx) }()
		l := newLake(t)
		i := 0
		for range 3600 {
			appendRows(t, o, i, i+10)
			i += 10
			<-time.After(time.Second)
			if i%20 == 0 { // every other second the gateway commits
				l.drain(o)
			}
		}
		cancel()
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		m := o.meters
		if m.writes.Value() != 0 || m.written.Value() != 0 || m.metaWrites.Value() != before {
			t.Fatalf("%d batch and %d meta transactions, %d bytes", m.writes.Value(), m.metaWrites.Value()-before, m.written.Value())
		}
		if err := o.Seal(); err != nil {
			t.Fatal(err)
		}
		l.drain(o)
		l.wantRows(0, i)
	})
}

// TestOnFlashWithinFlushInterval holds the promise of the clocks: with nobody there, what was accepted is on
// flash when a flush interval has passed.
func TestOnFlashWithinFlushInterval(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := config(t)
		o := mustOpen(t, cfg)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- o.Run(ctx) }()
		appendRows(t, o, 0, 10)
		<-time.After(cfg.orDefault())
		synctest.Wait()
		cancel()
		<-done
		powerCut(t, o, cfg)
		o = mustOpen(t, cfg)
		l := newLake(t)
		l.drain(o)
		l.wantRows(0, 10)
		if err := o.Close(); err != nil {
			t.Fatal(err)
		}
	})
}

func (c Config) orDefault() time.Duration {
	c, _ = c.withDefaults()
	return c.FlushInterval
}

func TestStoredButNotLandedGoesToFlashAfterAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := config(t)
		o := mustOpen(t, cfg)
		appendRows(t, o, 0, 10)
		if err := o.Seal(); err != nil {
			t.Fatal(err)
		}
		l := newLake(t)
		b, _ := o.Next(Live, func(Ref) bool { return false })
		l.take(b.Sealed)
		e := l.epoch(b.Epoch)
		ack := &wire.Ack{Lake: l.lakeID, Log: l.logID, N: 1, Epochs: []wire.AckEpoch{{Epoch: b.Epoch, StoredMark: e.stored.Mark()}}}
		if err := o.Apply(ack); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- o.Run(ctx) }()
		<-time.After(landWithin - time.Second)
		synctest.Wait()
		if n := o.meters.writes.Value(); n != 0 {
			t.Fatalf("%d writes before a minute has passed", n)
		}
		<-time.After(2 * time.Second)
		synctest.Wait()
		if n := o.meters.writes.Value(); n != 1 {
			t.Fatalf("%d writes after a minute", n)
		}
		if _, ok := o.Next(Backlog, func(Ref) bool { return false }); ok {
			t.Fatal("what is stored is sent again")
		}
		// The log is lost: stored is void.
		ack = &wire.Ack{Lake: l.lakeID, Log: wire.ID{9}, N: 1}
		if err := o.Apply(ack); err != nil {
			t.Fatal(err)
		}
		if _, ok := o.Next(Backlog, func(Ref) bool { return false }); !ok {
			t.Fatal("what a lost log had stored is not sent again")
		}
		cancel()
		<-done
	})
}

func TestSecondAgentOnOneDirectoryIsRefused(t *testing.T) {
	cfg := config(t)
	mustOpen(t, cfg)
	if _, err := Open(cfg); !errors.Is(err, segment.ErrLocked) {
		t.Fatalf("second open: %v", err)
	}
}

func TestRowsThatNothingCarriesAreRefused(t *testing.T) {
	o := mustOpen(t, config(t))
	for name, r := range map[string]record.Row{
		"no cells": {Sensor: "s", Unit: record.Milli},
		"twice":    {Sensor: "s", Unit: record.Milli, Cells: []record.Cell{record.IntCell("a", "", 1), record.IntCell("a", "", 2)}},
		"text":     {Sensor: "s", Unit: record.Milli, Cells: []record.Cell{{Series: "a", Kind: record.Text, Text: "\xff"}}},
	} {
		if err := o.Append(r); !errors.Is(err, record.ErrRow) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if n := o.meters.accepted.Value(); n != 0 {
		t.Fatalf("%d readings accepted", n)
	}
}

func TestConfigIsChecked(t *testing.T) {
	good := config(t)
	for name, change := range map[string]func(*Config){
		"device": func(c *Config) { c.Device = "no/slash" },
		"boot":   func(c *Config) { c.Boot = 0 },
		"clock":  func(c *Config) { c.Clock = nil },
		"policy": func(c *Config) { c.Policy = "thin" },
	} {
		cfg := good
		change(&cfg)
		if _, err := Open(cfg); !errors.Is(err, ErrConfig) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestLinesGoFromTheOldestOn holds the chain together: while an epoch that a power cut took is not over for the
// gateway, what lies between it and the current epoch is named too, or nobody could tell that it is an ancestor.
func TestLinesGoFromTheOldestOn(t *testing.T) {
	cfg := config(t)
	o := mustOpen(t, cfg)
	lost := o.Epoch()
	appendRows(t, o, 0, 10)
	powerCut(t, o, cfg)
	o = mustOpen(t, cfg)
	middle := o.Epoch()
	appendRows(t, o, 10, 20)
	if err := o.Close(); err != nil {
		t.Fatal(err)
	}
	o = mustOpen(t, cfg)

	over := func(epoch record.Epoch, n uint64) {
		t.Helper()
		all := seqset.Of(seqset.Range{From: 0, To: 1000})
		ack := &wire.Ack{Lake: wire.ID{1}, Log: wire.ID{1}, Start: 1, N: n, Epochs: []wire.AckEpoch{wire.NewAckEpoch(epoch, &all, &all, true)}}
		if err := o.Apply(ack); err != nil {
			t.Fatal(err)
		}
	}
	over(middle, 1)
	if e := o.Report().Epochs; len(e) != 3 || e[0].Epoch != lost || e[1].Epoch != middle || e[1].Predecessor != lost {
		t.Fatalf("the chain is broken: %+v", e)
	}
	over(lost, 2)
	if e := o.Report().Epochs; len(e) != 1 {
		t.Errorf("lines of epochs that are over stay: %+v", e)
	}
}
