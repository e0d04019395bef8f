// Package bus opens the I2C buses of the machine through periph.
//
// A bus is named by its number: 1, i2c-1, I2C1 and /dev/i2c-1 are the same. It
// is opened anew for every opening of a sensor, by its device file and not by a
// list made at start, so that an adapter that is unplugged and plugged in again
// works again. Two sensors on one bus share it safely: the kernel orders their
// transactions.
//
// Nothing is promised beyond what the kernel says; there is nothing to lose.
// Names are proved by TestNumber; the way through the kernel needs a real bus.
package bus
