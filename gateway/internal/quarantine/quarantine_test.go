package quarantine

import (
	"context"
	"errors"
	"math"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/headwater-iot/headwater/gateway/internal/decision"
	"github.com/headwater-iot/headwater/gateway/internal/table"
	"github.com/headwater-iot/headwater/shared/record"
	"github.com/headwater-iot/headwater/shared/seqset"
	"github.com/headwater-iot/headwater/shared/wire"
)

const noon = 1_780_315_200_000_000 // 2026-06-01T12:00:00Z

func heldRow(device string, epoch record.Epoch, from, to, offset uint64) table.QuarantineRow {
	return table.QuarantineRow{
		Device: device, Epoch: epoch, From: from, To: to, Count: to - from, Reason: "too_old", Fate: table.FateHeld,
		Origin: table.Origin{Log: wire.ID{0xab}, Partition: 1, Offset: offset, Received: noon + int64(offset)},
	}
}

func TestNames(t *testing.T) {
	row, bare := heldRow("pump:1", 7, 3, 9, 4), heldRow("", 0, 0, 0, 5)
	for text, want := range map[string]struct{ row, bare bool }{
		NameOf(&row):                                 {row: true},
		NameOf(&bare):                                {bare: true},
		"pump:1/0000000000000007":                    {row: true},
		"pump:1/0000000000000007/8-9":                {row: true},
		"pump:1/0000000000000007/9-9000":             {},
		"pump:1/0000000000000008":                    {},
		"ab000000000000000000000000000000:1:4":       {row: true},
		"ab000000000000000000000000000000:0:4":       {},
		"pump:2/0000000000000007":                    {},
		"pump:1/0000000000000007/0-3":                {},
		"pump:1/0000000000000007/0-9007199254740993": {row: true},
	} {
		n, err := ParseName(text)
		if err != nil || n.Has(&row) != want.row || n.Has(&bare) != want.bare {
			t.Errorf("%s: %v; the row %t, the one without seqs %t; want %+v", text, err, n.Has(&row), n.Has(&bare), want)
		}
	}
	for _, text := range []string{
		"", "pump", "pump/7", "pump/0000000000000007/9-3", "pump/0000000000000007/3", "pump/0000000000000007/1-2/3", "/0000000000000007",
		"ab:1:4", "ab000000000000000000000000000000:-1:4", "zz000000000000000000000000000000:1:4", "pump/0000000000000007/-1-4",
	} {
		if n, err := ParseName(text); err == nil {
			t.Errorf("%q names %+v", text, n)
		}
	}
}

