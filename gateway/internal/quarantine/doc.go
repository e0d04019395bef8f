// Package quarantine is what an operator does about held readings: it names and groups the rows of the table, shows
// what their bytes say, and asks a running gateway to replay or discard them, as many a second as is wanted.
//
// Promises:
//
//	I1  What is shown is what the bytes say, or why they cannot be read (TestShow). Times are those of the record's own
//	    envelope; what a replay makes of them is landing's to say.
//	I2  A decision names seqs, not rows: what is not held any more when it lands is left alone, so that asking twice,
//	    or two people asking at once, does no harm (package land's TestDecisionsAreCarriedOutOnce).
//	I3  A plan asks for every held seq once, in the order of receipt, and no decision is larger than landing takes in
//	    one group (TestPlanAsksForEverySeqOnce).
//
// Rows that name no seqs (evidence of a conflict, bytes without a header) hold no reading: they can be discarded, and
// not replayed.
//
// Nothing is kept here, so nothing can be lost here. A run that is cut off has been carried out in part; the same run
// again goes on with what is still held (scripts/e2e: TestReplaysAmidKills). A decision that was logged, and had not landed
// when the state directory was lost, is forgotten with it: the rows stay held.
//
// What is shown is what the device sent: personal texts that a contract masks in readings stand here as they came. Who may
// read quarantine may read those.
package quarantine
