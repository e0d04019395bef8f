// Package probe looks what sensors a machine has and writes them down as the
// sensors of a configuration.
//
// It looks at the I2C buses, at the kernel's IIO devices, 1-wire thermometers and
// power supplies, at what of the machine itself can be read, and at the serial
// ports, of which it can tell no more than the name.
//
// Promises:
//   - What it writes is a configuration that the agent takes, whatever it found and
//     whatever it is called (TestNothingIsAConfigurationToo, TestNamesAreTakenAsTheyAre),
//     and that reads each chip it has named, down to the lake (TestWhatProbeFindsLands).
//   - A bus is asked with reads, and with what a driver of ours declares harmless
//     (bus.Chip). An address that no chip of ours can have is only read from. An
//     address that belongs to a kernel driver is not touched at all, nor is, unless
//     it is asked for by number, a bus of the mainboard or of a screen
//     (TestWhatBelongsToOthersIsLeftAlone).
//   - A bus that hangs is given up after BusLimit, and what it said by then is told
//     (TestBusThatHangs).
//
// What it cannot find: chips that answer only after they were configured, probes
// behind a multiplexer, and what speaks over a serial line or the network.
package probe