func TestGroups(t *testing.T) {
	g := NewGrouper()
	broken := heldRow("b", 1, 0, 7, 9)
	broken.Reason, broken.Rule, broken.Contract = "contract", "range", "c@1.0.0"
	second := heldRow("a", 1, 0, 2, 3)
	second.Rule = "in words"
	first := heldRow("a", 2, 5, 6, 2)
	for _, r := range []table.QuarantineRow{second, first, broken, heldRow("a", 1, 2, 4, 3), heldRow("", 0, 0, 0, 8)} {
		g.Add(&r)
	}
	at := func(offset int64) time.Time { return time.UnixMicro(noon + offset).UTC() }
	want := []Group{
		{Reason: "contract", Rule: "range", Contract: "c@1.0.0", Device: "b", Fate: "held", Rows: 1, Records: 1, Readings: 7, First: at(9), Last: at(9), Example: "b/0000000000000001/0-7"},
		{Reason: "too_old", Device: "a", Fate: "held", Rows: 3, Records: 2, Readings: 5, First: at(2), Last: at(3), Example: "a/0000000000000002/5-6"},
		{Reason: "too_old", Fate: "held", Rows: 1, Records: 1, First: at(8), Last: at(8), Example: "ab000000000000000000000000000000:1:8"},
	}
	if diff := cmp.Diff(want, g.Groups()); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// sealed returns the envelope of a batch of every kind of value, three rows of each, with absolute or boot time.
func sealed(t *testing.T, absolute bool, a wire.Anchor) []byte {
	t.Helper()
	body := &record.Body{Groups: []record.Group{{Unit: record.Milli, Times: []int64{1000, 2000, 3000}, Columns: []record.Column{
		{Series: "f", Unit: "Cel", Kind: record.Float, Floats: []float64{1.5, math.NaN(), 0}, Null: []bool{false, false, true}, Qual: []record.Quality{0, 2, 1}},
		{Series: "i", Kind: record.Int, Ints: []int64{-1, 1 << 60, 3}},
		{Series: "u", Kind: record.Uint, Uints: []uint64{1<<64 - 1, 2, 3}},
		{Series: "t", Kind: record.Text, Texts: []string{"a", "", "c"}},
		{Series: "b", Kind: record.Bool, Bools: []bool{true, false, true}},
		{Series: "x", Kind: record.Bytes, Rows: []uint32{1}, Blobs: [][]byte{{1, 2}}},
	}}}}
	enc, err := wire.NewEncoder()
	if err != nil {
		t.Fatal(err)
	}
	part, err := enc.AppendReadings(nil, wire.Header{Device: "a", Epoch: 1, Boot: 2, First: 10, Absolute: absolute, Base: 1000}, body)
	if err != nil {
		t.Fatal(err)
	}
	return wire.AppendEnvelope(nil, a, part)
}

// TestShow decodes every kind of value, says when it was as well as the envelope knows, and shows the held ones first.
func TestShow(t *testing.T) {
	synced := wire.Anchor{State: wire.Synced, Generation: 1, Wall: noon, Monotonic: 0, Uncertainty: 5}
	for name, c := range map[string]struct {
		payload []byte
		first   string
	}{
		"by its anchor": {sealed(t, false, synced), "2026-06-01T12:00:01.000000Z"},
		"no clock":      {sealed(t, false, wire.Anchor{}), "boot+1.000s"},
		"absolute":      {sealed(t, true, wire.Anchor{}), "1970-01-01T00:00:01.000000Z"},
	} {
		row := heldRow("a", 1, 10, 12, 3)
		row.Bytes = c.payload
		done := heldRow("a", 1, 12, 14, 3)
		done.Fate = table.FateReplayed
		r := Show([]table.QuarantineRow{done, row}, 100)
		if r.Problem != "" || len(r.Readings) != 16 || r.Header == nil || r.Header.First != 10 || len(r.Rows) != 2 {
			t.Fatalf("%s: %+v", name, r)
		}
		if x := r.Readings[0]; x != (Reading{Seq: 10, Time: c.first, Series: "f", Value: 1.5, Unit: "Cel", Held: true}) {
			t.Errorf("%s: %+v", name, x)
		}
		var values []any
		for _, x := range r.Readings {
			values = append(values, x.Value)
		}
		want := []any{1.5, "NaN", nil, int64(-1), int64(1 << 60), int64(3), uint64(1<<64 - 1), uint64(2), uint64(3), "a", "", "c", true, false, true, "0102"}
		if diff := cmp.Diff(want, values); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
		if x := r.Readings[15]; !strings.HasSuffix(x.Time, ":02.000000Z") && x.Time != "boot+2.000s" || x.Held {
			t.Errorf("%s: the last is %+v", name, x)
		}
		if short := Show([]table.QuarantineRow{done, row}, 3); len(short.Readings) != 3 || short.Left != 13 {
			t.Errorf("%s: of at most three %d are shown, %d left out", name, len(short.Readings), short.Left)
		}
		var text strings.Builder
		if err := r.WriteText(&text); err != nil || !strings.Contains(text.String(), "18446744073709551615") || !strings.Contains(text.String(), "00000000  48") {
			t.Errorf("%s: %v\n%s", name, err, text.String())
		}
	}
}

func TestShowOfWhatCannotBeRead(t *testing.T) {
	payload := sealed(t, true, wire.Anchor{})
	payload[len(payload)-6] ^= 0x10
	for name, b := range map[string][]byte{"damaged": payload, "no header": []byte("HE but not quite"), "nothing": nil} {
		row := heldRow("a", 1, 10, 12, 3)
		row.Bytes = b
		if r := Show([]table.QuarantineRow{row}, 100); r.Problem == "" || len(r.Readings) != 0 || len(b) > 0 && r.Hex == "" {
			t.Errorf("%s: %+v", name, r)
		}
	}
}

// TestPlanAsksForEverySeqOnce: whatever is held, the decisions of a plan name each held seq once, and none is too large.
func TestPlanAsksForEverySeqOnce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		next := map[table.Key]uint64{}
		want := map[table.Key]*seqset.Set{}
		var rows []table.QuarantineRow
		for i := range rapid.IntRange(0, 200).Draw(t, "rows") {
			key := table.Key{Device: rapid.SampledFrom([]string{"a", "b"}).Draw(t, "device"), Epoch: record.Epoch(rapid.IntRange(1, 2).Draw(t, "epoch"))}
			from := next[key] + rapid.Uint64Range(0, 1).Draw(t, "hole")
			to := from + rapid.SampledFrom([]uint64{1, 5, 300_000}).Draw(t, "n")
			next[key] = to
			r := heldRow(key.Device, key.Epoch, from, to, uint64(i)/rapid.Uint64Range(1, 3).Draw(t, "rows of a record"))
			if rapid.IntRange(0, 4).Draw(t, "fate") == 0 {
				r.Fate = table.FateReplayed
			} else {
				if want[key] == nil {
					want[key] = new(seqset.Set)
				}
				want[key].Add(from, to)
			}
			rows = append(rows, r)
		}
		p := NewPlan(decision.Replay, "me")
		p.Add(rows, nil)
		got := map[table.Key]*seqset.Set{}
		s, err := p.Run(context.Background(), 0, func(_ context.Context, ds []decision.Quarantine) ([]decision.Outcome, error) {
			for _, d := range ds {
				key := table.Key{Device: d.Device, Epoch: d.Epoch}
				if got[key] == nil {
					got[key] = new(seqset.Set)
				}
				seqs := d.Seqs()
				if seqs.Count() > maxReadings {
					t.Fatalf("%d readings in a decision", seqs.Count())
				}
				for _, r := range seqs.Ranges() {
					if len(got[key].Within(r.From, r.To)) > 0 {
						t.Fatalf("%v is asked for twice", r)
					}
				}
				got[key].AddSet(&seqs)
			}
			return nil, nil
		}, func(int, *Summary) {})
		if err != nil || s.Records != p.Records() || s.Readings != p.Readings {
			t.Fatalf("%+v, %v; the plan has %d records of %d readings", s, err, p.Records(), p.Readings)
		}
		if diff := cmp.Diff(want, got, cmp.Comparer(func(a, b *seqset.Set) bool { return a.Equal(b) })); diff != "" {
			t.Fatalf("-held +asked:\n%s", diff)
		}
	})
}

