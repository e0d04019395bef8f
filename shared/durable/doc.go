// Package durable changes files so that a power cut leaves the old state or the new one.
//
// A write is on the disk only after fsync of the file, and a name (new, renamed or removed) only after
// fsync of the directory that holds it. The functions here do both, in the one order that is safe.
//
// Promise: after WriteFile, MkdirAll, Rename or Remove returned nil, a power cut does not undo it, and a
// crash inside leaves the old content or the new, never a mixture (TestWriteFileFailsAtEveryStep). Only one
// process holds a Lock (TestLockNamesTheHolder), and the kernel drops it when that process dies.
// What can be lost: what an fsync that lies has lost; and a crash can leave a file named *.tmp behind,
// which the next WriteFile of that path overwrites.
//
// Disk.Step is the seam for fault tests: it is called before every step and can fail it, or end the process.
package durable
