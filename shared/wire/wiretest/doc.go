// Package wiretest is what benchmarks of sizes have in common: how many bits the readings of a batch are worth
// (FloorBits), and what the same readings take as JSON and SenML. No program links it.
//
// It does not know package wire, so that wire's own tests can use it and the floor owes the encoder nothing.
// It promises that the floor is below what any of the encodings takes (TestFloorIsBelowTheOthers).
package wiretest
