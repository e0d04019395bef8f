// Package settings is the agent's configuration: one tree, one constructor with
// every default, one check that reports all problems at once.
//
// Promise: a file with an unknown key, a duplicate key, a wrong type or a value
// that cannot work is refused with file:line:column and the dotted path, all
// problems in one go (TestEveryProblemAtOnce); the printed configuration reads
// back as itself (TestPrintedConfigurationReadsBack); the example in configs/
// is valid (TestExampleIsValid). A password in the broker's URL is never
// printed (TestPasswordIsNotPrinted).
package settings