func TestPlanOfNamesAndRowsWithoutSeqs(t *testing.T) {
	bare := heldRow("a", 0, 0, 0, 9)
	rows := []table.QuarantineRow{heldRow("a", 1, 0, 10, 3), bare}
	name, err := ParseName("a/0000000000000001/4-6")
	if err != nil {
		t.Fatal(err)
	}
	replay := NewPlan(decision.Replay, "me")
	replay.Add(rows, []Name{name})
	if replay.Records() != 1 || replay.Readings != 2 || replay.NoSeqs != 1 {
		t.Errorf("%+v", replay)
	}
	discard := NewPlan(decision.Discard, "me")
	discard.Add(rows, nil)
	ds := discard.decisions(discard.pieces)
	if len(ds) != 2 || ds[0].Record == nil || ds[0].Record.Offset != 9 || ds[1].Device != "a" {
		t.Errorf("%+v", ds)
	}
	for i := range ds {
		ds[i].ID = "x"
		if _, err := ds[i].Append(nil); err != nil {
			t.Error(err)
		}
	}
}

// TestRateIsKept asks for ten log records at three a second, and stops at the first refusal.
func TestRateIsKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := NewPlan(decision.Replay, "me")
		var rows []table.QuarantineRow
		for i := range uint64(10) {
			rows = append(rows, heldRow("a", 1, 10*i, 10*i+5, i))
		}
		p.Add(rows, nil)
		begun, asked := time.Now(), 0
		full := errors.New("full")
		s, err := p.Run(t.Context(), 3, func(_ context.Context, ds []decision.Quarantine) ([]decision.Outcome, error) {
			if asked++; asked == 4 {
				return nil, full
			}
			return []decision.Outcome{{Landed: ds[0].Flat[1], Held: map[string]uint64{"too_old": 1}}}, nil
		}, func(int, *Summary) {})
		if !errors.Is(err, full) || asked != 4 || s.Records != 9 || s.Kept() != 3 {
			t.Errorf("%+v, %v after %d questions", s, err, asked)
		}
		if took := time.Since(begun); took != 3*time.Second {
			t.Errorf("9 records took %s", took)
		}
	})
}
