// Package register keeps which contracts are in force as far as the log says, and takes changes of them: a change is
// checked, written to the log, and answered once it is stored. Landing hears of it from the log alone.
//
// Promises:
//
//	I1  A change that takes a promise back is refused with the reason, unless whoever decides forces it; so is a file
//	    with a mistake, a tie between two contracts, and other text under a version that is in force (TestApplyRefuses).
//	I2  What is in force is that of the lake and of the records that have not landed yet (TestRegisterGoesOn). A crash
//	    in the write of a change may leave it in some partitions only: the next start writes it to all of them
//	    (TestTornChangeIsLevelled).
//	I3  A file of the contracts directory that cannot be taken changes nothing: the contract before it stays in force
//	    (TestDirectory).
//
// Nothing is kept here that the log or the lake does not have, so nothing can be lost here.
package register
