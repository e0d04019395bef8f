package rowfile

import (
	"context"
	"slices"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/iceberg-go"
	icetable "github.com/apache/iceberg-go/table"
	"github.com/google/go-cmp/cmp"

	"github.com/headwater-iot/headwater/gateway/internal/table"
	"github.com/headwater-iot/headwater/shared/record"
	"github.com/headwater-iot/headwater/shared/seqset"
	"github.com/headwater-iot/headwater/shared/wire"
)

// roundTrip writes rows as data files of a table and reads them back.
func roundTrip[R any](t *testing.T, name string, rows []R,
	write func(context.Context, *icetable.Table, []R) ([]iceberg.DataFile, error), read func(arrow.RecordBatch) ([]R, error),
) (got []R, files []iceberg.DataFile) {
	t.Helper()
	tbl := newTable(t, name)
	files, err := write(t.Context(), tbl, rows)
	if err != nil {
		t.Fatal(err)
	}
	var tasks []icetable.FileScanTask
	for _, f := range files {
		tasks = append(tasks, icetable.FileScanTask{File: f, Length: f.FileSizeBytes()})
	}
	_, batches, err := tbl.Scan(icetable.WithMaxConcurrency(1)).ReadTasks(t.Context(), tasks)
	if err != nil {
		t.Fatal(err)
	}
	for batch, err := range batches {
		if err != nil {
			t.Fatal(err)
		}
		more, err := read(batch)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, more...)
		batch.Release()
	}
	return got, files
}

// fullCursor has a value in every field: a field that the table forgets is a field that a takeover loses.
func fullCursor() table.Cursor {
	return table.Cursor{
		Device: "a", Epoch: 1 << 63, Version: 3, Closed: seqset.Of(seqset.Range{From: 0, To: 5}, seqset.Range{From: 7, To: 9}),
		Presumed: seqset.Of(seqset.Range{From: 5, To: 6}), PresumedFrom: 20, PresumedOpen: true, PresumedMax: 77, Ended: true, FinalSeq: 12, HasFinal: true,
		Predecessor: 4, Boot: 5, Site: "north", Promise: -6, Anchor: wire.Anchor{State: wire.Synced, Generation: 7, Wall: 8, Monotonic: -9, Uncertainty: 10},
		ClockOffset: 11, Accepted: 12, Held: 13, Landed: 14, Quarantined: 15, GapSeqs: 16,
		Recent: []table.BatchMark{{First: 1, Count: 2, CRC: 1<<32 - 1}, {First: 3, Count: 4, CRC: 0}},
		Origin: table.Origin{Log: wire.ID{1, 2, 0xff}, Partition: 17, Offset: 18}, Committed: 19,
	}
}

func TestCursorsRoundTrip(t *testing.T) {
	bare := table.Cursor{Device: "b", Epoch: 1, Promise: table.Unknown, ClockOffset: table.Unknown}
	fromZero := table.Cursor{Device: "c", Epoch: 1, PresumedOpen: true, HasFinal: true, Promise: 0, ClockOffset: 0}
	want := []table.Cursor{fullCursor(), bare, fromZero}
	got, files := roundTrip(t, table.Cursors, want, WriteCursors, ReadCursors)
	slices.SortFunc(got, func(a, b table.Cursor) int { return int(a.Device[0]) - int(b.Device[0]) })
	if diff := cmp.Diff(want, got, cmp.Comparer(func(a, b seqset.Set) bool { return a.Equal(&b) })); diff != "" {
		t.Errorf("cursors (-want +got):\n%s", diff)
	}
	if len(files) < 2 {
		t.Errorf("three devices are in %d buckets", len(files))
	}
}

func TestGapsRoundTrip(t *testing.T) {
	const d = int64(1_760_000_000_000_000)
	want := []table.GapRow{
		{
			Device: "a", Epoch: 1, From: 2, To: 3, Count: 1, CountMax: 4, TimeFrom: -5, TimeTo: 6, Series: []string{"x", ""},
			Reason: "damaged", Origin: table.Origin{Log: wire.ID{9}, Partition: 1, Offset: 2, Received: d},
		},
		{Device: "b", Epoch: 1, TimeFrom: table.Unknown, TimeTo: table.Unknown, Reason: "power_cut", Presumed: true, Origin: table.Origin{Received: d + usPerDay}},
	}
	got, files := roundTrip(t, table.Gaps, want, WriteGaps, ReadGaps)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("gaps (-want +got):\n%s", diff)
	}
	if len(files) != 2 {
		t.Errorf("%d files, want one a day", len(files))
	}
}

func TestDevicesRoundTrip(t *testing.T) {
	want := []table.Device{
		{
			Device: "a", Site: "s", Owner: "o", Tags: map[string]string{"k": "", "l": "m"}, AgentVersion: "1", Client: "c", FirstSeen: 0, LastSeen: 2,
			BacklogBytes: 3, BacklogBatches: 4, ClockState: "synced", ClockError: 0, Epoch: 5, Boot: 6, AtLeastOnce: true, Contract: "d", Schedule: []string{"t", "v"},
		},
		{Device: "b", FirstSeen: table.Unknown, ClockError: table.Unknown, Tags: map[string]string{}},
	}
	got, _ := roundTrip(t, table.Devices, want, WriteDevices, ReadDevices)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("devices (-want +got):\n%s", diff)
	}
}

func TestQuarantineRoundTrip(t *testing.T) {
	rows := []table.QuarantineRow{
		{
			Device: "a", Epoch: record.Epoch(2), From: 0, To: 3, Count: 3, Bytes: []byte{}, Reason: "r", Rule: "u", Contract: "c", Fate: table.FateHeld,
			Origin: table.Origin{Log: wire.ID{1}, Partition: 2, Offset: 3, Received: 4},
		},
		{Device: "b", Reason: "r", Fate: table.FateDiscarded},
	}
	got, _ := roundTrip(t, table.Quarantine, rows, WriteQuarantine, ReadQuarantine)
	if diff := cmp.Diff(rows, got); diff != "" {
		t.Errorf("quarantine (-want +got):\n%s", diff)
	}
}
