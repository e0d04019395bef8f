// Package seal turns rows into sealed batches: columns, one numbering, one time kind each.
//
// It promises:
//
//	I1  Every cell of every row is in exactly one batch and takes one seq; seqs are dense from the first.
//	                                                              TestEveryCellTakesOneSeq
//	I2  A batch makes no promise that a later batch of the same call breaks.  TestPromiseHoldsAcrossSplits
//	I3  Rows too many for one batch are split; a row that cannot be sealed at all becomes a gap `damaged`
//	    over its seqs and costs no other row.                     TestTooLargeIsSplit, TestPoisonRowBecomesGap
//	I4  What Check accepts, the encoder accepts.                   TestCheckedRowsSeal
//
// A Sealer is for one goroutine.
package seal
