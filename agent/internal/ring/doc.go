// Package ring is the bounded log of accepted rows and sealed batches in RAM: a file on tmpfs, mapped
// shared, so that it outlives the process and costs no flash; or plain heap where there is no tmpfs.
//
// It promises:
//
//	I1  A record whose Append returned is found by Recover after a kill -9 at any later instruction,
//	    until it is released.                       TestKilledProcessLosesNothing (package outbox)
//	I2  A record that is damaged is reported and costs no other record.  TestDamage
//	I3  Space is given back when everything before it is released, in any order.  TestAgainstModel
//
// It loses: everything with the power, and with the process where it is a heap ring.
//
// # Format, version 1 (host memory only, never on the wire; little-endian)
//
// Two header slots of 512 bytes, written in turn, the valid one with the higher generation counts:
//
//	magic "HWR1", length n u32, generation u64, n bytes of the fields of Header, CRC-32C of all before
//
// and behind 4096 bytes the data, a circle of records that never wrap, each at a multiple of 8:
//
//	0   pos u64       place in the endless log; pos mod capacity is where the record lies
//	8   counter u64   of the row, per process; 0 for others
//	16  length u32    of the payload
//	20  kind u8       1 row, 2 sealed, 3 filler to the end of the circle
//	21  state u8      1 = released; the one field outside the CRC
//	22  readings u16  of a row, so that a damaged payload can still be counted
//	24  CRC-32C of the payload
//	28  CRC-32C of the 21 bytes before state and the 6 behind it
//	32  payload
//
// A header is written behind its payload, so a torn record is no record.
//
// Concurrency: none; the owner's lock covers it.
package ring
