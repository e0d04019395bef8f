// Package seqset holds sets of sequence numbers as ascending half-open ranges.
//
// It is the one arithmetic behind the agent's "what may I forget" and the
// gateway's "what is not closed yet", so a wrong answer here loses or doubles
// readings: every method is held against a plain map of numbers.
//
//	I1  Ranges ascend, do not touch and are not empty, after every call. TestSetBehavesLikeAMapOfNumbers.
//	I2  FromFlat accepts exactly what Flat writes. TestFlatFormIsStrict.
//	I3  Coarsen never drops a seq. TestCoarsenOnlyAdds.
//
// A Set is a value with a slice inside: copy it with Clone. It is not safe for
// concurrent use. Nothing here fails except FromFlat, which reads what others wrote.
package seqset
