// Package fileio writes the files of the lake so that they survive a power cut.
//
// iceberg-go's own local file system never calls fsync, while the catalogue does: after a power cut the catalogue
// could name files that are empty. Here
//
//	I1  when Close or WriteFile returns nil, the bytes of the file, its name, and the names of all directories that
//	    were made for it are on the disk;
//	I2  no file is ever overwritten: Create and WriteFile refuse a name that exists, because every attempt of a
//	    commit uses fresh names and a file that is there may be live.
//
// What can be lost: a file whose writer was not closed. Nothing names it then; it is an orphan. TestSyncOrder holds
// the order of operations to I1, TestCreateRefusesExisting shows I2, TestFaults reaches every error.
//
// A Local has no state and may be used from any goroutine; a writer belongs to one.
package fileio
