package seal

import (
	"errors"
	"fmt"
	"unicode/utf8"

	"github.com/headwater-iot/headwater/shared/record"
	"github.com/headwater-iot/headwater/shared/wire"
)

// ErrRow means a row that no batch can carry: a bug of its driver.
var ErrRow = errors.New("row cannot be sealed")

// maxTime keeps arithmetic on times far from overflow: in us it is beyond the year 30,000.
const maxTime = 1 << 60

// MaxCells of one row.
const MaxCells = 1024

// Check returns ErrRow unless row can be sealed.
func Check(row *record.Row) error {
	switch {
	case len(row.Sensor) > wire.MaxName || !utf8.ValidString(row.Sensor):
		return fmt.Errorf("%w: sensor name %q", ErrRow, row.Sensor)
	case row.Unit != record.Milli && row.Unit != record.Micro:
		return fmt.Errorf("%w: sensor %s: time unit %d", ErrRow, row.Sensor, row.Unit)
	case row.Time > maxTime || row.Time < -maxTime:
		return fmt.Errorf("%w: sensor %s: time %d", ErrRow, row.Sensor, row.Time)
	case len(row.Cells) == 0 || len(row.Cells) > MaxCells:
		return fmt.Errorf("%w: sensor %s: %d cells, want 1 to %d", ErrRow, row.Sensor, len(row.Cells), MaxCells)
	}
	for i := range row.Cells {
		if err := checkCell(&row.Cells[i]); err != nil {
			return fmt.Errorf("%w: sensor %s: %w", ErrRow, row.Sensor, err)
		}
	}
	return checkTwice(row)
}

func checkCell(c *record.Cell) error {
	switch {
	case c.Series == "" || len(c.Series) > wire.MaxName || !utf8.ValidString(c.Series):
		return fmt.Errorf("series name %q", c.Series)
	case len(c.Unit) > wire.MaxName || !utf8.ValidString(c.Unit):
		return fmt.Errorf("series %s: unit %q", c.Series, c.Unit)
	case c.Kind < record.Float || c.Kind > record.Bytes:
		return fmt.Errorf("series %s: kind %d", c.Series, c.Kind)
	case c.Quality&^record.DeviceBits != 0:
		return fmt.Errorf("series %s: quality %#x has bits a device may not set", c.Series, c.Quality)
	case c.Kind == record.Text && !utf8.ValidString(c.Text):
		return fmt.Errorf("series %s: text is not UTF-8", c.Series)
	}
	return nil
}

// checkTwice refuses a series that is in the row twice: the column would have two cells for one row.
func checkTwice(row *record.Row) error {
	const few = 16 // up to here comparing all pairs is cheaper than a map
	if len(row.Cells) > few {
		seen := make(map[string]bool, len(row.Cells))
		for i := range row.Cells {
			if s := row.Cells[i].Series; seen[s] {
				return fmt.Errorf("%w: sensor %s: series %s twice", ErrRow, row.Sensor, s)
			}
			seen[row.Cells[i].Series] = true
		}
		return nil
	}
	for i := range row.Cells {
		for j := range i {
			if row.Cells[i].Series == row.Cells[j].Series {
				return fmt.Errorf("%w: sensor %s: series %s twice", ErrRow, row.Sensor, row.Cells[i].Series)
			}
		}
	}
	return nil
}
