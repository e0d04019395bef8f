// Package log is the gateway's durable queue: one chain of segment files for
// all partitions, written by one goroutine that syncs once for all who wait.
// The bytes are FORMAT.md, section 5.
//
// Promises:
//
//	I1  Append returns nil only after the record is fsynced: that is what "stored" means.
//	I2  Offsets of a partition are dense from 0; received times never fall, restarts included.
//	I3  A reader sees exactly the records whose Append returned nil, and perhaps the
//	    last group of a process that died before it could say so; in chain order.
//	I4  After a failed fsync nothing more is appended by this process (what the kernel
//	    dropped cannot be asked for again), and the group in doubt is cut off, so that the
//	    next start does not read it from the page cache (TestFailedSyncLeavesNothingInDoubt).
//	    Watch returns, so that the process can end and be started again (TestWatchEndsWithTheLog).
//	I5  Trim never removes a record at or above a partition's landed mark, nor the last
//	    note of the start counter (TestTrimKeepsTheStartCounter).
//	I6  A full disk, or the reserve, refuses appends and is not the end: nothing of a
//	    refused group stays, and the log goes on when there is room (TestFullDiskIsNotTheEnd).
//	    Health says which directory and how many bytes to free (TestFullNamesTheRoom).
//	I7  One process has a log open at a time (TestSecondOpenIsRefused).
//	I8  A clock that cannot be right is said as a health condition, and stamps all the same: it was never set, or is
//	    behind what the log has, which then holds received times (TestWatchTellsOfAWrongClock).
//	I9  One device has a share of the log until it lands, of the disk and of what the others may have to wait for
//	    (MaxShare); beyond it Append refuses that device alone (TestShareOfOneDevice, TestSharesAgainstModel).
//	I10 AppendAll is one write and one fsync, in the order of the partitions: all have the record or, after an error, none;
//	    after a crash, some of the first (TestAppendAllIsOneGroup, TestAppendAllFailsWhole).
//
// What can be lost: nothing that Append returned nil for, as long as fsync is
// honoured. A torn tail of the last segment is cut and logged; damage elsewhere
// stops the start with the file and offset, because skipping would lose records.
//
// Proofs: TestLogAgainstModel, TestTornTailAtEveryByte, TestEveryBitFlip,
// TestEveryStepFails, TestReaderKeepsWhatIsTrimmedUnderIt, FuzzRecord,
// FuzzSegmentHeader; kill -9: TestKilledWriter, and as its control
// TestKilledWriterSeesLoss, which speaks too early; power cuts: TestChaosPowerCut,
// and as its control TestChaosPowerCutSeesLoss, which does not sync (make chaos).
//
// Append, Reader, Trim, Watch and Stats may be used from any goroutine; one Reader
// belongs to one goroutine.
package log
