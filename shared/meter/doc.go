// Package meter counts what the program does and writes the figures in the Prometheus text format.
//
// It exists because the usual client library nearly doubles the agent's binary. A Registry hands out
// counters, gauges and histograms; the same name and labels always give the same instrument, so that
// no caller needs a package variable to share one. Instruments are safe for concurrent use.
// A nil *Registry hands out instruments that work and are shown nowhere: tests pass nil.
//
// Promise: a counter never goes back and loses no increment (TestConcurrentUse, run with -race), and
// the exposition is sorted and escaped so that two scrapes can be compared (TestGolden, TestEscaping).
// What can be lost: everything, at the end of the process. A figure that must survive belongs in the
// outbox or in the log, not here. The lines of one scrape are not read at one instant.
package meter
