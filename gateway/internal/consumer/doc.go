// Package consumer lets devices in through a broker that somebody else runs: a client that hears what devices publish
// there and carries acks and nacks back. It stores nothing.
package consumer
