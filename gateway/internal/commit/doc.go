// Package commit drives landing: it gathers groups of records and puts each into the lake as one transaction, and it
// settles at the start, and after every doubt, who owns the lake and from where the log goes on.
//
// Promises:
//
//	I1  What the lake says is what counts. After an unknown outcome, and after any error, cursors and marks are read
//	    again and the log is read again from there; nothing is submitted a second time as it was
//	    (TestEveryReadingHasOneFateWhateverFails).
//	I2  A device is told `landed` only of what a commit that is known to have succeeded has closed.
//	I3  A lake that another log owns is taken over at the start only, pinned to the snapshots that the cursors were
//	    loaded from. A gateway that meets a foreign log later stops: another one is alive (TestForeignLogStops).
//	    An old log that comes back goes on where it begins (TestTakeoverByATrimmedLog); one that does not hold the
//	    place its lake says it has landed to stops (TestLogApartFromItsLakeStops).
//	I4  An idle lander commits nothing (TestIdleCommitsNothing).
//
// Timing: a group is committed Every after its first record that has something to commit, or as soon as it has Bytes
// of rows. Under load the wait is four times what the last commit took, up to Stretch, so that at most a fifth of the
// time goes into commits. A group with batches of an import whose rows are in no order, which touch hundreds of days each,
// waits until none of them has come for Every, and at most Stretch: each commit of them is a file for every day
// (TestScatteredImportIsGathered). Records that bring nothing (the minutely hello of an idle device) are committed together
// with the next that does, or when there are maxIdle of them, so that the log can be trimmed.
//
// A batch of more days than a group may touch lands in parts. What is behind it in its partition waits; other partitions
// land in the same commits, and several such batches take turns (TestManyDaysLeaveRoomForOthers). Of what waits a quarter of
// Bytes is kept in memory; the rest is read from the log again when its turn comes (TestMuchBehindManyDaysLeavesRoomForOthers).
//
// What can be lost: nothing that is in the log. When the program stops, what has been gathered is committed if the
// lake takes it within StopWithin, and read again from the log otherwise.
package commit
