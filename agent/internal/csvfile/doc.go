// Package csvfile reads rows of readings from a CSV file: the same rows, in the same order, whenever and wherever the
// same bytes are read with the same options.
//
// It promises:
//
//	I1  What a file says is found out from its first thousand rows, and where two readings of it are possible nobody
//	    guesses: the error says which option decides.           TestDetects, TestRefusesToGuess
//	I2  A row that cannot be read is given as such, with its line and reason, and costs no other row.
//	                                                            TestBadRowsCostNoOther, FuzzRows
//	I3  Rows read from any Position on are those read from the start.         TestRowsFromAnyPosition, FuzzRows
//	I4  Memory is bounded whatever the file holds: a record has at most 256 KiB. TestQuoteThatDoesNotEnd
//
// # What is understood
//
// The first line is a header of names. A line that holds nothing but delimiters is blank, and no row. Fields are cut by comma, semicolon, tab or bar; quotes are those of RFC 4180,
// and one that is not closed within 64 lines costs its line. UTF-8, with or without its mark; LF or CRLF.
//
// A column is of numbers, of true and false, or of text: what at least half of its cells in the first thousand rows
// are, in this order; what has a letter x or an underscore is no number. A cell that is not what its column is makes the row a bad one. An empty cell is no reading, nor is NA, N/A,
// null or none among numbers: nobody says that it was due. NaN and infinity are null, with quality read_error and
// suspect, as for every sensor. An integer beyond 2^53 is kept as an integer: a float could not hold it.
//
// A decimal comma is understood where the delimiter is another character, if the values allow one meaning only: 1,234
// in all of them could be either.
//
// Times are counts since 1970 (s, ms, us or ns: between 1980 and 2100 the size tells which, and a count of another size than
// most makes a bad row unless the format is named), dates with the year
// first, or dates with day or month first where a day beyond 12 tells which. What is finer than a microsecond is cut
// off, downwards. A time without a zone needs one. A local time that the clocks skipped makes a bad row. One that came
// twice is taken such that the rows stay in order, upwards or downwards as those before it; where rows come hourly or
// more rarely, and no two have had one time, the second of two equal ones is the later. Where that does not tell it is the
// first of the two. (TestClocksThatChange)
//
// What can be lost: a bad row, which is the caller's to name and count.
package csvfile
