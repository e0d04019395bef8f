// Package ina219 reads Texas Instruments' INA219, which measures the voltage of a
// supply and the current through a shunt, through periph's driver.
//
//	series   unit  decimals  why so many
//	voltage  V     3         of the supply; a step is 4 mV
//	shunt    V     5         across the shunt; a step is 10 uV
//	current  A     5         by default; a step is max_current / 32768
//	power    W     3         by default; a step is 20 steps of the current
//
// (TestUnits, TestDataSheet.) The chip gives the power as a magnitude; the reading has
// the sign of the current, so that a battery that is charged and one that is
// discharged can be told apart (TestUnits).
//
// The driver sets the chip to 16 V, where 24 V would read as 16; Open sets it to
// 32 V, with the same steps. A value at the end of its range was clipped and is
// absent (TestClippedIsAbsent); a current above max_current is an error. Values are
// means of 128 conversions and move every 0.14 s.
//
// Before its first conversion the chip says 0 V, so Open waits for it. A chip that
// has lost power for a moment says 0 A for ever, so its settings are read back at
// each read, and when they are gone the read is an error and the chip is set up
// again (TestPowerLossIsNotZeroCurrent). The chip has no checksums.
//
// Nothing is kept, so nothing can be lost here.
package ina219
