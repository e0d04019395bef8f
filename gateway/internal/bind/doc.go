// Package bind takes the addresses that a gateway listens on.
//
// Promises: an address that others can reach is refused without the operator's
// word; a port that somebody asked for and that is busy is an error that names
// its holder; a default port that is busy is replaced by a free one, and said.
// Proved by TestListen.
package bind
