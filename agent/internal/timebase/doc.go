// Package timebase is the one place where the agent asks what time it is.
//
// Devices often have no real-time clock and start in 1970, so readings are
// stamped with monotonic time since boot (CLOCK_BOOTTIME, which runs on while
// the machine sleeps), and an anchor that ties this clock to wall time travels
// beside them. An anchor may come late, and a better one may replace it.
//
// Promises:
//   - Monotonic never falls and never jumps with the wall clock.
//   - Anchor states the best that is known at this moment: the device's own
//     clock while the kernel says that it is disciplined, else the gateway's
//     time as learned from a hello, else the unset clock of the device.
//     (TestAnchorPrefersTheBestClock)
//   - The uncertainty covers half the round trip of what was learned and grows
//     with its age. (TestLearnedTimeAges)
//   - The generation rises when two anchors of one boot contradict each other,
//     that is when a clock was stepped by more than both anchors admitted, so
//     that the lake can tell rows stamped before from rows stamped after.
//     (TestStepRaisesGeneration)
//
// What can be lost: nothing is stored here. A new process of the same boot
// starts at generation 1 unless it is told the last anchor of the old one
// (Resume).
//
// On systems other than Linux there is no boot clock and no boot id that we can
// read: monotonic time starts with the process and the boot id is random, so
// that every process is a boot of its own.
package timebase
