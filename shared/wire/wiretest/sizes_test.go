package wiretest

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/headwater-iot/headwater/shared/record"
)

// TestFloorIsBelowTheOthers: and it is not below what the noise itself is worth.
func TestFloorIsBelowTheOthers(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	const rows, levels = 1000, 64
	g := record.Group{Unit: record.Milli}
	c := record.Column{Series: "n", Kind: record.Float}
	for i := range rows {
		g.Times = append(g.Times, int64(1000*i))
		c.Floats = append(c.Floats, float64(r.IntN(levels))/10)
	}
	g.Columns = []record.Column{c}
	body := &record.Body{Groups: []record.Group{g}}
	floor := FloorBits(body)
	if least := rows * math.Log2(levels); floor < least || floor > 1.15*least {
		t.Errorf("%.0f bits for readings that are worth %.0f", floor, least)
	}
	s := NewSizes(t)
	s.Add(t, body, 0, 0)
	if s.floor >= min(s.json, s.jsonZstd, s.senml) {
		t.Errorf("%+v", s)
	}
}
