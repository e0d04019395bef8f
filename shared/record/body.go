package record

// ValueKind says which slice of a Column holds its values.
type ValueKind uint8

// The kinds of value a column can hold.
const (
	Float ValueKind = 1 + iota // float64
	Int                        // int64
	Uint                       // uint64, for counters beyond 2^63-1
	Text                       // UTF-8 string
	Bool
	Bytes
)

// TimeUnit is the resolution of the device times of a group.
type TimeUnit uint8

// The units, named by their power of ten.
const (
	Milli TimeUnit = 3
	Micro TimeUnit = 6
)

// Body is what a batch of readings says: groups of columns that were sampled together.
// Seqs number its present cells group by group, column by column, rows in order.
type Body struct {
	Groups []Group
}

// Group is a table of rows that share sampling instants.
type Group struct {
	Unit    TimeUnit
	Times   []int64 // one per row, Unit ticks, on the clock of the batch (monotonic or absolute)
	Columns []Column
}

// Column is one series within a group.
//
// A cell is present (it was scheduled) or absent; a present cell has a value or is null.
// Slices are indexed by present cell, so len(values) == Cells; a null cell has a zero value there.
type Column struct {
	Series string
	Unit   string // SenML unit, "" = none
	Kind   ValueKind
	Rows   []uint32  // row of each present cell, ascending; nil = every row of the group
	Null   []bool    // per present cell; nil = none is null
	Qual   []Quality // per present cell, device bits only; nil = all good

	Floats []float64
	Ints   []int64
	Uints  []uint64
	Texts  []string
	Bools  []bool
	Blobs  [][]byte
}

// Cells returns the number of present cells of a column in a group of the given number of rows.
func (c *Column) Cells(rows int) int {
	if c.Rows != nil {
		return len(c.Rows)
	}
	return rows
}

// Readings returns the number of present cells of the body: the seqs it takes.
func (b *Body) Readings() int {
	n := 0
	for i := range b.Groups {
		g := &b.Groups[i]
		for j := range g.Columns {
			n += g.Columns[j].Cells(len(g.Times))
		}
	}
	return n
}
