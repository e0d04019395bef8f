package lake

import (
	"context"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/headwater-iot/headwater/gateway/internal/table"
	"github.com/headwater-iot/headwater/shared/record"
	"github.com/headwater-iot/headwater/shared/seqset"
)

func held(device string, epoch record.Epoch, from, to, offset uint64) table.QuarantineRow {
	return table.QuarantineRow{
		Device: device, Epoch: epoch, From: from, To: to, Count: to - from, Bytes: []byte{1}, Reason: "too_old", Fate: table.FateHeld,
		Origin: table.Origin{Log: logA, Partition: 1, Offset: offset, Received: day0},
	}
}

// lands commits each in turn.
func lands(t *testing.T, l *Lake, commits ...*table.Commit) {
	t.Helper()
	m := takeOver(t, l, logA)
	for _, c := range commits {
		c.Expect, c.Marks = m, next(m)
		if err := l.Commit(t.Context(), c); err != nil {
			t.Fatal(err)
		}
		m = c.Marks
	}
}

// TestRehold: all rows of the named records go, whatever file they are in; those of other records stay, even at the same
// offset of another partition.
func TestRehold(t *testing.T) {
	l := openLake(t, t.TempDir(), nil)
	a, other, b := held("a", 7, 0, 5, 3), held("a", 7, 5, 9, 3), held("b", 7, 0, 5, 4)
	other.Origin.Partition = 0
	done := a
	done.Fate = table.FateReplayed
	rest := held("a", 7, 3, 5, 3)
	done.To, done.Count = 3, 3
	lands(t, l,
		&table.Commit{Quarantine: []table.QuarantineRow{a, other}},
		&table.Commit{Quarantine: []table.QuarantineRow{b}},
		&table.Commit{Rehold: []table.Origin{a.Origin}, Quarantine: []table.QuarantineRow{done, rest}},
	)
	rows := func(key table.Key, from, to uint64) []table.QuarantineRow {
		t.Helper()
		seqs := seqset.Of(seqset.Range{From: from, To: to})
		got, err := l.Held(t.Context(), key, &seqs)
		if err != nil {
			t.Fatal(err)
		}
		slices.SortFunc(got, func(a, b table.QuarantineRow) int { return int(a.From) - int(b.From) })
		return got
	}
	for name, c := range map[string]struct {
		key      table.Key
		from, to uint64
		want     []table.QuarantineRow
	}{
		"what was replayed is held no more":   {table.Key{Device: "a", Epoch: 7}, 0, 3, nil},
		"all rows of a record that holds one": {table.Key{Device: "a", Epoch: 7}, 4, 5, []table.QuarantineRow{done, rest}},
		"two records":                         {table.Key{Device: "a", Epoch: 7}, 4, 6, []table.QuarantineRow{done, rest, other}},
		"another epoch":                       {table.Key{Device: "a", Epoch: 8}, 0, 9, nil},
		"another file":                        {table.Key{Device: "b", Epoch: 7}, 0, 9, []table.QuarantineRow{b}},
	} {
		if diff := cmp.Diff(c.want, rows(c.key, c.from, c.to)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	got, err := l.HeldOf(t.Context(), table.Origin{Log: logA, Partition: 0, Offset: 3})
	if diff := cmp.Diff([]table.QuarantineRow{other}, got); err != nil || diff != "" {
		t.Errorf("by record: %v (-want +got):\n%s", err, diff)
	}
	ledger, err := (&Reader{cat: l.cat}).Ledger(context.Background(), LedgerRequest{Device: "a"})
	if err != nil || ledger[0].Counts.Quarantined != 6 {
		t.Errorf("ledger: %+v, %v; want 6 quarantined: 3 of 9 were replayed", ledger, err)
	}
}

// TestPresent finds the seqs that stand in readings, by device and epoch.
func TestPresent(t *testing.T) {
	l := openLake(t, t.TempDir(), nil)
	c := fullCommit(takeOver(t, l, logA))
	if err := l.Commit(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	run := c.Readings[0]
	all := seqset.Of(seqset.Range{From: 0, To: record.MaxSeq})
	var want seqset.Set
	for _, r := range c.Readings {
		if r.Device == run.Device && r.Epoch == run.Epoch {
			for _, seq := range r.Seq {
				want.Add(seq, seq+1)
			}
		}
	}
	got, err := l.Present(t.Context(), table.Key{Device: run.Device, Epoch: run.Epoch}, &all)
	if err != nil || !got.Equal(&want) || want.Empty() {
		t.Errorf("%v, %v; want %v", got, err, want)
	}
	one := seqset.Of(seqset.Range{From: run.Seq[0], To: run.Seq[0] + 1})
	if got, err = l.Present(t.Context(), table.Key{Device: run.Device, Epoch: run.Epoch}, &one); err != nil || got.Count() != 1 {
		t.Errorf("one seq: %v, %v", got, err)
	}
	if got, err = l.Present(t.Context(), table.Key{Device: run.Device, Epoch: run.Epoch + 1}, &all); err != nil || !got.Empty() {
		t.Errorf("another epoch: %v, %v", got, err)
	}
}

// TestReaderOfQuarantine restricts rows by every column that can be asked for.
func TestReaderOfQuarantine(t *testing.T) {
	l := openLake(t, t.TempDir(), nil)
	a, b := held("a", 7, 0, 5, 3), held("b", 8, 0, 5, 4)
	a.Reason, a.Rule, a.Contract = "contract", "range", "c@1.0.0"
	b.Fate, b.Origin.Received = table.FateDiscarded, day0+1
	b.Origin.Partition = 0
	lands(t, l, &table.Commit{Quarantine: []table.QuarantineRow{a, b}})
	for name, req := range map[string]QuarantineRequest{
		"device": {Device: "b"}, "reason": {Reason: "too_old"}, "fate": {Fate: table.FateDiscarded}, "epoch": {Epoch: 8}, "since": {Since: day0 + 1},
		"record": {Record: &b.Origin},
	} {
		var got []table.QuarantineRow
		err := (&Reader{cat: l.cat}).Quarantine(t.Context(), req, func(r *table.QuarantineRow) error {
			got = append(got, *r)
			return nil
		})
		want := b
		want.Bytes = nil
		if diff := cmp.Diff([]table.QuarantineRow{want}, got); err != nil || diff != "" {
			t.Errorf("%s: %v (-want +got):\n%s", name, err, diff)
		}
	}
	for name, req := range map[string]QuarantineRequest{"rule": {Rule: "range", Bytes: true}, "contract": {Contract: "c@1.0.0", Bytes: true}} {
		err := (&Reader{cat: l.cat}).Quarantine(t.Context(), req, func(r *table.QuarantineRow) error {
			if diff := cmp.Diff(a, *r); diff != "" {
				t.Errorf("%s (-want +got):\n%s", name, diff)
			}
			return nil
		})
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
