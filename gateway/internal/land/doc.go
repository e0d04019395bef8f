// Package land turns log records into rows: it decodes each batch once, clips it seq by seq to what is not closed
// yet, and stamps its readings with wall time. The rows of a group and the cursors that close its seqs are one
// table.Commit.
//
// Promises:
//
//	I1  A reading of a logged batch ends in exactly one place: a Run, a quarantine row, or nowhere because its seq was
//	    closed before. Package commit's TestEveryReadingHasOneFateWhateverFails holds that for random fleets, faults,
//	    restarts and takeovers.
//	I2  The rows are a function of log, cursors and settings. Landing never asks the clock, and how records are
//	    grouped into commits changes nothing (package commit's TestGroupingChangesNoRow).
//	I3  No record stops the ones behind it: what cannot be read, or takes the process down, goes to quarantine with
//	    its reason. The one exception is a record of a kind this binary does not know: landing stops by name
//	    (ErrKind), because skipping it could change what the records behind it mean.
//	I4  Memory is bounded by the settings, not by the backlog: at most a few records per worker are open at a time.
//
// Time (FORMAT.md, reference: protocol, section 7). A batch of a monotonic clock is stamped by, in this order:
//
//  1. the anchor in its own envelope, if synced or gateway      clock_error as stated; ClockGateway for a gateway
//     anchor that is more than a second uncertain
//  2. the best such anchor of its boot that was logged before   the same
//  3. the offset chosen for its epoch before (by 4 to 6)        ClockBounded
//  4. the device's unsynced wall clock, if it puts the batch between 2020 and its received time, and the boot not
//     before the end of the one before it                       ClockBounded, clock_error unknown
//  5. the end of the boot before, as the begin of this one      ClockBounded, clock_error up to the received time
//  6. its newest reading, put at its received time              ClockBounded, clock_error unknown
//
// An offset by 4 to 6 is chosen once per epoch, so that the spacing of its readings stays true. With a long backlog of
// a device that never had an anchor, 6 can put its later readings ahead of their received time. They are flagged,
// carry no bound and are not judged as future readings: the wrong clock is not theirs.
//
// A reading ahead of its received time by more than Slack is flagged FutureTime; by more than Settings.MaxAhead, or
// older than Settings.MaxAge, or outside the years 1 to 9999, it is quarantined.
//
// What happens, what is done, what counts it:
//
//	body does not decode           quarantine `unreadable`, seqs closed        headwater_land_quarantined_total
//	decoding panics                quarantine `panic`, seqs closed             the same
//	process died on it twice       quarantine `unopened`, seqs closed          the same
//	no header                      quarantine `malformed`, no seqs             the same
//	seqs beyond the epoch's end    quarantine `beyond_end`, seqs closed        the same
//	other bytes, same seqs         evidence row of count 0, alert              headwater_land_conflicts_total
//	a hello of too many epochs     256 are heard, the current one first        headwater_land_unheard_epochs_total
//	seqs closed before             clipped                                     headwater_land_duplicates_total
//
// The bytes of a quarantined record stand in the first of its rows; the others name the record by log, partition and
// offset.
package land
