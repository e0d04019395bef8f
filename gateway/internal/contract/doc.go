// Package contract reads data contracts, judges readings by them, compares their versions and drafts first ones.
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
//   - Judge is a function of the batch, the contract and the state of the series: no clock, nothing hidden; a cell has
//     one fate, and the batch stays as it was (TestEveryCellHasOneFate, TestRules, TestTimes).
//   - The state is moved by readings that land, are newer than it, and break no rule on type, unit, range, enum or
//     future, so it is a function of the log; a reading older than it is judged by those of its own batch. What is
//     held back moves nothing (TestStatefulRules, TestFutureMovesNothing, TestAnomaly).
//   - Null: lands as null, unless required. NaN and infinity: land, unless a range or a multiple is declared, of which
//     they are outside, or an integer, which they are not. Integers land exactly; a range compares them as the nearest
//     double, an enumeration exactly (TestRules).
//   - A value is converted to the declared unit to the last bit where a decimal point moves; integers that would lose
//     digits, and units of another scale, break the rule unit and stay as they came (TestUnits, TestConversionIsExact,
//     TestIntegersKeepTheirDigits). No unit is none of the declared one.
//   - A file is refused with every problem in it, each with its line and what to write instead; no file panics
//     (TestProblems, FuzzParse).
//   - What is taken is valid by the published schema, and datacontract-cli takes the examples (TestContractsAreODCS).
//   - A check over windows keeps its operator as it is, strict or not (TestWindowChecks).
//   - Where nothing is broken and nothing converted, judging allocates nothing (TestJudgeAllocatesNothing).
//
// Compare says how far a version is from the one before (TestCompare, TestVersionsRise):
//
//   - compatible: who reads or feeds the tables need not know: a new series or device, a wider range, enumeration or
//     interval, a weaker action, a longer retention, a stronger service level, null allowed, words, window checks;
//   - migration: nothing that was promised is lost, but rows before and after mean different things, or readings that
//     were good are not any more: another unit of the same scale (the column unit tells which), integer to number,
//     a tighter rule, a stronger action, a weaker service level. Rows that landed are not judged again;
//   - breaking: a promise is taken back: a series or device gone, another kind or dimension, a unit dropped, required
//     where it was not, a shorter retention, other handling of persons. It is refused unless the contract says
//     compatibility: none.
//
// A version number rises with every change of the text, its first number with a breaking one.
//
// Nothing is kept here, so nothing can be lost here. A key of pseudonyms that is lost makes old and new ones differ.
package contract
