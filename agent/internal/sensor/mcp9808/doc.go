// Package mcp9808 reads Microchip's MCP9808 thermometer through periph's driver.
//
//	series       unit  decimals
//	temperature  Cel   4, a sixteenth of a degree exactly: what all values have in common costs nothing
//
// (TestUnits, TestDataSheet.)
//
// The chip converts all the time. Until its first conversion, a quarter of a
// second after it got power, its register says 0 degrees; at a real 0 degrees it
// would have the flag of a limit, so a bare 0 is an error and the chip is set up
// again (TestPowerLossIsNotZeroDegrees). What no MCP9808 can say, such as above
// the upper limit and below the lower one, is an error too (TestGarbled).
//
// The limits are taken to be as after power-up. The chip has no checksums: a bit
// that flips on the wires is not noticed.
//
// Nothing is kept, so nothing can be lost here.
package mcp9808
