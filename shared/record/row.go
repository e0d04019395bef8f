package record

// Row is what one sensor said at one instant: the unit of acceptance.
type Row struct {
	Sensor   string   // names the group of columns the row joins
	Absolute bool     // Time is a wall time, not monotonic time of this boot
	Unit     TimeUnit // resolution of Time
	Time     int64    // Unit ticks
	Cells    []Cell   // scheduled series, in the order the driver announced them
}

// Cell is one reading of a Row.
type Cell struct {
	Series  string
	Unit    string // SenML unit, "" = none
	Kind    ValueKind
	Null    bool // scheduled, but failed or without a value
	Quality Quality

	Float float64 // Kind Float
	Int   int64   // Kind Int; Bool as 0 or 1
	Uint  uint64  // Kind Uint
	Text  string  // Kind Text; Bytes as a string of bytes
}

// FloatCell returns a reading of a number.
func FloatCell(series, unit string, v float64) Cell {
	return Cell{Series: series, Unit: unit, Kind: Float, Float: v}
}

// IntCell returns a reading of an integer, exact over all of int64.
func IntCell(series, unit string, v int64) Cell {
	return Cell{Series: series, Unit: unit, Kind: Int, Int: v}
}

// FailedCell returns the reading of a scheduled sample that failed.
func FailedCell(series, unit string, kind ValueKind) Cell {
	return Cell{Series: series, Unit: unit, Kind: kind, Null: true, Quality: ReadError}
}
