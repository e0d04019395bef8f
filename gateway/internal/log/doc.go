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
//	    dropped cannot be asked for again); the next start reads what is really there.
//	I5  Trim never removes a record at or above a partition's landed mark.
//
// What can be lost: nothing that Append returned nil for, as long as fsync is
// honoured. A torn tail of the last segment is cut and logged; damage elsewhere
// stops the start with the file and offset, because skipping would lose records.
//
// Proofs: TestLogAgainstModel, TestTornTailAtEveryByte, TestEveryBitFlip,
// TestKilledWriter, TestEveryStepFails, FuzzRecord; power cuts: TestChaosPowerCut
// with a control that does not sync (make chaos).
//
// Append, Reader, Trim and Stats may be used from any goroutine; one Reader
// belongs to one goroutine.
package log
