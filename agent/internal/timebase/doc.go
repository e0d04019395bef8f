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
//     clock while the kernel says that it is disciplined; else what it or the
//     gateway said before, whichever is better known, or where they contradict
//     each other the later; else the unset clock of the device.
//     (TestAnchorPrefersTheBestClock)
//   - An anchor is not farther from the truth than it says, as long as those
//     are honest that it rests on. Half the round trip of an answer is part of
//     that, and 100 ppm of its age. (TestAnchorsAdmitTheirError)
//   - The generation rises when two anchors of one boot contradict each other,
//     that is when a clock was stepped by more than both anchors admitted, so
//     that the lake can tell rows stamped before from rows stamped after.
//     (TestStepRaisesGeneration)
//   - A process that starts while the gateway is away goes on with what the last
//     one of its boot knew (Resume). (TestRestartKeepsWhatTheProcessBeforeKnew)
//
// The floor is a wall time that has passed: what the last trusted clock said, less
// its error. The outbox keeps it on flash. A wall clock below the floor of an
// earlier process, or below the birth of this program, is unset, whatever the
// kernel says: a battery that died, a file system date. A clock of the future
// cannot poison it for long: an own clock that the gateway contradicts raises no
// floor, and an answer of the gateway lowers one that is ahead of it. Where no
// gateway is heard a poisoned floor stays, and the device counts as unset until
// one is; nothing is sent before that anyway. (TestFloor)
//
// What can be lost: nothing is stored here. The floor on flash may be a day old
// after a power cut.
//
// Scripted is the same clock over a device that a test describes: the end-to-end
// tests hand it to the agent in HEADWATER_CLOCK. (TestScriptedClock)
//
// On systems other than Linux there is no boot clock and no boot id that we can
// read: monotonic time starts with the process and the boot id is random, so
// that every process is a boot of its own.
package timebase
