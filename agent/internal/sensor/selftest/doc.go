// Package selftest reads every configured sensor once, as the agent would, and
// says of each one what it gave or what stands in its way.
//
// Promises:
//   - All sensors are tried at the same time, each within its timeout; one that
//     hangs is told and holds up neither the others nor the end
//     (TestOneThatHangsHoldsUpNobody). What it does in the kernel ends with the process.
//   - A sensor passes when each series that it announced has a value; a source,
//     which announces what may come, when its first row has one
//     (TestWhatPasses, TestSources).
//   - What the agent would refuse at its start fails here too: a series of two
//     sensors (TestSeriesOfTwoSensors).
//   - Nothing is written: no data directory, no broker.
//
// A sensor that only one process can have open, such as a serial port, fails while
// the agent runs. Readings taken here are printed and go nowhere else.
package selftest
