// Package land turns log records into rows: it decodes each batch once, clips it seq by seq to what is not closed
// yet, and stamps its readings with wall time. The rows of a group and the cursors that close its seqs are one
// table.Commit.
//
// Promises:
//
//	I1  A reading of a logged batch ends in exactly one place: a Run, a quarantine row, a gap, or nowhere because its
//	    seq was closed before. Package commit's TestEveryReadingHasOneFateWhateverFails holds that for random fleets, faults,
//	    restarts and takeovers.
//	I2  The rows are a function of log, cursors and settings. Landing never asks the clock, and how records are
//	    grouped into commits, or a batch into parts, changes nothing (package commit's TestGroupingChangesNoRow,
//	    TestPartsAreStampedAlike).
//	I3  No record stops the ones behind it: what cannot be read, or takes the process down, goes to quarantine with
//	    its reason. The one exception is a record of a kind this binary does not know, or a contract that it does
//	    not understand: landing stops by name (ErrKind), because skipping it could change what the records behind it
//	    mean (TestContractNobodyUnderstandsStopsLanding).
//	I4  Memory is bounded by the settings, not by the backlog: at most a few records per worker are open at a time, and
//	    what a contract holds back of a batch counts with what lands (TestFragmentsAreCounted, TestPiecesStayWhole).
//
// Time (FORMAT.md; protocol, section 7). A batch of a monotonic clock is stamped by, in this order:
//
//  1. the anchor in its own first logged envelope, if synced or gateway
//  2. the best such anchor of its boot that was logged before, in a batch or a hello of any epoch of that boot
//  3. the offset chosen for its boot before (by 4 to 6)
//  4. the device's unsynced wall clock, if it lies within the bounds and after 2020
//  5. the middle of the bounds, where there are two
//  6. the upper bound
//
// By 1 and 2, clock_error is what the anchor stated and 100 ppm of the time between it and the farthest reading;
// ClockGateway says that it is more than a second and rests on the gateway's clock. By 3 to 6 readings carry
// ClockBounded. The bounds say when the boot began: not before the end of the nearest boot before it whose clock is
// known, plus what those between lasted; and so early that the last that is known of it lies before the begin of the
// next boot whose clock is known and of which more is expected, less what those between lasted, and before its arrival. With two bounds, clock_error
// is the distance to the farther one; with the upper one alone it is null. Only what was logged before a batch counts:
// a boot that is anchored later moves nothing that has landed, so that rows stay a function of the log.
//
// An offset by 4 to 6 is chosen once per boot, so that the spacing of its readings stays true. With a long backlog of
// a device that never had an anchor, 6 can put its later readings ahead of their received time. They are flagged,
// carry no bound and are not judged as future readings: the wrong clock is not theirs.
//
// The situations, each a case of TestClocks or a test beside it (E = clock_error):
//
//	no RTC, online at once                1   E of the answer to hello
//	days offline, online in the same boot 1   E + 17 s for two days; ClockGateway
//	a slow answer to hello                1   E half of its round trip; ClockGateway above a second
//	boot ended without an anchor          5   E half of what its neighbours leave open; ClockBounded
//	several of them in a row              5   the same: each begins after what the ones before it lasted
//	the first boot of a device, ended     6   E null; ClockBounded
//	RTC right, not disciplined, ended     4   E to the farther bound; ClockBounded
//	RTC a year off, ended                 5   4 when nobody contradicts it, with E null; ClockBounded
//	RTC not disciplined, boot known       2   the gateway's time is better
//	known to another epoch of the boot    2   from when that was logged
//	a step of NTP, or a leap second       1   the column anchor tells rows before and after it apart
//	a slow drift, a suspended device      1   device time is CLOCK_BOOTTIME, which runs on; within E
//	gateway's clock wrong, then set       1   as a step; a received time never falls within a log
//	ahead of received time by > Slack     -   FutureTime; its promise is not believed, so it moves no watermark
//	by more than Settings.MaxAhead        -   quarantine `future_time`; the same
//	older than Settings.MaxAge            -   quarantine `too_old`
//	outside the years 1 to 9999           -   quarantine `time_range`; integers saturate, they do not wrap
//	sent again after the log was lost     1   what landed keeps its stamp, the rest gets that of the new envelope
//
// TestErrorsCoverTheTruth holds random boots, steps and outages to a truth that it knows.
//
// Days: a group touches at most 64 day partitions, each of which becomes a file. A batch with more lands in slices, the
// earliest days first. Imported batches that have more each, because the rows of their file are in no order, get 448
// beside those: slices of 64 would leave a file for each day and batch (TestScatteredImportTakesOneGroup).
//
// Contracts. A change of contracts is a record of every partition and counts for the records behind it in that partition
// (TestContractCountsForWhatIsBehindIt). A device is under the contract whose pattern is the most exact, or under none:
// then its readings have no contract, and the devices table says default. After stamping, the rules see each column of a
// batch as a whole, whatever of it is still open, and each reading gets its fate: it lands, with the bits of the rules that it
// breaks; it is quarantined (reason contract); or it is given up as a gap (reason dropped_RULE). What landing itself rejects
// comes first. Rules that compare readings remember the last of each series in the cursor of the epoch, under the contract's
// id@version and text: a new one starts afresh (TestAnotherTextStartsAfresh), because its unit may be another. Rows of the future (FutureTime) and those that do
// not land move nothing. A batch that lands in parts is judged in each of them from the same memory, which moves on with the
// last one; that one also has all that does not land, so that parts change no row (TestSplitBatchIsJudgedOnce). A contract in
// shadow judges in the same way, with a memory of its own, and is only counted. A series that a contract requires and that a
// device does not announce is shown (TestRequiredSeriesThatNobodyAnnouncesShow); a device that announces none says nothing.
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
//	a device that invents epochs   1024 that have not ended are kept           the same (TestInventedEpochsAreBounded)
//	seqs closed before             clipped                                     headwater_land_duplicates_total
//	a rule with quarantine         quarantine `contract`, rule named           headwater_contract_verdicts_total, and as above
//	a rule with drop_with_gap      gap `dropped_RULE`, seqs closed             the same, headwater_land_gap_seqs_total
//	a rule with flag               lands with its bit                          headwater_contract_verdicts_total
//	a rule of a shadow             nothing                                     headwater_contract_shadow_total
//
// The bytes of a quarantined record stand in the first of its rows; the others name the record by log, partition and
// offset.
//
// Held readings: a decision to replay or discard them is a record of the log. What it does is a function of the log all
// the same, though the bytes come from the lake: it asks the lake only as of the mark before it (a group that made rows
// which it is about is committed first), and what the lake holds there is what the records below that mark brought about.
// The transaction that lands the readings also changes the fate of their rows, moves the cursor's count from quarantined
// to landed, and passes the record. So a crash leaves all of it or nothing, and then the lake says the same as before;
// one that comes twice, or overlaps another, finds nothing held (TestDecisionsAreCarriedOutOnce, TestGroupingChangesNoRow,
// package commit's TestEveryReadingHasOneFateWhateverFails). Readings keep their received time, and are judged by the
// limits, the contract and the clocks that are known when the decision lands. They change nothing of what the rules of
// contracts remember.
//
//	may land now                   row `replayed`, counted as landed           headwater_quarantine_replayed_total
//	stands in readings             the same, and not landed again              the same (TestReplayOfWhatIsThere)
//	still breaks a rule            stays held, with what it breaks now         the same
//	still cannot be read           stays held, with the reason                 the same (TestWhatCannotBeReadStaysHeld)
//	process dies on it             stays held from the third attempt on        the same (TestPoisonIsReplayedOnceCured)
//	discarded                      row `discarded`; the ledger keeps it        the same
//	                               as quarantined
//	no seqs: evidence, no header   can be discarded, and not replayed          -
package land
