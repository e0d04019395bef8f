// Package intake takes batches and hellos of devices, whatever broker brought them: it checks what can be checked
// without opening a body, appends to the log, and says `stored` and `landed`.
//
// Promises:
//
//	I1  An ack says `stored` only of seqs whose batch is fsynced in this log, or that have landed; `landed` only of what
//	    a commit has closed (TestStoredOnlyAfterAppend, TestAcksAgainstModel).
//	I2  What acks say of an epoch never falls within one lake and log, and their numbers rise
//	    (TestAcksAgainstModel). One exception, which loses nothing: an epoch that is complete and that its device
//	    no longer names leaves memory; if a copy of one of its batches comes all the same, acks speak of that copy
//	    alone until landing has looked the epoch up.
//	I3  Nothing is taken and no ack is sent before the cursors are loaded and the log is replayed
//	    (TestNothingBeforeReady).
//	I4  A message is in the log, or known to be a copy of what is, or refused with a nack and a reason, or withheld
//	    (ErrWithhold). A refusal changes nothing (TestRefusals).
//	I5  A batch that would need more ranges than a cursor holds is refused with the lowest missing range (TestHoleFirst).
//	I6  A device that has used up its share of the log, or begins more epochs in a day than any honest one, is refused
//	    alone; it keeps its batches and others go on (TestShareFullIsANack, TestEpochsOfOneDeviceAreBounded). Epochs that
//	    power cuts or lost data directories left behind over the years do not count (TestForgottenEpochsLockNobodyOut).
//
// What can be lost: nothing that an ack has called stored. A nack or an ack itself may be lost; the device sends again,
// or hears the next ack, which follows within a second if the client was too slow for the last (TestMissedAckIsSaidAgain).
//
// Other bytes under the seqs of a batch that is remembered mean that two devices share one identity (a cloned card).
// Such a batch is counted, raises a condition and is appended like any other: landing clips it and keeps the evidence.
//
// Credit, in bytes per second for the backlog lane of one client:
//
//	max(CreditFloor, CreditRate * (1 - unlanded bytes / CreditBacklog) / clients heard of lately)
//
// so that all backlogs together bring at most CreditRate, less as landing falls behind, and never nothing. At the
// reserve of a disk it is the floor.
//
// Conservation: headwater_intake_received_total = appended + duplicates + refused + withheld, each by kind of message
// (TestAcksAgainstModel).
//
// Memory is a few hundred bytes per epoch that may still change (the same that landing keeps) and per client that was
// heard of in the last ten minutes.
package intake
