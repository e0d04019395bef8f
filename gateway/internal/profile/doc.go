// Package profile sums up each series and UTC day in one row: how many readings, which values, how far from last week.
//
// Promises:
//
//	I1  a row is a function of the readings of its day and of the row of 7 days before: any order and any split of
//	    the readings gives the same one (TestAnyOrderAnySplit);
//	I2  there is one row per (device, series, day) at any time: the rows of a day are replaced together, in one
//	    transaction of their own (TestKilledJobLeavesOneRowPerKey in scripts/e2e);
//	I3  readings that came late are in the row of their day when the job has next been through, and so is the drift of
//	    the day 7 days later (TestLateReadings);
//	I4  the job gates nothing, and takes at most a part of one core and the memory of seriesAtOnce series.
//
// The job keeps no state but the table: from_sequence of a row says up to where its day is known, so after a restart
// it goes on with the days that were touched since. A day is always read again from the start, never added to.
//
// Lost can be nothing: a profile can always be made again, as long as the readings are there. Rows outlive the
// readings that they were made from, until these are touched.
package profile
