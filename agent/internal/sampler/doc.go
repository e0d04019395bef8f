// Package sampler reads every sensor when it is due and hands the rows on.
//
// Each sensor has a goroutine that keeps its schedule and another that reads, so
// that a read which never returns holds up nobody: not the other sensors, not
// its own schedule, not the stop of the agent. At most one such read is left
// behind per sensor; no further one is started before it returns.
//
// # Promises
//
//   - S1. Ticks are the multiples of the interval on the monotonic clock since
//     boot. They do not drift, and a restarted agent meets the same ones
//     (TestTicksAreAlignedAndDoNotDrift).
//   - S2. Every tick gives one row with one cell per announced series, or counts
//     as missed. What could not be read is a null cell with quality read_error:
//     a reading, because it was due (TestFailedReadIsARowOfNulls).
//   - S3. A sensor that hangs, fails or is unplugged disturbs no other
//     (TestHungSensorDisturbsNoOther).
//   - S4. A row is stamped with the middle of its read, in ms since boot.
//   - S5. No row comes with a time before what Promise said
//     (TestPromiseCoversReadsThatRun).
//   - S6. Run returns only when all it started has ended, but for reads that hang
//     in the kernel; those it names in the log (TestStopDoesNotWaitForAHungRead), as it
//     does sources that do not end (TestStopDoesNotWaitForAHungSource).
//   - S7. A sensor that gives some of its series only is well, and shows why
//     (TestPartialReadSaysWhy).
//
// A number that is not finite becomes a null cell with quality read_error and
// suspect: NaN is a driver's word for failure, and one NaN in a sum would take
// the whole window with it (TestNotFiniteIsNull).
//
// A value that does not move for longer than its sensor allows stays as it is and
// gets quality stuck (TestValueThatDoesNotMoveIsMarked); by default nothing is
// marked, as still air in a cellar is no fault.
//
// # What can be lost, and where it is counted
//
//	event                             outcome                     counter (headwater_sampler_...)
//	the chip cannot be opened         null row                    read_errors_total reason open
//	the read fails                    null row                    read_errors_total reason read
//	the read passes its deadline      null row                    read_errors_total reason timeout
//	an abandoned read still hangs     null row                    read_errors_total reason hung
//	a series is missing or failed     null cell                   read_errors_total reason partial
//	a number is not finite            null cell                   read_errors_total reason not_finite
//	another kind than announced       null cell                   read_errors_total reason kind
//	a series that was not announced   not taken                   unannounced_total
//	the previous read took too long,  no row                      missed_ticks_total
//	the machine slept or stopped
//	the outbox refuses the row        row dropped, sampling on    dropped_total reason append
//
// read_errors_total counts readings, so that without drops it is exactly the
// number of null readings with quality read_error among readings_total. A source (a sensor that
// makes rows by itself) is told that its row was refused and offers it again,
// unless no batch can ever carry it; refusals are in append_errors_total. Its state is what it
// says of itself (TestSourceTellsHowItFares).
//
// After three failed reads in a row the driver is closed, and opened anew after a
// pause that doubles from 1 s to 1 min (TestReopensWithGrowingPause).
//
// Append is called from one goroutine per sensor.
package sampler
