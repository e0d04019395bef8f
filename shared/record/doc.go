// Package record holds the words of Headwater as plain values: device, epoch,
// boot, seq, reading, quality. It imports nothing of ours and does no I/O.
//
// A reading is one value of one series and is named for ever by the triple
// (device, epoch, seq). Everything that deduplicates, acknowledges or counts
// does so by that triple.
//
//	I1  A device name that passes CheckDevice may stand in a topic, a file name and a table as it is.
//	    TestDeviceNames.
//	I2  An id has one spelling: 16 lower-case hex digits. TestIDsHaveOneSpelling.
//	I3  A Row that passes Check can be sealed: a sampler that checks before it accepts never accepts what
//	    the outbox cannot carry. TestWhatCheckPassesCanBeSealed in shared/wire.
//	I4  The partition of a device never changes for a number of partitions; the vectors of
//	    TestPartitionsAreSettled hold it.
//
// Values are not safe for concurrent change. Nothing can be lost here: a value
// is either accepted as it is or refused with an error that says why.
package record
