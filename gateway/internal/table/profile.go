package table

import "github.com/headwater-iot/headwater/shared/record"

// Profiles is the name of the table of profiles.
const Profiles = "profile"

// Profile is one row of it: one series on one UTC day. A figure that does not exist is NaN, and null in the table.
type Profile struct {
	Device, Series string
	Day            int32  // days since 1970
	Unit, Contract string // "" = several, or none

	Count, Nulls, Flagged, Numbers int64
	Min, Max, Mean, StdDev         float64
	P05, P50, P95                  float64
	Distinct                       int64
	Drift                          float64

	Snapshot, Sequence int64 // of readings, that the figures are of
	Updated            int64 // us wall
}

// Sample is what a profile looks at of one reading. Its texts are views: they hold until the call that brought them
// returns.
type Sample struct {
	Device, Series, Unit, Contract string
	Quality                        record.Quality

	Null    bool
	Number  float64 // NaN for what is no number
	Content string  // what tells values apart where Number does not: text, bytes, or an integer that is not exact as a double
	Exact   bool    // Number says all
}
