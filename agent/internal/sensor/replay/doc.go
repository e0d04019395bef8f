// Package replay gives the rows of CSV files as a sensor would, once, and ends.
//
// The first line of a file is its header. One column holds the time, all others
// (or those that are listed) are series. Times keep the zone they carry; a time
// without one is in the zone of the settings. Understood are
//
//	2006-01-02 15:04:05   2006-01-02T15:04:05   with or without a fraction
//	2006-01-02T15:04:05Z  2006-01-02T15:04:05+02:00
//	1136214245            1136214245.25          seconds since 1970, below 10^11
//	1136214245000                                milliseconds since 1970
//
// A row whose time has a fraction of a millisecond is given in microseconds.
// Rows keep their original times, or all are moved by one whole number of
// milliseconds such that the latest row is now; how far is said in the log.
//
// Promises:
//   - Every row that can be read is emitted exactly once, in the order of the
//     file, duplicates in time included, values to the bit of strconv.ParseFloat;
//     a row that is refused is offered again until it is taken.
//     (TestRealSeriesAreGivenBitForBit, TestRefusedRowIsOfferedAgain)
//   - A row that cannot be read is counted by its reason and named by file and
//     line, at most 20 of them one by one. (TestBadRowsAreCountedAndNamed)
//
// An empty field is absent: nobody says that it was due. NaN and infinity are
// null with quality read_error and suspect, as for every sensor.
//
// What can be lost: a process that starts again starts with the first row again,
// under a new epoch; rows then land twice. Replay is for demonstrations, tests
// and measurements; an import that must land once has its own epoch.
package replay
