package land_test

import (
	"errors"
	"testing"

	"github.com/headwater-iot/headwater/gateway/internal/land"
	"github.com/headwater-iot/headwater/gateway/internal/land/landtest"
	"github.com/headwater-iot/headwater/gateway/internal/table"
	"github.com/headwater-iot/headwater/shared/record"
	"github.com/headwater-iot/headwater/shared/wire"
)

func TestBatchLandsColumnByColumn(t *testing.T) {
	r := newRiver(t, land.Settings{})
	r.batch(landtest.Readings(t, synced(), header(1, 0, at(-10)), 2, 3, 1000))
	r.land()
	r.expect(
		"landed 1 s0a [0..2] at -10.000s",
		"landed 1 s1a [3..5] at -10.000s",
	)
	run := r.lake.Tables().Readings[1]
	if run.Floats[2] != landtest.Value(1, 5) || run.EventTime[2] != now-8*second || run.Unit != "Cel" || run.Boot != 7 ||
		run.Received != now || run.Stamp != (table.Stamp{ClockOffset: boot0, ClockError: 500 + 359_200, Anchor: 1}) {
		t.Errorf("run %+v", run)
	}
	if c := r.cursor(1); c.Closed.Mark() != 6 || c.Landed != 6 || c.Accepted != 6 {
		t.Errorf("cursor %+v", c)
	}
}

func TestEveryBatchIsClippedPerSeq(t *testing.T) {
	r := newRiver(t, land.Settings{})
	r.batch(landtest.Gap(t, synced(), header(1, 1, at(-10)), 3, wire.Gap{Reason: wire.DropOldest, From: at(-10), To: at(-9)}))
	r.batch(landtest.Readings(t, synced(), header(1, 0, at(-10)), 2, 3, 1000))
	r.batch(landtest.Readings(t, synced(), header(1, 0, at(-10)), 2, 3, 1000))
	r.land()
	r.expect(
		"landed 1 s0a [0..0] at -10.000s",
		"landed 1 s1a [4..5] at -9.000s",
		"gap 1 [1,4) count 3 drop_oldest",
	)
	gap := r.lake.Tables().Gaps[0]
	if gap.TimeFrom != now-10*second || gap.TimeTo != now-9*second {
		t.Errorf("gap %+v", gap)
	}
}

func TestUnreadableBodyIsQuarantinedAndCloses(t *testing.T) {
	r := newRiver(t, land.Settings{})
	h := header(1, 4, at(-10))
	h.Kind, h.Count, h.Codec = wire.KindReadings, 6, wire.Zstd
	sealed, err := wire.AppendSealed(nil, h, []byte("no zstd frame"))
	if err != nil {
		t.Fatal(err)
	}
	r.batch(landtest.Readings(t, synced(), header(1, 6, at(-9)), 1, 1, 1000))
	r.batch(wire.AppendEnvelope(nil, synced(), sealed))
	r.batch(wire.AppendEnvelope(nil, synced(), sealed)) // sent again: kept once
	r.land()
	r.expect(
		"landed 1 s0a [6..6] at -9.000s",
		"quarantined 1 [4,6) count 2 unreadable bytes true",
		"quarantined 1 [7,10) count 3 unreadable bytes false",
	)
	if c := r.cursor(1); c.Quarantined != 5 || c.Landed != 1 || !c.Closed.HasAll(4, 10) {
		t.Errorf("cursor %+v", c)
	}
}

func TestRecordWithoutHeaderIsKept(t *testing.T) {
	r := newRiver(t, land.Settings{})
	r.batch([]byte("HE but not quite"))
	r.batch(landtest.Readings(t, synced(), header(1, 0, at(-1)), 1, 1, 1))
	r.log.Append(land.KindHello, "probe-1", now, []byte("HM"))
	r.land()
	r.expect(
		"landed 1 s0a [0..0] at -1.000s",
		"quarantined 0 [0,0) count 0 malformed bytes true",
		"quarantined 0 [0,0) count 0 unreadable bytes true",
	)
	if q := r.lake.Tables().Quarantine[0]; q.Device != "probe-1" || q.Rule == "" || q.Fate != "held" {
		t.Errorf("row %+v", q)
	}
}

