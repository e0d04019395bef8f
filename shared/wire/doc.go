// Package wire is the bytes between device, gateway and lake: sealed batch,
// envelope, hello, ack, nack. FORMAT.md and BODY.md beside this file are the
// authority; the vectors in testdata hold the code to them (TestVectors).
//
// # Promises
//
//	I1  What an encoder here writes, its decoder reads back bit for bit: float64 payloads,
//	    all of int64 and uint64, every timestamp. TestAnyBodyComesBackBitForBit.
//	I2  A decoder accepts exactly one spelling of a sealed part's header and of an envelope:
//	    writing again what was read gives the same bytes. FuzzParseSealed, FuzzParseEnvelope.
//	    Messages skip keys they do not know, so that a newer side may say more.
//	I3  No flipped bit of a sealed part, envelope or message passes. TestNoFlippedBitPasses.
//	I4  No input makes a decoder panic, recurse, or hold more than MaxBody of text, one body of
//	    MaxReadings cells and MaxColumns columns. TestHostileBodiesAreCheapToRefuse and the fuzz targets.
//
// # What can be lost
//
// Nothing in here is lost silently: an encoder that cannot carry a value (text that is not UTF-8, a
// name over MaxName) says so with ErrFormat before it writes a byte, and a batch that is too large
// with ErrTooLarge; a caller seals fewer rows then. What a decoder refuses is for its caller to quarantine.
//
//	what happens                   what it returns
//	damage on the way              ErrCRC: ask for it again
//	a newer peer                   ErrVersion: keep the batch, tell the operator
//	over a limit                   ErrTooLarge
//	a broken or hostile encoder    ErrFormat, with a CRC that fits
//
// # Concurrency
//
// An Encoder or Decoder holds zstd state and buffers and is for one goroutine;
// everything else is a pure function.
package wire
