package sampler

import (
	"math"

	"github.com/headwater-iot/headwater/shared/record"
)

// cells brings what a driver returned into the order and under the names that
// were announced. What comes twice is taken once. What is missing or unusable becomes a null cell.
func (l *line) cells(got []record.Cell) []record.Cell {
	out := append([]record.Cell(nil), l.failed...)
	filled := make([]bool, len(out))
	for _, cell := range got {
		i, ok := l.index[cell.Series]
		if !ok || filled[i] {
			l.s.m.unannounced.Inc()
			continue
		}
		filled[i] = true
		if cell.Kind != out[i].Kind {
			l.errs[reasonKind].Inc()
			continue
		}
		cell.Series, cell.Unit = out[i].Series, out[i].Unit
		switch {
		case cell.Null:
			if cell.Quality&record.ReadError != 0 {
				l.errs[reasonPartial].Inc()
			}
		case cell.Kind == record.Float && (math.IsNaN(cell.Float) || math.IsInf(cell.Float, 0)):
			l.errs[reasonNotFinite].Inc()
			cell = record.FailedCell(cell.Series, cell.Unit, cell.Kind)
			cell.Quality |= record.Suspect
		}
		cell.Quality &= record.DeviceBits
		out[i] = cell
	}
	for _, ok := range filled {
		if !ok {
			l.errs[reasonPartial].Inc()
		}
	}
	return out
}