// TestQuarantineKeepsNoMoreThanItsBytes: a record shares the memory of the megabytes that were read with it.
func TestQuarantineKeepsNoMoreThanItsBytes(t *testing.T) {
	r := newRiver(t, land.Settings{})
	payload := []byte("neither envelope nor anything")
	r.batch(payload)
	r.land()
	if row := r.lake.Tables().Quarantine[0]; &row.Bytes[0] == &payload[0] || string(row.Bytes) != string(payload) {
		t.Errorf("%d bytes are kept, and with them all that was read", len(row.Bytes))
	}
}

func TestUnknownKindStopsLanding(t *testing.T) {
	r := newRiver(t, land.Settings{})
	r.log.Append(5, "probe-1", now, nil)
	if _, err := r.try(); !errors.Is(err, land.ErrKind) {
		t.Errorf("landing a replay record: %v", err)
	}
}

func TestSeqsBeyondTheEndAreQuarantined(t *testing.T) {
	r := newRiver(t, land.Settings{})
	r.batch(landtest.End(t, synced(), header(1, 2, at(0))))
	r.batch(landtest.Readings(t, synced(), header(1, 0, at(-10)), 1, 4, 1000))
	r.land()
	r.expect(
		"landed 1 s0a [0..1] at -10.000s",
		"quarantined 1 [2,4) count 2 beyond_end bytes true",
	)
}

func TestOtherBytesUnderTheSameSeqsLeaveEvidenceOnce(t *testing.T) {
	r := newRiver(t, land.Settings{})
	honest := landtest.Readings(t, synced(), header(1, 0, at(-10)), 1, 4, 1000)
	clone := landtest.Readings(t, synced(), header(1, 2, at(-10)), 1, 4, 1000)
	for range 2 {
		r.batch(honest)
		r.batch(clone)
		r.land()
		r.restart()
	}
	r.expect(
		"landed 1 s0a [0..3] at -10.000s",
		"landed 1 s0a [4..5] at -8.000s",
		"quarantined 1 [0,0) count 0 seqs_conflict bytes true",
	)
}

func TestImportsAreNoClones(t *testing.T) {
	r := newRiver(t, land.Settings{})
	client := record.ImportClient("probe-1", 9)
	for _, first := range []uint64{0, 2} { // another numbering of the same file would be another epoch; be lenient
		h := header(9, first, now/1000-5000)
		h.Absolute = true
		r.log.Append(land.KindBatch, client, now, landtest.Readings(t, wire.Anchor{}, h, 1, 4, 1000))
	}
	r.land()
	r.expect(
		"landed 9 s0a [0..3] at -5.000s",
		"landed 9 s0a [4..5] at -3.000s",
	)
}

func TestEndWithoutHolesLeavesMemoryAndIsFoundAgain(t *testing.T) {
	r := newRiver(t, land.Settings{})
	batch := landtest.Readings(t, synced(), header(1, 0, at(-10)), 1, 4, 1000)
	r.batch(batch)
	r.batch(landtest.End(t, synced(), header(1, 4, at(0))))
	r.land()
	if live, _, _ := r.lake.Load(t.Context()); len(live) != 0 {
		t.Errorf("still in memory: %+v", live)
	}
	r.restart()
	r.told = nil
	r.batch(batch)
	r.land()
	r.expect("landed 1 s0a [0..3] at -10.000s")
	if len(r.told) != 1 || r.told[0].Closed.Mark() != 4 || !r.told[0].Ended {
		t.Errorf("the device that asks again hears %+v", r.told)
	}
}

