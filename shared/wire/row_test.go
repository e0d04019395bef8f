package wire

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math"
	"testing"

	"github.com/headwater-iot/headwater/shared/record"
)

// bodyOf seals a row the way an outbox does: one group, one column a cell.
func bodyOf(r *record.Row) *record.Body {
	g := record.Group{Unit: r.Unit, Times: []int64{r.Time}}
	for _, x := range r.Cells {
		c := record.Column{Series: x.Series, Unit: x.Unit, Kind: x.Kind, Qual: []record.Quality{x.Quality}, Null: []bool{x.Null}}
		switch x.Kind {
		case record.Float:
			c.Floats = []float64{x.Float}
		case record.Int:
			c.Ints = []int64{x.Int}
		case record.Uint:
			c.Uints = []uint64{x.Uint}
		case record.Bool:
			c.Bools = []bool{x.Int != 0}
		case record.Text:
			c.Texts = []string{x.Text}
		case record.Bytes:
			c.Blobs = [][]byte{[]byte(x.Text)}
		}
		g.Columns = append(g.Columns, c)
	}
	return &record.Body{Groups: []record.Group{g}}
}

// noise is text that does not compress.
func noise(n, salt int) string {
	var b []byte
	for i := 0; len(b) < n; i++ {
		sum := sha256.Sum256(binary.AppendVarint(nil, int64(salt<<20+i)))
		b = fmt.Appendf(b, "%x", sum)
	}
	return string(b[:n])
}

// TestWhatCheckPassesCanBeSealed tries the largest rows of each shape that Check lets through: an accepted row that
// fits no batch would block its outbox for ever.
func TestWhatCheckPassesCanBeSealed(t *testing.T) {
	e, _ := newCodec(t)
	for name, cell := range map[string]func(i int) record.Cell{
		"texts": func(i int) record.Cell {
			return record.Cell{Series: noise(8, i), Kind: record.Text, Text: noise(9000, -i)}
		},
		"names": func(i int) record.Cell {
			return record.Cell{Series: noise(255, i), Unit: noise(255, -i), Kind: record.Bool}
		},
		"numbers": func(i int) record.Cell {
			return record.FloatCell(noise(10, i), "", math.Float64frombits(uint64(i)*0x9e3779b97f4a7c15))
		},
		"integers": func(i int) record.Cell {
			c := record.IntCell(noise(10, i), "", math.MinInt64+int64(i))
			c.Quality = record.Suspect
			return c
		},
		"bytes": func(i int) record.Cell {
			return record.Cell{Series: noise(3, i), Kind: record.Bytes, Text: "\xff" + noise(60, -i)}
		},
	} {
		row := &record.Row{Sensor: "s", Unit: record.Micro, Time: math.MinInt64}
		for i := 1; row.Check() == nil || i == 1; i++ {
			row.Cells = append(row.Cells, cell(i))
		}
		row.Cells = row.Cells[:len(row.Cells)-1]
		if err := row.Check(); err != nil || len(row.Cells) < 20 {
			t.Fatalf("%s: %d cells: %v", name, len(row.Cells), err)
		}
		h := header()
		h.Device = noise(record.MaxDevice, 0)
		if _, err := e.AppendReadings(nil, h, bodyOf(row)); err != nil {
			t.Errorf("%s: %d cells: %v", name, len(row.Cells), err)
		}
	}
}
