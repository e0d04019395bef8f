// Package roster is the list of the kinds of sensor this agent knows, and of the
// sensors it was told to read.
//
// In the configuration a sensor has a name, a schedule and exactly one section
// that is named like its kind:
//
//	sensors:
//	  - name: air
//	    interval: 100ms
//	    bme280: {bus: sim}
//	  - name: self
//	    interval: 10s
//	    machine: {}
//
// Check reports all that is wrong with such a list before anything is opened
// (TestCheckReportsEveryProblem); Plans makes of it what a sampler runs
// (TestPlansRunOnTheSimulatedBus). A new kind is one field of Settings and one
// line of Kinds (TestEveryKindHasItsSection).
//
// Every chip runs from these lines on any machine
// (TestChipsRunFromTheConfiguration), and whatever one does, no other is disturbed
// (TestFaultsOfOneChipDisturbNoOther). Chips says how they are found on a bus
// (TestEachChipIsIdentified, TestIdentifyDisturbsNoOpenChip).
//
// Nothing is kept, so nothing can be lost here.
package roster
