package land_test

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"github.com/headwater-iot/headwater/gateway/internal/decision"
	"github.com/headwater-iot/headwater/gateway/internal/land"
	"github.com/headwater-iot/headwater/gateway/internal/land/landtest"
	"github.com/headwater-iot/headwater/gateway/internal/table"
	"github.com/headwater-iot/headwater/shared/record"
)

// TestFragmentsAreCounted lands batches of which every other reading breaks its contract: each leaves a row, and the
// memory of the group counts it, so that a group of such batches ends in time. Closed in the order of their fates
// instead of their seqs, a batch of a million readings would take minutes.
func TestFragmentsAreCounted(t *testing.T) {
	for _, action := range []string{"quarantine", "drop_with_gap"} {
		r := newRiver(t, land.Settings{})
		r.decide(decision.Apply, "1.0.0", contractOf("1.0.0", "logicalType: number", "logicalTypeOptions: {minimum: 0}",
			"customProperties: [{property: onViolation, value: "+action+"}]"))
		const n = 1 << 18
		v := make([]float64, n)
		for i := range v {
			v[i] = float64(1 - i%2*2)
		}
		r.values(0, 0, 1, v...)
		g := r.group(t)
		rows := 0
		c := g.Commit(now)
		if n := len(c.Readings); n != 1 {
			t.Errorf("%s: %d runs", action, n)
		}
		for i := range c.Readings {
			rows += len(c.Readings[i].Seq)
		}
		if left := len(c.Quarantine) + len(c.Gaps); rows != n/2 || left != n/2 {
			t.Errorf("%s: %d readings and %d other rows", action, rows, left)
		}
		if k := c.Cursors[0]; k.Landed != n/2 || k.Quarantined+k.GapSeqs != n/2 || !k.Closed.HasAll(0, n) {
			t.Errorf("%s: cursor %d landed, %d quarantined, %d gaps", action, k.Landed, k.Quarantined, k.GapSeqs)
		}
		if least := int64(n/2*200 + n/2*32); g.Bytes() < least {
			t.Errorf("%s: %d bytes, want at least %d", action, g.Bytes(), least)
		}
	}
}

// group takes all records of the log into one group.
func (r *river) group(t *testing.T) *land.Group {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	records, _ := r.log.ReadFrom(table.Marks{})
	opened, done := make(chan *land.Opened), make(chan struct{})
	go func() {
		defer close(done)
		_ = r.lander.Open(ctx, records, opened) // ends with ctx
	}()
	defer func() { stop(); <-done }()
	marks, _, _ := r.lake.Marks(ctx)
	g := r.lander.Begin(marks)
	for range r.log.Entries() {
		if took, err := g.Add(ctx, <-opened); err != nil || !took {
			t.Fatal(took, err)
		}
	}
	return g
}

// TestPiecesStayWhole lands a column with absent cells, nulls and quality of which some readings are dropped: those that
// land have their own times, values and bits, and no other's.
func TestPiecesStayWhole(t *testing.T) {
	r := newRiver(t, land.Settings{})
	r.decide(decision.Apply, "1.0.0", contractOf("1.0.0", "logicalType: number", "logicalTypeOptions: {minimum: 0}",
		"customProperties: [{property: unit, value: m}, {property: actions, value: {range: drop_with_gap, null: flag}}]", "required: true"))
	g := record.Group{Unit: record.Milli, Times: []int64{0, 1000, 2000, 3000, 4000, 5000, 6000}}
	g.Columns = []record.Column{{
		Series: "v", Unit: "km", Kind: record.Float, Rows: []uint32{0, 2, 3, 4, 6},
		Null: []bool{false, false, true, false, false}, Qual: []record.Quality{0, 0, record.ReadError, 0, record.Suspect},
		Floats: []float64{1, -1, 0, -2, 5},
	}, {Series: "w", Kind: record.Float, Floats: make([]float64, 7)}}
	r.batch(landtest.Body(t, synced(), header(1, 0, 0), &record.Body{Groups: []record.Group{g}}))
	r.land()
	var got []string
	for _, run := range r.lake.Tables().Readings {
		if run.Series != "v" {
			continue
		}
		for i, seq := range run.Seq {
			got = append(got, fmt.Sprintf("%d: %d s, %v %s, null %v, quality %d", seq, (run.EventTime[i]-boot0)/second, run.Floats[i], run.Unit, run.Null[i], run.Quality[i]))
		}
	}
	want := []string{
		"0: 0 s, 1000 m, null false, quality 0",
		fmt.Sprintf("2: 3 s, 0 m, null true, quality %d", record.ReadError|record.ContractNull),
		fmt.Sprintf("4: 6 s, 5000 m, null false, quality %d", record.Suspect),
	}
	if !slices.Equal(got, want) {
		t.Errorf("landed %q, want %q", got, want)
	}
}
