// Package sensor is the contract between a driver and the agent.
//
// # Writing a driver
//
// A driver is a package of its own below this one. It needs:
//
//   - A Settings struct with yaml tags whose zero value means the documented
//     defaults, and a Check method that reports every problem by its key.
//   - An announcement: one cell per series that a read is due to give, made by
//     Announce before anything is opened. Names are short and plain
//     (temperature, not bme280_temperature); units are SenML's (RFC 8428, RFC
//     8798); the kind never changes. The announcement is exactly what a failed
//     read looks like, so a chip that was never there still leaves one null
//     reading per series and tick.
//   - Open, and a Driver with Read, and Close where there is something to close.
//
// Then one line in package roster makes it known to the configuration.
//
// A chip on an I2C bus has in package bus what it needs around periph's driver, and
// in package simbus a type that is its registers; mcp9808 is the shortest to copy.
//
// # What Read may do
//
// Read is called by one goroutine at a time, at each tick of the sensor's
// schedule. It returns cells of announced series in any order. What it leaves
// out becomes a null reading; so does a number that is not finite. An error
// without cells means that nothing was read; one beside cells says why others are
// missing, and is shown. Read should return soon after its ctx ends: a
// Read that does not is abandoned, its sensor is shown as hung and is not asked
// again until it returns; it never holds up another sensor or the stop of the
// agent. After repeated errors the driver is closed and opened anew, with a
// growing pause; so a driver need not reconnect by itself.
//
// Never return a made-up value. Zero pressure of a chip without a pressure
// sensor is absent, not 0. Values are what a person would write down: convert
// from the integers of the chip such that the float64 is the nearest one to a
// short decimal (Decimal), with the fewest decimals that keep every step of the
// chip's converter apart. Such columns pack several times smaller.
//
// # Sources
//
// What produces rows by itself, with times of its own, is a Source instead: it
// runs until it has no more rows, and may return before the agent ends.
//
// # What can be lost
//
// Nothing is kept here. A sample that is not taken in its time is gone, and
// package sampler counts it by reason. Each subpackage says which test proves
// its conversion of units.
package sensor
