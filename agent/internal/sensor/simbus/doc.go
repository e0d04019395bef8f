// Package simbus is an I2C bus with chips on it that exist only as registers, so
// that the agent runs, is tested and is measured on any machine with the same
// drivers as on real hardware.
//
// A Bus is periph's i2c.BusCloser with any of these on it: BME280, BMP280, MCP9808,
// INA219, ADS1115, SHT4x, and DS18B20s behind a DS2482. A chip is one small type:
// its registers, and what the weather of the moment (Weather) does to them, with
// the noise and the time that its data sheet says. A BME280 inverts the
// compensation of the data sheet, so that the driver gets nothing but counts.
//
// Promises:
//   - periph's unmodified drivers run on it and read the weather back within the
//     chip's noise. (TestDriverReadsTheWeather, TestDriversReadTheirChips)
//   - Everything is a function of seed and time. (TestSameSeedSameCounts)
//   - Recording gives, at once, exactly the rows that this driver would have
//     given over hours. (TestRecordingIsWhatTheDriverReads, in package bme280)
//
// Faults are switched on by tests, and are the same for all chips: Unplug, Nack,
// Hang, Busy, Stick, Ones, Damage; single DS18B20s have some of their own (Probe).
// A hanging transaction holds up its own chip only, as on a bus with one chip a
// segment.
//
// Not modelled: SPI, the IIR filter and normal mode, BMP180, the limits and alerts
// of chips, the time a transaction takes on the wire.
package simbus
