// Package simbus is an I2C bus with Bosch chips on it that exist only as
// registers, so that the agent runs, is tested and is measured on any machine
// with the same driver as on real hardware.
//
// A Bus is periph's i2c.BusCloser with BME280s or BMP280s at 0x76 and 0x77. A
// chip has an identity register, calibration words, control, status and data
// registers. A measurement takes the weather of the moment (Weather), adds the
// noise of the data sheet for the chosen oversampling, and turns it into
// converter counts by inverting the data sheet's compensation, quantised to the
// bits that this oversampling gives. The driver gets nothing but these counts.
//
// Promises:
//   - periph's unmodified bmxx80 driver runs on it and reads the weather back
//     within the chip's noise. (TestDriverReadsTheWeather)
//   - Everything is a function of seed and time. (TestSameSeedSameCounts)
//   - Recording gives, at once, exactly the rows that this driver would have
//     given over hours. (TestRecordingIsWhatTheDriverReads, in package bme280)
//
// Faults are switched on by tests: Unplug, Nack, Stick, Busy, Hang. A hanging
// transaction holds up its own chip only, as on a bus with one chip a segment.
//
// Not modelled: SPI, the IIR filter and normal mode, BMP180, the time a
// transaction takes on the wire.
package simbus
