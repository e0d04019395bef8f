// Package lake writes and reads the tables. With its subpackages it is the only importer of iceberg-go, arrow and
// sqlite; rows come and go as the plain values of gateway/internal/table.
//
//	I1  a Commit lands whole or not at all: rows of all primary tables and the marks become visible in one
//	    transaction of the catalogue (package catalog), after all their files were synced (package fileio);
//	I2  a Commit lands at most once: it requires the marks that it expects, and moves them;
//	I3  the owner is fenced: after a TakeOver by another log no Commit of the former one lands;
//	I4  a file is deleted only if a committed transaction put it out of use at least an hour ago (graceTime); files
//	    of an attempt that failed, or whose outcome is unknown, are never deleted;
//	    One exception: an attempt that found no room, and gave up before its transaction began, gives its files back;
//	    nobody can name them yet (TestCommitThatFindsNoRoom);
//	I5  no delete files: what is taken out of a table is taken out by writing the file again, so that every engine
//	    reads the tables.
//
// | what happens | what we do | proof |
// |---|---|---|
// | crash or error between any two steps | all as before, or all as after; Steps names them | TestFaultLoop, TestModel |
// | a write, sync or mkdir fails | the commit fails, nothing of it is seen | TestFileFaults |
// | the disk is at its reserve | ErrFull before anything is written; Maintain goes on | TestReserveOfTheLake |
// | the same commit again | ErrStale | TestCommitLandsOnce |
// | SQLite's own commit fails | ErrUnknown: read Marks; counted as outcome "unknown" | TestFaultLoop |
// | a second gateway | ErrLocked on one machine, ErrForeign beyond it | TestBirth, TestForeignInTheMiddle |
// | a table moved since it was loaded | ErrConflict | TestTakeOver |
// | a late batch corrects presumed gaps | Regap: their files are written again without them | TestRegap, TestModel |
// | readings come into a day that has profiles | ReplaceProfiles: its file is written again, beside all else | TestProfilesAreWhatDuckDBCounts, TestFailedProfileLeavesTheOldRows |
// | a reader beside the writer | it sees one moment of all tables | TestConcurrent, TestReaderBesideWriter |
// | held readings get another fate | Rehold: all rows of their log records are written again | TestRehold |
// | a lake of an earlier version | it gets the tables and columns that came since; nothing is rewritten | TestLakeOfAnEarlierVersionOpens |
// | contracts say other things of the tables | Describe: properties and docs change, no data and no snapshot | TestDescribe |
// | a lake of a later version | it is refused by the name of the column | TestLakeOfALaterVersionIsRefused |
// | a thousand commits | metadata, manifests and rows of cursors level off | TestThousandCommits (tag chaos), TestMaintain |
//
// What can be lost here: nothing that was committed, as long as fsync is honoured. What is left behind: the files of
// attempts that did not land, which nobody names; their number is that of failed commits (outcome label of
// headwater_lake_commits_total), and an engine's orphan clean-up may take them while the gateway is stopped.
//
// Metadata carries absolute file:// locations, so a lake is not moved by renaming its directory.
//
// A Lake holds its directory's lock and may be used from any goroutine: transactions wait for one another. It starts
// no goroutine; whoever runs the gateway calls Maintain now and then (once a minute under load).
//
//	DIR/lock        who holds the lake
//	DIR/catalog.db  the catalogue: SQLite, WAL; also the list of files out of use
//	DIR/pseudonym.key  the key of personal texts, which app keeps here so that it is in the backup of the lake
//	DIR/warehouse/  headwater/<table>/{data,metadata}
package lake
