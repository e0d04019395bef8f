// Package nmea reads a satellite receiver that speaks NMEA 0183, on a serial line
// or over TCP. No gpsd is needed.
//
//	series       unit   from      decimals
//	latitude     lat    GGA, RMC  two more than the minutes have: a step of 0.0001' is 0.0000017 degrees
//	longitude    lon    GGA, RMC  the same
//	altitude     m      GGA       as sent, above mean sea level
//	speed        m/s    RMC       one more than the knots have
//	course       deg    RMC       as sent, true; SenML has no unit for it
//	satellites   count  GGA       whole
//	hdop                GGA       as sent
//	fix_quality         GGA       0 none, 1 GNSS, 2 differential, 4 RTK, 5 RTK float, 6 estimated, 7 manual, 8 simulated
//	gnss_time    s      RMC       seconds since 1970, when gnss_time is set; the agent's clock does not follow it
//
// Any talker will do: GP, GN, GL, GA, GB. All other sentences are passed over.
//
// # Why a driver and no source
//
// A receiver talks by itself, but what is wanted of it is where the thing was at
// each tick. As a driver it keeps the schedule of the sensor, its failures are
// null readings that were due and show in its state, and the sampler opens it
// again after it was unplugged. Read gives the newest complete fix, at most
// max_age old: the sentences that carry one time of day belong together, and are
// complete when those of the fix before have come (TestSentencesOfOneFixBelongTogether).
//
// # Promises
//
//   - Without a fix there is no position: it is null, never 0/0 (TestNoFixIsNoPosition).
//     A position that the receiver estimates, or was told, is marked suspect.
//   - A sentence counts only with a good checksum; one without only where the
//     settings allow it. What does not count is counted by reason, and disturbs no
//     other sentence (TestBadLinesAreCounted, FuzzParse).
//   - Values are the floats nearest to short decimals (TestDegrees, TestFix).
//   - Close ends the goroutine that reads, and waits for it (TestCloseEndsTheReader).
//
// # What can be lost
//
// Fixes between two ticks are not kept. A fix older than max_age is not given,
// and one that is said again is as old as it was: the read waits for the next one,
// and fails at its timeout (TestOldFixIsNotGiven).
package nmea
