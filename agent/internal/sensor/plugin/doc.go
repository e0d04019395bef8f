// Package plugin runs programs of the operator's own as sensors: the section exec
// of a configuration.
//
// In mode read the program is started at each tick, prints one line and exits: a
// sensor with a schedule like any other, and the line's absence is a row of nulls.
// In mode stream it runs all the time and prints a line whenever it has something
// to say: a source, without a schedule.
//
// # Lines
//
// A line of JSON, or an item of a CBOR sequence (RFC 8742), is one of
//
//	{"temperature": 21.5, "door": true, "t": 1795176000.25}
//	[{"bn": "lab-", "bu": "Cel", "n": "in", "v": 21.5}, {"n": "out", "v": 3}]
//
// The first is values by series; t is their time in seconds since 1970, unless a
// series is called so. The second is SenML (RFC 8428) with bn, bt, bu, n, u, v, vs,
// vb and t; in CBOR the fields are numbers or names. A record with another field is
// not understood, because leaving out a base value would make another value of it.
// Times count in a stream with own_times alone, and are then original times. All
// else has the time at which it was read or printed.
//
// Series are declared with unit and type. A SenML unit must be the declared one.
// Integers are exact over all of int64 and uint64 (TestValues).
//
// # Promises
//
//   - Nothing of a program that had to be ended is left: it is ended with its whole
//     process group (TestHungProcessIsEndedWithItsGroup, TestStopEndsTheStream). What has
//     left the group by itself is out of reach.
//   - A stream that ends, well or not, is started again, after 1 s to 1 min
//     (TestStreamIsStartedAgain); one that gives no row for longer than the timeout
//     of the sensor, if one is set, is ended first (TestSilentStreamIsStartedAgain).
//   - A bad line is counted, shown, and disturbs no other (TestBadLinesAreLeftOut);
//     in CBOR the program is started again, as nothing tells where the next item begins.
//   - A stream is not read while the outbox takes no rows, and the row is offered
//     until it does (TestRefusedRowIsOfferedAgain).
//   - There is no shell, nothing on standard input, and no variable but PATH, LANG
//     and those of the configuration (TestEnvironment).
//   - When the agent is killed, a stream meets a broken pipe at its next line; under
//     systemd it ends with the agent's control group.
//   - Its standard error goes to the log, at most ten lines a minute
//     (TestComplaintsAreLogged).
//
// # What can be lost, and where it is counted
//
//	event                                      outcome               counter (headwater_exec_...)
//	a line longer than max_line                left out              bad_lines_total reason long
//	a line that is no JSON, CBOR, SenML        left out              bad_lines_total reason syntax
//	a time that cannot be used, with own_times left out              bad_lines_total reason time
//	a second line in mode read                 left out              bad_lines_total reason extra
//	it ended, and its pipe stayed full or open what is in the pipe   bad_lines_total reason cut
//	for 1 s longer
//	a series that is not declared              left out              bad_values_total reason unannounced
//	a series twice in one row                  the first one counts  bad_values_total reason twice
//	a name twice in one object                 the last one counts   none: it is one value to JSON and CBOR
//	another type, or unit, than declared       null reading          bad_values_total reason kind, unit
//	a stream ended                             until it runs again   ends_total reason exit, silent
package plugin
