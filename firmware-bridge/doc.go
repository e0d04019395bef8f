// Package firmwarebridge is where microcontrollers join the river: a link over
// a serial line that ends in the agent's outbox.
//
// It holds no code yet and promises nothing. What it may rely on is settled: a
// reading is accepted when the agent's Append has returned, never before, so a
// bridge acknowledges to a microcontroller only what it has appended.
package firmwarebridge
