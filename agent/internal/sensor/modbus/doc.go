// Package modbus reads devices that speak Modbus: over TCP, over a serial line (RTU),
// and RTU through a transparent serial server.
//
// Only reading functions exist here: 1 to 4. The registers of a sensor are put
// together to as few requests as the standard, the device (max_request) and the
// operator (bridge) allow (TestRegistersAreReadTogether).
//
// # Values
//
// Integers stay integers, of 16 to 64 bits, signed or not. With scale or offset a
// value is the float nearest to the exact decimal: 217 at scale 0.1 is 21.7, never
// 21.700000000000003. A 32-bit float is taken for the shortest decimal that means
// it. All types, orders and scales: TestValuesAreWhatTheManualSays.
//
// A raw value that is declared missing is null without read_error. NaN is left to
// the sampler, which makes a null of it.
//
// # Promises
//
//   - Sensors on one line take turns, whatever their intervals (TestSensorsOnOneLineTakeTurns).
//   - A read ends with its ctx; so does the wait for the line (TestSilentDeviceIsNotWaitedForLongerThanAsked).
//   - No value is made of an answer that is damaged, of another unit, of another
//     length, or late (TestDamagedAnswersAreNoValues, TestLateAnswerIsNotTakenForTheNext).
//     A garbled answer is asked for once more.
//   - A refused block makes nulls of its own readings only, and shows which it is
//     (TestRefusedBlockLeavesTheOthers).
//   - A line that was unplugged, or a server that was restarted, is used again
//     when it is back (TestUnpluggedLineComesBack, TestServerComesBack).
//
// # What can be lost
//
// Nothing is kept here. A tick whose read failed is a row of nulls: after silence
// or noise nothing of the device is given, because half a row would look healthy.
//
// # Why not a module
//
// github.com/simonvetter/modbus, which the tests use as the other side, cannot end
// a request with its ctx, takes up to 5 s to give up a connection, spins on an
// adapter that was unplugged, and brings a second serial library and 64 KiB into
// the agent.
package modbus
