// Package uplink carries sealed batches from the outbox to the gateway over MQTT
// and brings back what the gateway says of them. See protocol.md, section 4.
//
// What it promises:
//
//	I1  No batch leaves before the hello of this connection is answered, so the
//	    broker is a pipe and never a store.   TestNoBatchBeforeHelloIsAnswered,
//	                                          TestGatewayAbsentMeansNoBatchEver
//	I2  Only an ack that echoes this connection's nonce reaches Queue.Apply. A
//	    PUBACK, a paho token or a retained ack deletes nothing.
//	                                          TestForeignNonceDeletesNothing
//	I3  What is not `stored` is sent again: after a time, and after a reconnect.
//	                                          TestResendAfterReconnect, TestResendWhenAcksSkipABatch
//	I4  The live lane never waits for credit, the backlog lane never starves: stale
//	    credit is the floor rate, not zero.   TestStaleCreditStillDrainsAndLiveNeedsNone
//	I5  A nack loses nothing: the batch is kept, and the next try backs off.
//	                                          TestNackKeepsTheBatch
//	I6  A broker that accepts and never answers is left: no ack for three keepalives
//	    closes the connection.                TestSilentGatewayEndsTheConnection
//	I7  A hostile broker cannot make us allocate: packets beyond 256 KiB end the
//	    connection before paho reads them.    TestOversizedPacketIsRefused
//	I8  A device that knows the time only from the answer tells it before its first batch: when this boot
//	    began bounds the ones before it.      TestClocklessDeviceSaysHelloAgain
//
// TestNothingIsLostInAnyMood holds I1, I2, I3 and I5 together against seeded disorder, and
// TestEverythingArrivesThroughBrokerLosses against a real broker that dies again and again.
//
// What it can lose: nothing. It holds no reading; all it forgets is sent again.
//
// Each connection has a new paho client with AutoReconnect off and a clean session:
// with AutoReconnect a paho token of a publish whose PUBACK never came completes
// without error. The reconnect loop is ours, with full jitter, and starts from the
// shortest delay again only after a connection was healthy for a minute.
//
// Concurrency: Run owns all state of a connection in one goroutine; paho's goroutines
// only put messages into a bounded channel. Run returns when they have ended.
package uplink
