// Package sht4x reads Sensirion's SHT40, SHT41 and SHT45. periph has no driver for them; this is one.
//
//	series       unit  decimals  why so many
//	temperature  Cel   3         a step of the converter is 0.0027
//	humidity     %RH   3         a step of the converter is 0.0019
//
// (TestUnits, TestDataSheet.) Both words of an answer have a checksum; when one is
// wrong, nothing is returned (TestDamagedAnswerIsAnError). The heater is never
// switched on (TestNothingButMeasuring).
//
// Nothing is kept, so nothing can be lost here.
package sht4x
