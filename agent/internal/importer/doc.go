// Package importer lands the readings of CSV files exactly once. The file is its own outbox: what the gateway has not
// got is read from it again, so nothing is kept beside it, and a run on another host goes on where the last one ended.
//
// It promises:
//
//	I1  The same file, read to the same rows, has the same epoch, and in it every reading the same seq, on every
//	    host and in every run.                               TestSameFileSameBatches, TestNumberingIsPinned
//	I2  Done means that every reading and the end of the epoch have landed, by an ack that names this connection.
//	                                                         TestDoneMeansLanded
//	I3  What the gateway has is not sent again; what a new log lost is, and what a new lake lost.
//	                                                         TestSecondRunSendsNothing, TestNewLogVoidsStored
//	I4  A file that changes while it is read ends the import before its `end`: no batch is made of other bytes than
//	    those that named the epoch.                          TestChangedFileStops
//	I5  Memory is bounded: about 60 bytes for each 3,000 rows or so, and one batch.
//
// The epoch is the first 8 bytes, big-endian, of
//
//	SHA-256("headwater import 1" 0 device 0 SHA-256(file) SHA-256(rows))
//
// where rows are what was read by the options: names, units, times and values. It is the mapping as it took effect
// rather than as it was spelled: naming a time format that would have been found, or a zone that no time needs, does
// not land a file twice. 1 is the version of the numbering: it rises with any change to how rows are cut into batches,
// or how package seal numbers them.
//
// A file of which a byte has changed is another file, whose readings are all new: one that grows, of a logger, must be
// imported by its new rows alone.                           TestAnotherByteIsAnotherFile
//
// Rows are cut in file order into batches of as many as fit 200 KiB if nothing compressed, at most 16,384, and fewer
// only where 1 MiB of the file is full before. A bad row takes no seq, nor does an empty cell.
//
// To the gateway an import is an epoch of its own that has ended and is wholly held: an unfinished one shows in the ledger as pending.
//
// The lake keeps a file for each day and commit. A batch of rows in the order of time touches few days, so a day ends up
// in one file or two; batches of rows in no order touch hundreds, and the gateway gathers those of a year. A file of
// years in no order is told by Plan.Scattered before anything is sent.      TestScatteredYearsAreSeen
//
// To land is to be in a committed transaction, as a reading or in quarantine: an ack does not tell which, so a file of which
// the gateway put rows into quarantine is imported. The table quarantine has them, with epoch and seqs.
//
// Files lands several files and says how each was understood, in words and as Outcomes.  TestFilesAreUnderstoodFirst
//
// What can be lost: nothing that the file still holds. A bad row does not land; it is named and counted.
package importer
