// Package record holds the words of Headwater as plain values: device, epoch,
// boot, seq, reading, quality. It imports nothing of ours and does no I/O.
//
// A reading is one value of one series and is named for ever by the triple
// (device, epoch, seq). Everything that deduplicates, acknowledges or counts
// does so by that triple.
package record
