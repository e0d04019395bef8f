// Package app is the agent as a value: settings in, Run until the context ends.
// It is the only package that knows all stages; pipeline.go joins them.
//
// Order: the sink starts first and the source stops first. Stopping is: no more
// samples, seal what waits, give the gateway two seconds to take it, write to
// flash what has not landed, close.
//
// Promises:
//   - It starts, samples and keeps readings without a broker, a network or a
//     clock that is set (TestRunsWithoutANetwork).
//   - Everything accepted arrives, over restarts and under an anchor
//     (TestReadingsReachTheGateway).
//   - Two agents never share a data directory (TestSecondAgentIsRefused), and
//     never a ring: its directory is named by device and data directory
//     (TestRingsDoNotCollide).
//   - A data directory stays with one device: a renamed host goes on under the
//     old name, a configured other name is refused (TestDeviceKeepsItsName).
//   - A data directory that has become read-only, or is full before there is an outbox
//     in it, stops nothing: readings are kept on tmpfs, in a lineage of their own, and the
//     page says so (TestReadOnlyData, TestFullDataAtTheFirstStart). A full tmpfs only moves
//     the ring to the heap (TestFullTmpfs).
//   - Too few file descriptors at the start damage nothing: it waits (TestStartWaitsForFiles).
//   - A stop leaves in the ring what the card did not take (TestCardFullAtStop, end to end).
//   - Connected, it writes nothing to flash but a line at its start and one a day
//     (TestConnectedAgentWritesOneLine), and every reading is counted on its way
//     (TestEveryReadingIsCounted).
//   - The service manager hears that it is up, and its watchdog is fed while every stage goes on: an fsync that never
//     returns ends the feed, and sampling does not wait for it (TestHungFlashStopsTheFeed).
//   - A data directory that lies in memory is said loudly, and stands in health (TestDataInMemoryIsSaid).
//   - The ring is on tmpfs or on the heap, never on flash (TestRingDirFallsBack).
//
// What can be lost: what the outbox says can be lost, nothing more. A read-only or full data directory
// leaves what is not sent in memory: a reboot takes it. Without a
// tmpfs the ring is on the heap; the log says so, and the death of the process
// then takes what is younger than flush_interval.
package app
