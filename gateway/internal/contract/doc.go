// Package contract reads data contracts and judges readings by them.
//
// A contract is a file of the Open Data Contract Standard, version 3.1, one per data product. What the standard has a
// word for stands where the standard wants it; what it has none for stands in customProperties, under the names that
// this package knows; names with a dot belong to other tools. One object of its schema has physicalType: series, and
// its properties are the series of the devices that the contract is for; other objects document tables of the lake.
//
// A contract becomes rules, and a rule has an action: flag (the reading lands with a quality bit), quarantine (it is
// kept aside, with the rule, and can be replayed) or drop_with_gap (it is given up and counted). Of several broken
// rules the strongest action counts, and of equal ones the first in the order of Rules; the bits of all are kept.
//
// Promises:
//
//   - Judge is a function of the batch, the contract and the state of the series: no clock, nothing hidden.
//   - The state is moved by readings that land and are newer than it, so it is a function of the log.
//   - Null: lands as null, unless required. NaN and infinity: land, unless a range is declared, which they are outside
//     of. Integers land exactly; a range compares them as the nearest double.
//   - A file is refused with every problem in it, each with its line and what to write instead.
//
// Nothing is kept here, so nothing can be lost here.
package contract
