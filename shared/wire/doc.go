// Package wire is the bytes between device, gateway and lake: sealed batch,
// envelope, hello, ack, nack. FORMAT.md beside this file is the authority; the
// vectors in testdata hold the code to it.
//
// Promises: what an encoder here writes, the decoder reads back bit for bit; a
// decoder accepts exactly one spelling of a header, envelope or message; no
// input makes a decoder panic, recurse, or hold more than MaxBody.
//
// Encoders and decoders that hold zstd state are for one goroutine each;
// everything else is a pure function.
package wire
