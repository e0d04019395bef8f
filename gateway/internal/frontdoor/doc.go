// Package frontdoor is the embedded MQTT broker: it lets devices in, hands what they publish to intake before it
// answers, and carries acks and nacks back. It stores nothing.
//
// Promises:
//
//	I1  A PUBACK leaves only after the Handler returned nil, which means that the message is fsynced in the log or was
//	    refused with a nack (TestPubackOnlyAfterTheHandler). When the Handler withholds, there is no PUBACK and the
//	    connection is closed, so that the device knows at once (TestWithheldPublishIsNotAcknowledged).
//	I2  A client publishes on its own two topics and hears its own two topics, whatever it asks for
//	    (TestTopicsOfOthersAreRefused). Its id names the device it speaks for.
//	I3  A stranger costs little: no packet above 256 KiB, the first not above 16, 10 s to say CONNECT, so many
//	    connections in all and per address (TestOversizePacketClosesAtOnce, TestFirstPacketIsShort, TestSilentConnectionIsDropped, TestConnectionLimits).
//	    128 packets above 16 KiB are in memory at a time, and who is slow to send one goes when others wait
//	    (TestSlowLargePacketsMakeRoom). Idle connections do not lock out those who work: at the limit the oldest that
//	    has not said CONNECT goes, then the oldest that has said nothing since, then one that has been silent for three
//	    minutes (TestIdleConnectionsMakeRoom). Log and lake keep
//	    their file descriptors (TestConnectionsLeaveFileDescriptors).
//	I4  A second session with the id of a living one takes over, after the first has ended with all it was doing
//	    (TestTakeover).
//	I5  No address but loopback is listened on without the word of the operator (TestListenAddresses).
//
// What can be lost: nothing that a device has been told is stored. What is published to a client that is not there or
// does not read is dropped; its last ack is retained for it, in memory, and the Handler hears of every drop
// (TestSlowClientIsTold, TestUnconfirmedClientHearsAll).
//
// Only MQTT 3.1.1 is spoken, every session is clean, QoS 2 and wills are refused or ignored: the protocol needs none
// of these, and each is state that a stranger can make us keep.
//
// What of the broker library is worked around here, each with its reason at the place: it calls a publish that its
// hook refused acknowledged, unless the error is ErrRejectPacket; it waits for CONNECT without end; one failed accept
// stops its listener; the end of a session that is taken over can remove the one that took over; a client without
// keepalive is never timed out; an invalid topic is neither acknowledged nor refused; it logs whole payloads.
package frontdoor
