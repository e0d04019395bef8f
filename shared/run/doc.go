// Package run starts the stages of a program in order and stops them in reverse.
//
// A stage is started when the one before it is ready. When the context ends, or as soon as one stage
// fails, the stages are stopped one at a time, the last one first, each within its own deadline, so
// that a stage can still hand its work to the one before it.
//
// Promise: no stage runs before its predecessor is ready (TestStartsInOrder), each is told to stop only
// after its successor has ended (TestStopsInReverse), every error is returned with the stage's name
// (TestErrorsAreJoined), and a stage that ends without a reason is an error (TestEarlyEndIsAnError).
// What can be lost: a stage that overstays its deadline is left behind running, and that is an error
// (TestStopDeadline); the program should then exit, since nobody waits for that stage any more.
package run
