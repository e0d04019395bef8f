// Package control is how a command changes a running gateway: HTTP with JSON over a unix socket in its state directory,
// which only the user of the gateway may use. What is asked becomes a record of the log before it is answered.
//
// Promises:
//
//	I1  Nobody but the owner of the state directory, and root, gets in: the socket has mode 0600 from its first moment
//	    (TestSocketIsPrivate).
//	I2  A gateway that does not run is told from one that refuses: ErrNotRunning, or the refusal in its own words
//	    (TestCallTellsWhatWentWrong).
//	I3  A path of any length will do (TestLongPath); a socket that a killed gateway left is replaced.
//
// Nothing is kept here, so nothing can be lost here: a call that was cut off may have been done, and doing it again
// does no harm.
package control