func TestBatchOfManyDaysTakesSeveralGroups(t *testing.T) {
	r := newRiver(t, land.Settings{MaxDays: 10})
	h := header(1, 0, boot0/1000)
	h.Absolute = true
	r.batch(landtest.Readings(t, wire.Anchor{}, header(2, 0, at(-1)), 1, 1, 1))
	r.batch(landtest.Readings(t, wire.Anchor{}, h, 2, 25, -86_400_000)) // two series of 25 days, newest first
	if n := r.land(); n != 3 {
		t.Errorf("%d groups, want 3 for 25 days, the first with what came before", n)
	}
	seen := map[uint64]int{}
	for _, run := range r.lake.Tables().Readings {
		for i, seq := range run.Seq {
			if run.Epoch == 1 {
				seen[seq]++
				if want := boot0 - int64(seq%25)*day; run.EventTime[i] != want || run.Floats[i] != landtest.Value(1, seq) {
					t.Errorf("seq %d at %d, want %d", seq, run.EventTime[i], want)
				}
			}
		}
	}
	for seq := range uint64(50) {
		if seen[seq] != 1 {
			t.Errorf("seq %d landed %d times", seq, seen[seq])
		}
	}
}

func TestAbsentAndNullCellsKeepTheirPlace(t *testing.T) {
	r := newRiver(t, land.Settings{})
	r.batch(landtest.Body(t, synced(), header(1, 0, at(-10)), &record.Body{Groups: []record.Group{{
		Unit: record.Micro, Times: []int64{at(-10) * 1000, at(-9)*1000 + 1, at(-8) * 1000},
		Columns: []record.Column{
			{Series: "rare", Kind: record.Text, Rows: []uint32{1}, Texts: []string{"x"}},
			{
				Series: "ill", Kind: record.Int, Null: []bool{false, true, false}, Ints: []int64{1, 0, 3},
				Qual: []record.Quality{0, record.ReadError, record.Suspect},
			},
		},
	}}}))
	r.land()
	r.expect(
		"landed 1 rare [0..0] at -9.000s",
		"landed 1 ill [1..3] at -10.000s quality [0x0 0x1 0x2]",
	)
	runs := r.lake.Tables().Readings
	if runs[0].EventTime[0] != now-9*second+1 || runs[0].Texts[0] != "x" || !runs[1].Null[1] || runs[1].Ints[2] != 3 {
		t.Errorf("runs %+v", runs)
	}
}

// TestPromiseComesWithTheWholeBatch: "no later seq is older than this" says something of a batch that has landed, and of
// none that did not fit the group, or fits it in part.
func TestPromiseComesWithTheWholeBatch(t *testing.T) {
	for name, c := range map[string]struct{ before, days int }{"in parts": {1, 25}, "after others": {8, 9}} {
		t.Run(name, func(t *testing.T) {
			r, days := newRiver(t, land.Settings{MaxDays: 10}), c.days
			before := header(1, 0, boot0/1000)
			before.Absolute = true
			r.batch(landtest.Readings(t, wire.Anchor{}, before, 1, c.before, 86_400_000))
			h := header(2, 0, -int64(days)*86_400_000)
			h.HasPromise, h.Promise = true, 5000
			r.batch(landtest.Readings(t, synced(), h, 1, days, 86_400_000))
			commits := 0
			r.lake.Fault = func() (error, bool) {
				commits++
				row, known, _ := r.lake.Cursor(t.Context(), "probe-1", 2)
				if n := row.Closed.Count(); known && n < uint64(days) && (n == 0 || row.Promise != table.Unknown) {
					t.Errorf("after %d commits, with %d of %d readings closed, the cursor is version %d and promises %d", commits-1, n, days, row.Version, row.Promise)
				}
				return nil, false
			}
			r.land()
			if c := r.cursor(2); commits < 2 || c.Promise != 5000 || c.Closed.Count() != uint64(days) {
				t.Errorf("%d commits, promise %d, %d closed", commits, c.Promise, c.Closed.Count())
			}
		})
	}
}
