package sampler

import (
	"math"

	"github.com/headwater-iot/headwater/shared/record"
)

// cells brings what a driver returned into the order and under the names that
// were announced, read at a time in us. What comes twice is taken once. What is missing or unusable becomes a null cell.
func (l *line) cells(got []record.Cell, at int64) []record.Cell {
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
	l.markStuck(out, at)
	return out
}

// motion is when a series last changed.
type motion struct {
	value record.Cell // with good quality
	since int64       // us since boot
}

// markStuck marks values that have not moved for longer than the sensor allows.
// Null cells say nothing about motion.
func (l *line) markStuck(cells []record.Cell, at int64) {
	limit := l.sensor.Stuck.Microseconds()
	if limit <= 0 {
		return
	}
	detail := ""
	for i := range cells {
		c, m := &cells[i], &l.moved[i]
		if c.Null {
			continue
		}
		value := *c
		value.Quality = 0
		if value != m.value {
			*m = motion{value, at}
		}
		if at-m.since >= limit {
			c.Quality |= record.Stuck
			l.stuck.Inc()
			detail = c.Series + " has not moved for " + l.sensor.Stuck.String() + " or longer"
		}
	}
	if detail == "" {
		l.s.config.Health.Clear(l.standing)
		return
	}
	l.s.config.Health.Raise(l.standing, detail)
}
