// Package bme280 reads Bosch's BME280 and BMP280 (temperature, pressure, and
// humidity on the BME) and the older BMP180, through periph's bmxx80 driver.
//
//	series       unit  decimals  why so many
//	temperature  Cel   2         the chip's own compensation gives 0.01
//	humidity     %RH   3         a step of the converter is about 0.008
//	pressure     Pa    1         a step of the converter is at least 0.16, its noise at least 0.2
//
// These are the fewest decimals that keep all steps of the converter apart, so
// nothing the chip can tell is dropped, and no digits that it cannot tell are
// stored (TestUnits).
//
// A value that the chip does not have is absent, never 0: the driver leaves
// pressure and temperature 0 (0 K) where nothing was measured, and humidity on
// a BMP280 (TestAbsentIsNotZero). A chip without humidity should be configured
// as model bmp280; as bme280 it would give a null humidity at each tick.
//
// A chip that loses power for a moment forgets to measure humidity, and the
// driver would report a plausible constant from then on. Such a read is an error
// instead, and the sampler's next opening sets the chip up again
// (TestChipThatLostItsSettingsGivesNoMadeUpHumidity).
//
// The driver polls the chip's busy flag without end. Every transaction here
// checks the deadline of the read first, so that a chip which stays busy costs
// one read and not one processor (TestChipThatStaysBusyEndsWithTheRead). A
// transaction that the kernel itself does not finish cannot be ended by us; the
// sampler abandons it.
//
// Nothing is kept, so nothing can be lost here.
package bme280
