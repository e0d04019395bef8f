// Package door is what the ways into the gateway have in common: frontdoor, which is a broker, and consumer, which is a
// client of one. Behind both stands one Handler, and so one path from a message to the log.
//
// Nothing is kept and nothing can be lost here. TestWholeRiverBehindBothDoors holds the two doors to the same outcome.
package door
