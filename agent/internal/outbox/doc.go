// Package outbox keeps accepted readings until the gateway says that they have landed. It is the heart of
// the promise: a ring on tmpfs first, flash (package segment) when it must.
//
// It promises:
//
//	I1  Accepted is Append returned. An accepted reading survives the death of the process.
//	                                   TestKilledProcessLosesNothing (control: a ring on the heap)
//	I2  Within flush_interval it is stored at the gateway or on flash; what is on flash survives a
//	    power cut.                     TestOnFlashWithinFlushInterval, TestPowerCut (control: no fsync),
//	                                   TestAckIsLookedAtAtOnce
//	I3  What a power cut takes is declared: the epoch is `lost`, with at most count_max readings behind
//	    its next.                      TestPowerCutIsDeclared
//	I4  Every accepted reading is landed, held, or in a sealed gap that says why; seqs are dense in each
//	    epoch and never given out twice.           TestOutboxAgainstModel, TestQuotaGivesTheOldestUp
//	I5  A connected device whose readings land in time writes nothing to flash but a line at its start, and once a
//	    day a time that has passed (Config.Floor).  TestHealthyHourWritesNothing, TestFloorIsWrittenOnceADay
//	I6  Only an ack deletes; `stored` keeps in the ring, and goes to flash after 60 s. A new log voids
//	    stored, a new lake voids landed.           TestStoredButNotLandedGoesToFlashAfterAMinute,
//	                                               TestRestoredLakeGetsAllThatIsHeld, TestOldAckIsIgnored
//	I7  No damage keeps it from starting, and what is readable is sent.  TestDamagedFiles, TestDamagedRing
//	    A file that was never made is no damage.   TestKilledBeforeTheSegmentIsMade
//	I8  A promise ("no later seq is older than T") is made for monotonic times only, and no more once a row
//	    broke one.                                 TestRowOlderThanAPromiseEndsPromises
//
// What can be lost, and where it shows:
//
//	what happens                          what is lost                          it shows as
//	power cut                             readings younger than flush_interval  epoch `lost`, count_max
//	agent killed, no tmpfs                the same                              outbox-no-tmpfs, epoch `lost`
//	quota full, or a card too small       the oldest readings                   gap drop_oldest, outbox-full
//	  for quota and reserve
//	others fill the card                  nothing while the ring has room; then outbox-full, outbox-flash-fails,
//	                                      the oldest in the ring, for what is   then gap drop_oldest
//	                                      on the card would not make the room
//	                                      (TestNothingIsGivenUpForOthers)
//	the directory goes while it runs      what was in it                        outbox-flash-fails; the gateway presumes
//	a file or the ring is damaged         what is in it                         gap damaged, outbox-damaged
//	  a waiting row, header and all       that row                              a count in the log
//	a driver yields what no batch carries nothing: Append refuses               refused_rows_total
//	flash and its meta file both fail     gaps are kept in memory until a write the gateway presumes them
//	                                      succeeds or the process dies
//
// # How a batch lives
//
//	Append -> row in the ring -> sealed at half of flush_interval (or by size), which gives out its seqs
//	 -> live lane -> stored -> landed: forgotten, no flash
//	 -> not stored at nine tenths of flush_interval, pushed out by a full ring, stored for 60 s, or Close:
//	    flash, and from there the backlog lane -> landed: the segment is deleted when all in it has landed
//
// Gaps and ends are pure functions of a line in meta.db: they are kept as that line and sealed anew at
// each send. A gap that was handed out does not change any more; until then its neighbours join it.
//
// After an unclean stop rows that wait in the ring are sealed under the epoch that accepted them, and that
// epoch ends. Where the ring was lost the epoch is lost, until a start finds the ring again that one without tmpfs
// did not find: its rows go on behind its next (TestRingOfALostEpochComesBack). Where only the header was lost, the
// rows get an epoch of their own, for nobody knows which seqs were given out. Recovery may close seqs as damaged that
// landed straight from the ring: the gateway clips a gap to what it has not got.
//
// # Flash, per flush (reference: one leaf, branch, root and meta page)
//
// One transaction for all batches that are due. A segment begins with two more on meta.db, each 4 MiB.
//
// Nothing that flash does not take is written again elsewhere: it waits in the ring, and flash is asked once a second.
// A directory that was deleted, or a card that was mounted anew, is taken into use by the next start.
//
// Concurrency: all methods are safe. Two locks, flash before mu; Append takes only mu, unless the ring is
// full, and so do Backlog and Epoch, so that a status page opens while a card hangs (TestBacklogDoesNotWaitForFlash). Run owns the timers; Close may be called without it.
package outbox
