// Package agent holds no code: it is the folder of the agent's stages, in the
// order in which a reading passes them.
//
//	sensor   reads a chip, or makes rows by itself      nothing kept, nothing promised
//	sampler  asks each sensor when it is due            a tick gives a row, or is counted as missed
//	outbox   keeps what was accepted until it landed    accepted: survives the process; durable within flush_interval
//	uplink   carries batches, brings back what landed   sends nothing before it is answered, forgets nothing by itself
//
// timebase says what time it is, settings what to do, status how it goes; app
// joins them, and cmd/headwater-agent is main. Each package's doc.go says what
// it promises, what can be lost, and which test proves it.
package agent
