// Package ds18b20 reads Maxim's DS18B20 thermometers on the 1-wire bus of a DS2482
// or DS2483, an I2C chip, through periph's drivers for both. Thermometers on a pin
// of the board are the kernel's: package w1 reads those.
//
//	ds18b20: {bus: 1, address: 0x18}                      # the only one on the wire
//	ds18b20: {bus: 1, probes: [{rom: 28-0000013182ab, series: inlet}, {rom: 28-0000013182ac}]}
//
//	series       unit  decimals
//	temperature  Cel   4, a sixteenth of a degree exactly: what all values have in common costs nothing
//
// (TestUnits, TestDataSheet.) All thermometers of a wire are one sensor: they
// measure at the same time, and what two sensors did on one wire would mix. One
// that is not there, or whose checksum is wrong, costs its own reading and no other
// (TestProbesFailByThemselves).
//
// What is no temperature and looks like one is never passed on: the 85 degrees of
// a thermometer that has measured nothing since it got power (TestPowerUpIsNotAReading;
// real 85 degrees are told apart), and the zeros of a shorted wire, whose checksum
// is right (TestShortedWireIsNotZeroDegrees).
//
// A glitch of the I2C bus costs one reading (TestGlitchCostsOneReading). Of a
// DS2482-800 the first channel is read. The resolution is written into a thermometer, for good, when it has another.
//
// Nothing is kept, so nothing can be lost here.
package ds18b20
