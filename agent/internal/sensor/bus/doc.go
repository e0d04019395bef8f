// Package bus opens the I2C buses of the machine through periph, and has what the
// drivers of chips on them have in common.
//
// A bus is named by its number: 1, i2c-1, I2C1 and /dev/i2c-1 are the same
// (TestNumber). It is opened anew for every opening of a sensor, by its device file
// and not by a list made at start, so that an adapter that is unplugged and plugged
// in again works again. Two sensors on one bus share it safely: the kernel orders
// their transactions. The way through the kernel needs a real bus.
//
// A Guard goes around the bus that a driver of periph's gets: no transaction begins
// after the read it belongs to has ended (TestGuardRefusesWhatComesTooLate), and an
// error has its cause even where the driver drops it
// (TestGuardKeepsTheCauseThatADriverDrops). A Place is the part of a sensor's
// settings that says where its chip is: a bus that nobody named is refused
// (TestPlaceReportsWhatCannotBe), and an address is printed in hexadecimal
// (TestAddressIsPrintedInHex). A Chip is how a kind of chip is recognised.
//
// Nothing is kept, so nothing can be lost here.
package bus
