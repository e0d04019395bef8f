// Package sketch sums up many values in little memory: an exact sum, quantiles within a relative error, and an estimate
// of how many are distinct.
//
// Promises:
//
//	I1  every sketch merges, and the result depends on neither the order of the values nor on how they were split:
//	    not within an error, but bit for bit (TestAnyOrderAnySplit);
//	I2  Sum is exact: what it returns is the sum of all that was added, rounded once (TestSumIsExact);
//	I3  Quantiles.At(q) is within RelativeError of the value of rank floor(q*(n-1)), for values between 1e-300 and 1e308
//	    and their negatives (TestQuantiles);
//	I4  Distinct is exact up to DistinctExact values; beyond, its standard error is DistinctError (TestDistinct).
//
// | sketch | memory |
// |---|---|
// | Sum | 0.6 KiB |
// | Quantiles | 8 bytes for each bucket in use, of which a factor of e takes 500: a temperature 6 KiB, noise around zero 60 KiB |
// | Distinct | at most 64 KiB, 8 bytes per value while there are few |
//
// Nothing is kept on a disk, so nothing can be lost here. A sketch belongs to one goroutine at a time.
package sketch
