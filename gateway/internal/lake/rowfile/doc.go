// Package rowfile turns rows into Parquet data files and back.
//
//	I1  what is written is read back bit for bit, NaN payloads and integers beyond 2^53 included;
//	I2  a data file that is returned is durable, and its name was never used before;
//	I3  memory is bounded by a row group of readings (RowGroupRows), whatever the size of the commit.
//
// Readings come as runs, one (device, series) each, and are not sorted again: whole runs are ordered by (day, device,
// series, first time) and concatenated. What is constant over a run (eleven of eighteen columns, mostly) costs one
// dictionary look-up per run and one integer fill; times and seqs are delta-packed. TestReadingsRoundTrip and
// TestReadingsModel show I1, BenchmarkReadings measures against pqarrow on the same rows.
//
// What can be lost: nothing here; a file of a failed attempt is an orphan that nothing names.
//
// Functions here hold no state and may be called from any goroutine.
package rowfile
