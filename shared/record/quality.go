package record

// Quality is a set of documented bits; 0 is good. Bits 0..7 are set on the
// device and travel in the batch, bits 8..15 are set when the reading lands,
// bits 16..30 belong to contracts.
type Quality uint32

const (
	// ReadError marks a scheduled sample that failed: the reading is null.
	ReadError Quality = 1 << 0
	// Suspect marks a value that the driver itself doubts (a status bit of the chip, say).
	Suspect Quality = 1 << 1
	// Stuck marks a value that did not move for longer than the series allows.
	Stuck Quality = 1 << 2

	// ClockGateway marks an event time that rests on the gateway's clock and may be off by more than a second
	// (clock_error). A tighter one is as good as that of a device with a clock of its own, and carries no bit.
	ClockGateway Quality = 1 << 8
	// ClockBounded marks an event time of a boot without an anchor: only bounds are known.
	ClockBounded Quality = 1 << 9
	// FutureTime marks an event time ahead of its received time, within the allowed skew.
	FutureTime Quality = 1 << 10
)

// DeviceBits are the bits a device may set.
const DeviceBits Quality = 0xff
