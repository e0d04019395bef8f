// Package cursor decides, seq by seq, what of an epoch may still land. It is the whole of deduplication, and pure:
// no clock, no I/O, no goroutine.
//
// Invariants:
//
//	I1  A seq gets at most one fate (landed, quarantined, given up), and never loses it.
//	I2  Landed + Quarantined + GapSeqs of a row equals the number of seqs in Closed.
//	I3  Presumed seqs are not in Closed: presuming closes nothing, and a reading that still comes lands.
//	I4  What is closed does not depend on how often or in how many groups a record is offered.
//	I5  A group that did not commit leaves no trace (Draft is thrown away).
//	I6  What the rules of contracts remember of an epoch (Memory) is in its row: it commits with the readings that it
//	    speaks of, and no restart or grouping changes it (package commit's TestGroupingChangesNoRow).
//
// I1 to I4 are held against a plain map of seqs by TestCursorAgreesWithAMapOfSeqs, I5 by TestDroppedDraftLeavesNoTrace.
//
// What can be lost: nothing. The one state is the row that commits with the readings it speaks of.
//
// Presumed gaps. A hello says which seqs were given out and which of them the device still holds. What is neither
// closed nor held is presumed lost, with the reason
//
//	power_cut            the epoch is over and no `end` of it can come: its ring went with the power
//	gateway_state_lost   any other epoch: the device let go of what it was told had landed, and the lake does not
//	                     have it (a state directory was lost, or the lake is an older copy)
//	restored_from_backup reserved for a restore that says so itself
//
// The reason follows from the row alone, so that rows written again after a correction say the same.
// A seq that a later hello claims to hold is pending again, not presumed.
package cursor
