// Package landtest holds a log and a lake in memory, and writes the records that devices send, for the tests of
// landing and committing. It keeps the contract of the real ones: a commit lands whole or not at all, against the
// marks it expects, and nothing is deduplicated but by those.
//
// It promises nothing and nothing can be lost; TestLakeRefusesWhatItShould of package commit shows that it refuses.
package landtest
