// Package consumer lets devices in through a broker that somebody else runs: a client that hears what devices publish
// there and carries acks and nacks back. It stores nothing. Its sister is frontdoor; behind both is one door.Handler.
//
// Promises:
//
//	I1  A message is acknowledged to the broker once the Handler returned nil: it is fsynced in the log, or refused with a
//	    nack. Until then the broker keeps it for our session and sends it again on the next connection
//	    (TestUntakenComesAgain).
//	I2  While the log takes nothing, no message is acknowledged, of any device; each is tried again within seconds, and all
//	    go on when there is room (TestWithheldWaitForTheLog, TestBrokerAndFullLog). Nothing spins: the broker sends no
//	    more than its window, and we take no more than ours. (One without a window, as Mosquitto is with
//	    max_inflight_messages 0, has its answers wait behind our window while the log is full: its connection is then
//	    given up and made again, and it is called unreachable.)
//	I3  Messages of one client are handled in the order in which the broker sent them, those of others beside them.
//	I4  No message takes more memory than door.MaxPacket, and none can stop the others by coming again and again
//	    (TestTooLongIsCropped, TestCrop, TestNobodysMessageIsDropped).
//	I5  Who could not be told something is told later (TestPublishAndMissed).
//	I6  A broker that is away, lets us not in, gives our session to another, or carries no large batches is named in health,
//	    with what to do (TestAccessList, TestSessionTakenIsNamed, TestPacketLimitIsNamed).
//
// What can be lost: nothing. A broker's own PUBACK means nothing to a device: Mosquitto gives it for messages that it
// drops a moment later because a queue is full, and keeps queues in memory. A device keeps a batch until our ack, which
// comes on a topic, has called it landed, and sends it again while it is not called stored. So a broker may be killed,
// lose its persistence, or drop what does not fit its queues: TestMosquittoKilled, TestMosquittoDrops.
//
// # The session
//
// It is persistent, under client_id. What it gives: what the broker has for us when we are killed comes at the next
// start, at once, and not only when its device has waited long enough to send it again. What it costs: while we are away
// the broker queues for us, at most its own limit (Mosquitto: max_queued_messages, 1000), and what is beyond is dropped,
// of any device. Little comes meanwhile: a device sends no batch before the hello of its connection is answered, and
// leaves a connection on which nothing was answered for 90 s. Redelivered messages do no harm: the log may hold a batch
// twice, a cursor admits it once.
// A shared subscription would allow several gateways; the protocol has one lake per device, so it would be wrong.
//
// Two gateways on one broker would each answer for the other. That is why all have one client_id unless told otherwise:
// they end each other's sessions, and say so. Readings are then spread over two lakes and doubled in neither
// (TestTwoGatewaysOnOneBroker).
//
// # Who is who
//
// The embedded broker compares batch, topic and session. Here there is no session to look at: a batch must be of the
// device that the topic names, and that a client publishes on no topic but its own is for the broker's access list to
// see to (TestAccessList has this one run):
//
//	user gateway
//	topic read hw/1/up/+/+
//	topic write hw/1/down/+/+
//	topic readwrite hw/1/probe/+
//
//	user importer
//	topic write hw/1/up/+/+
//	topic read hw/1/down/+/+
//
//	pattern write hw/1/up/%u/+
//	pattern read hw/1/down/%u/+
//
// with the user of each device named like the device: a client id alone is what anybody says. An import of a file has a
// topic of its own, <device>~import-<hash>, which no pattern describes, so whoever imports may send as any device. Without
// a list every client can; what it can do with that is what a clone can, and is seen as one.
//
// # Traps of paho that are worked around
//
// Each connection has a new client, without its reconnect (its tokens complete without error over one). Its reader must
// not wait, so a dealer takes messages from it; its notice of a lost connection comes only after its handlers have
// returned, so the net.Conn tells us. It makes room for any length that a packet states, so croppedConn cuts. A publish
// at the wrong moment waits for its write timeout, which is why that is short.
//
// Conservation: headwater_broker_received_total = acknowledged + topic + retained + abandoned + those that wait
// (TestWithheldWaitForTheLog). What the broker retained is a copy of what was heard before, and is dropped: an old hello
// would call a device seen at each connection (TestRetainedCopyIsDropped).
//
// Mosquitto's set_tcp_nodelay is off by default, which costs up to 40 ms per message on a quiet line.
package consumer
