package seal

import (
	"fmt"
	"unicode/utf8"

	"github.com/headwater-iot/headwater/shared/record"
	"github.com/headwater-iot/headwater/shared/wire"
)

// maxTime keeps arithmetic on times far from overflow: in us it is beyond the year 30,000.
const maxTime = 1 << 60

// Check returns record.ErrRow, with what is wrong, unless row can be sealed.
func Check(row *record.Row) error {
	switch {
	case len(row.Sensor) > wire.MaxName || !utf8.ValidString(row.Sensor):
		return fmt.Errorf("%w: sensor name %q", record.ErrRow, row.Sensor)
	case row.Time > maxTime || row.Time < -maxTime:
		return fmt.Errorf("%w: sensor %q: time %d", record.ErrRow, row.Sensor, row.Time)
	}
	if err := row.Check(); err != nil {
		return err
	}
	return checkTwice(row)
}

// checkTwice refuses a series that is in the row twice: the column would have two cells for one row.
func checkTwice(row *record.Row) error {
	const few = 16 // up to here comparing all pairs is cheaper than a map
	if len(row.Cells) > few {
		seen := make(map[string]bool, len(row.Cells))
		for i := range row.Cells {
			if s := row.Cells[i].Series; seen[s] {
				return fmt.Errorf("%w: sensor %q: series %q twice", record.ErrRow, row.Sensor, s)
			}
			seen[row.Cells[i].Series] = true
		}
		return nil
	}
	for i := range row.Cells {
		for j := range i {
			if row.Cells[i].Series == row.Cells[j].Series {
				return fmt.Errorf("%w: sensor %q: series %q twice", record.ErrRow, row.Sensor, row.Cells[i].Series)
			}
		}
	}
	return nil
}
