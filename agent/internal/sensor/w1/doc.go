// Package w1 reads the thermometers that the Linux kernel's 1-wire driver finds:
// DS18B20, DS18S20, DS1822, DS1825, DS28EA00.
//
//	w1: {id: 28-0316a2794fff}                            # series temperature
//	w1: {ids: {28-0316a2794fff: inlet, 28-01...: outlet}}
//	w1: {}                                               # all that are there at the start: temperature_28_0316a2794fff ...
//
// Of a chip the file w1_slave is read, which shows the scratchpad and whether its
// CRC is right; where a kernel has only temperature, that. What looks like a
// temperature and is none:
//
//	scratchpad                 kernel says    here
//	CRC wrong                  NO             null
//	all zeros                  YES, 0.000     null: a bus that is shorted, whose CRC happens to be right
//	50 05 .. .. .. .. 0c       YES, 85.000    null: the chip had no power when it was to convert
//	the same, byte 6 not 0c    YES, 85.000    the value; suspect unless byte 6 is 10, as of a real 85.000
//	a DS18S20 of 85.000        YES, 85.000    the value, suspect: its real 85.000 looks like this
//	outside -55..125           YES            null
//
// (TestGolden, TestTemperatureFile). A conversion takes 0.75 s, one chip after
// the other: the timeout is a second for each unless the configuration has one. A chip
// that is gone costs its own reading and no other; where none is there at the start and
// none is named, nothing can be announced, and each opening says what to do
// (TestChipThatComesAndGoes).
//
// Nothing is kept, so nothing can be lost here.
package w1
