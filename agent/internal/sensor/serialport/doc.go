// Package serialport opens serial lines: ports of the board, USB adapters, RS-485
// transceivers, and ptys.
//
// A port is an *os.File on which deadlines hold and whose Close wakes a Read,
// because the line is opened without blocking and joins the poller of the
// runtime. It is raw, eight bits, ignores modem lines, and is locked, so that two
// sensors (or a terminal program that locks too) never share one by mistake.
// Any baud rate is asked for as a number; what the hardware cannot do is an error.
//
// Promises, held on ptys by TestPort:
//   - A Read ends at its deadline, at Close, and when the other end is gone; never later.
//   - What is sent arrives as it is: no echo, no line endings changed, no XON or XOFF.
//   - A port that is in use is not opened a second time.
//
// The package exists because the modules at hand do less in more lines:
// go.bug.st/serial polls with select, has no deadline for a write and ends a Read
// at Close by a second pipe; goburrow/serial reports an unplugged adapter as an
// endless row of empty reads and writes to the default logger.
//
// Nothing is kept, so nothing can be lost here. What the kernel held for the line
// before it was opened is discarded.
package serialport
