// Package decision is what operators decide that landing has to know, as the payload of a log record: contracts, and
// what becomes of held readings (FORMAT.md, section 5). That it stands in the log, between the batches that came before
// and after it, is what keeps the rows a function of the log.
//
// Promises: one decision has one form (deterministic CBOR), and any other bytes are refused, not guessed at
// (FuzzParseContract, FuzzParseQuarantine). TestContractVector and TestQuarantineVector pin the bytes: they are read
// again by every later version.
//
// Nothing is kept here, so nothing can be lost here.
package decision
