package seal

import "github.com/headwater-iot/headwater/shared/record"

type groupKey struct {
	sensor string
	unit   record.TimeUnit
}

type columnKey struct {
	group        int
	series, unit string
	kind         record.ValueKind
}

// columns builds the body of rows: a group per sensor and time unit, a column per series.
func columns(rows []Row) record.Body {
	var b record.Body
	groups := make(map[groupKey]int)
	cols := make(map[columnKey]int)
	for i := range rows {
		row := &rows[i].Row
		gk := groupKey{row.Sensor, row.Unit}
		g, ok := groups[gk]
		if !ok {
			g = len(b.Groups)
			groups[gk] = g
			b.Groups = append(b.Groups, record.Group{Unit: row.Unit})
		}
		group := &b.Groups[g]
		at := uint32(len(group.Times))
		group.Times = append(group.Times, row.Time)
		for j := range row.Cells {
			cell := &row.Cells[j]
			ck := columnKey{g, cell.Series, cell.Unit, cell.Kind}
			c, ok := cols[ck]
			if !ok {
				c = len(group.Columns)
				cols[ck] = c
				group.Columns = append(group.Columns, record.Column{Series: cell.Series, Unit: cell.Unit, Kind: cell.Kind})
			}
			add(&group.Columns[c], at, cell)
		}
	}
	for i := range b.Groups {
		tidy(&b.Groups[i])
	}
	return b
}

// add appends a cell. A null has a zero value.
func add(c *record.Column, row uint32, cell *record.Cell) {
	c.Rows = append(c.Rows, row)
	c.Null = append(c.Null, cell.Null)
	c.Qual = append(c.Qual, cell.Quality)
	v := cell
	if cell.Null {
		v = &record.Cell{}
	}
	switch c.Kind {
	case record.Float:
		c.Floats = append(c.Floats, v.Float)
	case record.Int:
		c.Ints = append(c.Ints, v.Int)
	case record.Uint:
		c.Uints = append(c.Uints, v.Uint)
	case record.Text:
		c.Texts = append(c.Texts, v.Text)
	case record.Bool:
		c.Bools = append(c.Bools, v.Int != 0)
	case record.Bytes:
		c.Blobs = append(c.Blobs, []byte(v.Text))
	}
}

// tidy drops what says nothing: rows when all are there, nulls and qualities when there are none.
func tidy(g *record.Group) {
	for i := range g.Columns {
		c := &g.Columns[i]
		if len(c.Rows) == len(g.Times) {
			c.Rows = nil
		}
		null, qual := false, record.Quality(0)
		for j := range c.Null {
			null = null || c.Null[j]
			qual |= c.Qual[j]
		}
		if !null {
			c.Null = nil
		}
		if qual == 0 {
			c.Qual = nil
		}
	}
}
