// Package ads1115 reads Texas Instruments' ADS1115, a converter of 16 bits with
// four inputs, through periph's ads1x15 driver.
//
//	series       unit  decimals
//	voltage0...  V     10, a count of the converter exactly: what all values have in common costs nothing
//	scaled       own   the fewest that keep two counts apart
//
// (TestUnits, TestDataSheet.) A scale is for a divider or a sensor with a voltage
// as output: value = volts * scale + offset, in the unit of the channel.
//
// A count at the end of its range was clipped and is absent (TestClippedIsAbsent).
//
// The driver waits for a conversion as long as the data rate says, but the chip
// may be a tenth slower, and then the driver reads the result of the channel
// before. Each result is therefore read only when the chip says that it is there
// and that its settings are those it was given (TestSlowChipGivesItsOwnChannel).
// The chip has no checksums.
//
// Nothing is kept, so nothing can be lost here.
package ads1115
