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

	// Bits of contracts: the reading broke a rule of the contract its device is under, and landed all the same.

	// ContractType marks another kind of value than the contract declares.
	ContractType Quality = 1 << 16
	// ContractUnit marks a unit that cannot be converted to the declared one; value and unit are as they came.
	ContractUnit Quality = 1 << 17
	// ContractRange marks a number outside the declared range, or not a declared multiple.
	ContractRange Quality = 1 << 18
	// ContractRate marks a value that moved faster than declared.
	ContractRate Quality = 1 << 19
	// ContractStuck marks a value that did not move for longer than declared.
	ContractStuck Quality = 1 << 20
	// ContractEnum marks a value that is none of the declared ones.
	ContractEnum Quality = 1 << 21
	// ContractPattern marks a text that does not have the declared form or length.
	ContractPattern Quality = 1 << 22
	// ContractNull marks a reading without a value where one is required.
	ContractNull Quality = 1 << 23
	// ContractExcess marks a reading beyond the declared number in an interval.
	ContractExcess Quality = 1 << 24
	// ContractLate marks a reading that was older than allowed when it came.
	ContractLate Quality = 1 << 25
	// ContractSeries marks a series that the contract does not name.
	ContractSeries Quality = 1 << 26
	// ContractAnomaly marks a value that is unlikely after those before it; see the contract's anomaly rule.
	ContractAnomaly Quality = 1 << 27
	// ContractMasked marks a value that was hashed or masked because it is personal.
	ContractMasked Quality = 1 << 28
)

// DeviceBits are the bits a device may set.
const DeviceBits Quality = 0xff
