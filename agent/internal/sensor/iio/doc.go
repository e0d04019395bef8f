// Package iio reads what the Linux kernel's Industrial I/O drivers measure:
// hundreds of chips, without a driver of ours.
//
//	iio: {device: bme280}                       # all of its channels
//	iio: {device: ads1115, channels: {voltage0: tank_level, voltage1: ""}}
//
// A device is called by its name, its label, iio:deviceN or N. Numbers change
// when something is plugged in, names do not; so it is looked up at each opening,
// and a name that two devices have is refused. At each read the name is still
// that of the device (TestNumberOfAnotherDevice).
//
// A channel is a file in_<channel>_input, or in_<channel>_raw with scale and
// offset: value = (raw + offset) * scale. Scale and offset belong to the channel
// (in_voltage0_scale), to all of its type (in_voltage_scale) or to the device
// (in_scale, scale); the nearest one counts. They are read each time, because a
// chip may change its range.
//
// The kernel's base units (Documentation/ABI/testing/sysfs-bus-iio) become
// SenML's: milli degrees Cel, kPa Pa, milli % %RH, mV V, mA A, mW W, nF F,
// Gauss T, the others by a factor of one; the table is kinds. RFC 8428 has no
// angular velocity, which stays rad/s. A raw channel without a scale is a bare
// count and has no unit: nobody knows what one step of it is.
//
// Arithmetic is decimal and exact; the value is then cut to the fewest decimals
// that keep two steps of the converter apart, and is the float64 nearest to that
// decimal.
//
// What is listed in channels is due from the start, whether the device is there
// or not. Without a list the channels are found at the start of the agent; of a
// device that is not there then nothing can be announced, and each opening says
// what to do. (TestDeviceThatComesLater)
//
// Proved by TestGolden on whole trees of files, one channel per unit, and by
// TestBadFiles: a file that is gone, empty, garbage, a pipe or without its scale
// costs its own reading and no other. Nothing is kept, so nothing can be lost here.
package iio
