// Package segment keeps sealed batches on flash, in many small bbolt files, and a few facts about them
// in a tiny one. It is the agent's only importer of bbolt.
//
// It promises:
//
//	I1  A batch whose Write returned is found by the next Open after a kill or a power cut, as long as
//	    fsync is honoured.                            TestPowerCut (package outbox, build tag chaos)
//	I2  No damage of any file keeps Open from returning, or ends the process: what is unreadable is set
//	    aside in damaged/, what is readable stays.    TestDamagedFiles
//	    What cannot be opened for want of descriptors or memory is not called damaged: ErrScarce.
//	                                                  TestScarceIsNotDamaged
//	I3  No batch leaves that is not the one that was written: the CRC of the sealed part is checked at
//	    every read.                                   TestFlippedByteIsFound
//
// It loses: what a dying flash chip loses. Batches in a damaged file are reported, not repaired.
//
// Why bbolt and why so: a leaf may hold four keys before it splits, whatever they weigh, so values are cut
// into chunks of which four fill a page; deleting inside a file never gives space back and grows its
// freelist, so files are small and go whole; a freelist on disk is written with every transaction, so there
// is none, and a file of an earlier process is only ever opened for reading (rebuilding the freelist of a
// damaged file panics in a goroutine that nobody can guard).
//
// # Files
//
//	<epoch>-<first seq>.seg  bucket "b": seq (8, big-endian), chunk (1) -> at most 990 bytes of
//	                         uv length, zz end of device times in ms, sealed part;
//	                         bucket "i": "info" -> bytes of the owner, CRC-32C
//	meta.db                  bucket "m": key -> bytes of the owner, CRC-32C
//	damaged/                 what was set aside; the youngest few are kept for a look
//
// Concurrency: none; the owner's lock covers it.
package segment
