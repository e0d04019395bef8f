// Package app is the gateway as a value: settings in, a running gateway out.
//
// pipeline.go joins the stages in the order a reading passes them; adapters.go
// holds the few lines that let two stages meet without knowing each other;
// door.go opens the one way in that is configured: the embedded broker, or a
// client of another.
//
// Start order, sink first: lake, log, replay of the log into intake (before
// landing may trim it), landing (which loads the cursors or takes the lake
// over), and only then the listeners; so no ack leaves before the cursors are
// loaded. Stop order is the reverse: no more publishes, what is in the log is
// committed once more, files closed.
//
// When the log cannot be written any more the gateway ends with an error: it could only refuse everybody, and the next
// start reads back what is stored (TestFailedLogEndsTheGateway). A full disk does not end it.
//
// A change of contracts by command is answered when it has landed, which outlives the state directory; after half a minute
// the answer says that it has not (TestProgress, and TestContractsOutliveTheState of scripts/e2e). Then the tables say it.
//
// The service manager hears when devices are served, and its watchdog is fed while log, intake and landing go on: an fsync
// that never returns ends the feed (TestHungLogStopsTheFeed). A data directory in memory is said loudly.
//
// What may be lost here: nothing. Proved by TestDevicesGetRidOfAllTheyHold, in
// which everything around the joined stages fails, and end to end by scripts/e2e.
package app
