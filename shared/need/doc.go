// Package need is how a test says what it needs of the machine it runs on.
//
//	broker := need.Tool(t, "mosquitto", "apt-get install mosquitto")
//	python := need.Python(t)    // an interpreter that can import scripts/requirements.txt
//	data := need.Data(t)        // the folder of real series
//	need.Root(t)
//	need.Mount(t)               // may mount file systems; need.Loop: has loop devices, too
//	dir, freeze, thaw := need.Freezer(t) // a disk whose writes can be made to hang
//
// Where the machine has it not, the test is skipped, and `make test` lists the reason at the end. With
// HEADWATER_NO_SKIP=1, as in CI, a missing tool fails the test instead: a proof that is skipped for ever
// proves nothing. Real data is the exception: it is not part of the repository, so a fresh clone may lack
// it, and its tests are skipped by name even in CI.
//
// Promise: no test passes for lack of something; it skips or fails by name (TestMissingIsSkippedOrFails).
// Only tests may import this package; a rule in package rules holds them to it.
package need
