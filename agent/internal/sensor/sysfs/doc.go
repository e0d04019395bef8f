// Package sysfs reads the small files in which the Linux kernel shows its
// devices, for the sensors that are nothing but such files.
//
// A Tree is a root directory below which sys, proc and dev are found: / on a
// device, a directory of a test, or a host's files inside a container.
//
// Promises:
//   - Text never waits for data that are not there: a pipe, or a file whose
//     driver says "later", is an error at once, where os.ReadFile would wait in
//     Go's poller for an event that never comes. (TestTextDoesNotWait)
//   - An empty file is an error: it holds no value. (TestTextSaysWhatIsWrong)
//   - Soon gives up on a file that the kernel holds up, as a dead bus can, so
//     that what is looked at before the start cannot hold the start up.
//     (TestSoonGivesUp)
//   - Names are in the order a person counts: hwmon2 before hwmon10.
//     (TestGlobCountsAsPeopleDo)
//
// What is not prevented: a read that the kernel itself holds up. Package sampler
// leaves such a read behind, shows its sensor as hung, and goes on with the others.
//
// Nothing is kept, so nothing can be lost here.
package sysfs
