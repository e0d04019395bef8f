package land

import (
	"github.com/headwater-iot/headwater/gateway/internal/contract"
	"github.com/headwater-iot/headwater/gateway/internal/table"
	"github.com/headwater-iot/headwater/shared/record"
)

// longRun is how many cells are worth a run of their own beside others of their column: a run takes as much as so many.
const longRun = 32

// pieces are the short stretches of a column that land between others that do not. They become one run: a batch of which
// every other reading breaks a rule would be half a million otherwise, and take more memory than there is.
type pieces struct {
	cells []int
	seqs  []uint64
}

func (p *pieces) add(from, to int, seq uint64) {
	for cell := from; cell < to; cell++ {
		p.cells, p.seqs = append(p.cells, cell), append(p.seqs, seq+uint64(cell-from))
	}
}

// gather appends the pieces of a column as a run.
func (g *Group) gather(frame *table.Run, line *timeline, col *record.Column, verdict *contract.Verdict, p *pieces) {
	if len(p.cells) == 0 {
		return
	}
	of := contract.Verdict{Column: col}
	if verdict != nil {
		of = *verdict
	}
	rows := make([]int, len(p.cells))
	for i, cell := range p.cells {
		rows[i] = rowOf(col, cell)
	}
	c := *of.Column
	c.Rows, c.Null, c.Qual = nil, pick(c.Null, p.cells), pick(c.Qual, p.cells)
	c.Floats, c.Ints, c.Uints = pick(c.Floats, p.cells), pick(c.Ints, p.cells), pick(c.Uints, p.cells)
	c.Texts, c.Bools, c.Blobs = pick(c.Texts, p.cells), pick(c.Bools, p.cells), pick(c.Blobs, p.cells)
	times := timeline{event: pick(line.event, rows), late: pick(line.late, rows)}
	g.run(frame, &times, col, &contract.Verdict{Column: &c, Quality: pick(of.Quality, p.cells)}, 0, len(p.cells), p.seqs)
}

// pick returns elements of a slice that may be absent.
func pick[T any](s []T, at []int) []T {
	if len(s) == 0 {
		return nil
	}
	out := make([]T, len(at))
	for i, k := range at {
		out[i] = s[k]
	}
	return out
}
