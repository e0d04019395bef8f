// Package catalog is the embedded catalogue: iceberg-go's SQL catalogue on one SQLite file, plus the one thing it
// lacks, a transaction over several tables.
//
//	I1  a transaction swaps the metadata pointers of all its tables or of none: the metadata files are written and
//	    synced first, then one SQL transaction updates every pointer by compare-and-set, each of exactly one row;
//	I2  a requirement that does not hold, or a pointer that moved, is table.ErrCommitFailed, and nothing changed;
//	I3  an error of the SQL commit itself, or behind it, is ErrUnknown: the caller has to look;
//	I4  a file that a transaction puts out of use (old metadata files, and what the caller names) is written down
//	    in that same SQL transaction, and nothing else ever deletes a file of the lake.
//
// What can be lost: metadata files of a transaction that failed stay as orphans; nothing names them.
//
// | what happens | what we do | proof |
// |---|---|---|
// | crash or error between any two steps | all tables as before, or all as after | TestFaultLoop |
// | two writers | the second gets ErrCommitFailed | TestConflict |
// | iceberg-go's contract for catalogues | kept | TestConformance |
//
// A Catalog may be used from any goroutine. The file is in WAL mode with synchronous=FULL, so a reader in another
// process neither waits nor makes anybody wait.
package catalog
