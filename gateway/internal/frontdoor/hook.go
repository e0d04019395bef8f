package frontdoor

import (
	"bytes"

	mqtt "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/packets"

	"github.com/headwater-iot/headwater/shared/record"
	"github.com/headwater-iot/headwater/shared/topic"
)

// version311 is the protocol level of MQTT 3.1.1.
const version311 = 4

// hook is where the broker asks. Its methods are called from the goroutine of the client they are about.
type hook struct {
	mqtt.HookBase
	door   *Door
	take   func(client string, what topic.What, payload []byte) error
	missed func(client string)
}

// ID names the hook.
func (*hook) ID() string { return "headwater" }

// Provides says which questions the hook answers.
func (*hook) Provides(question byte) bool {
	return bytes.IndexByte([]byte{
		mqtt.OnConnect, mqtt.OnConnectAuthenticate, mqtt.OnSessionEstablish, mqtt.OnACLCheck,
		mqtt.OnPacketRead, mqtt.OnPublish, mqtt.OnPublishDropped,
	}, question) >= 0
}

// OnConnect turns away who is not a device that speaks MQTT 3.1.1.
func (h *hook) OnConnect(cl *mqtt.Client, pk packets.Packet) error {
	if cl.Properties.ProtocolVersion != version311 {
		return h.turnAway(cl, "version", packets.ErrUnsupportedProtocolVersion)
	}
	// The broker makes a name up for a client that has none.
	if _, err := record.DeviceOf(pk.Connect.ClientIdentifier); err != nil {
		return h.turnAway(cl, "client_id", packets.ErrClientIdentifierNotValid)
	}
	if cl.Properties.Will.Flag != 0 {
		h.door.count.refused("will").Inc()
		cl.Properties.Will = mqtt.Will{} // it would be published past the access rules
	}
	cl.Properties.Clean = true // what a session would keep, the next ack says anyway
	if cl.State.Keepalive == 0 || cl.State.Keepalive > maxKeepalive {
		cl.State.Keepalive = maxKeepalive // without, a dead connection would stay for good
	}
	return nil
}

// blame counts what a client is turned away for.
func (h *hook) blame(cl *mqtt.Client, reason string) {
	h.door.count.refused(reason).Inc()
	if c, ok := cl.Net.Conn.(*conn); ok {
		c.blamed = true
	}
}

func (h *hook) turnAway(cl *mqtt.Client, reason string, code packets.Code) error {
	h.blame(cl, reason)
	if err := h.door.server.SendConnack(cl, code, false, nil); err != nil {
		return err
	}
	return code
}

// OnConnectAuthenticate lets in all that OnConnect did: there are no credentials on loopback, and elsewhere the
// operator has said that there need be none.
func (*hook) OnConnectAuthenticate(*mqtt.Client, packets.Packet) bool { return true }

// OnSessionEstablish ends a living session with the same id, and waits for its end: what the broker does at the end of a
// session would otherwise remove the new one. The old one may be in the middle of an append.
func (h *hook) OnSessionEstablish(cl *mqtt.Client, _ packets.Packet) {
	c, ok := cl.Net.Conn.(*conn)
	if !ok {
		panic("frontdoor: a client that did not come through the gate")
	}
	old := h.door.gate.enter(cl.ID, c)
	if old == nil {
		return
	}
	h.door.count.takeovers.Inc()
	h.door.cfg.Logger.Debug("session taken over", "client", cl.ID, "from", old.RemoteAddr(), "by", c.RemoteAddr())
	_ = old.Close() // its reader sees it
	<-old.ended
}

// OnPacketRead ends the connection of a client that publishes where it must not: the broker would neither acknowledge
// nor refuse an invalid topic, and the client would wait for good.
func (h *hook) OnPacketRead(cl *mqtt.Client, pk packets.Packet) (packets.Packet, error) {
	if pk.FixedHeader.Type != packets.Publish {
		return pk, nil
	}
	reason := ""
	switch {
	case !ownTopic(cl.ID, pk.TopicName):
		reason = "topic"
	case pk.FixedHeader.Qos > 1:
		reason = "qos"
	default:
		return pk, nil
	}
	h.blame(cl, reason)
	return pk, packets.ErrRejectPacket
}

// OnACLCheck answers for subscriptions, deliveries and publishes.
func (h *hook) OnACLCheck(cl *mqtt.Client, name string, write bool) bool {
	if write {
		return ownTopic(cl.ID, name)
	}
	switch name {
	case topic.DownAll(cl.ID), topic.Down(cl.ID, topic.Ack), topic.Down(cl.ID, topic.Nack):
		return true
	}
	h.door.count.refused("subscription").Inc()
	return false
}

// ownTopic reports whether a client may publish on a topic.
func ownTopic(client, name string) bool {
	return name == topic.Up(client, topic.Batch) || name == topic.Up(client, topic.Hello)
}

// OnPublish hands a message over. Any error but these two would be logged and the message acknowledged all the same.
func (h *hook) OnPublish(cl *mqtt.Client, pk packets.Packet) (packets.Packet, error) {
	if cl.Net.Inline {
		return pk, nil // ours, on its way out
	}
	what := topic.Batch
	if pk.TopicName == topic.Up(cl.ID, topic.Hello) {
		what = topic.Hello
	}
	h.door.count.published.Inc()
	if err := h.take(cl.ID, what, pk.Payload); err != nil {
		h.door.count.withheld.Inc()
		h.door.cfg.Logger.Debug("message withheld and connection closed", "client", cl.ID, "error", err)
		cl.Stop(err)
		return pk, packets.ErrRejectPacket // no PUBACK
	}
	if c, ok := cl.Net.Conn.(*conn); ok {
		h.door.gate.served(c)
	}
	return pk, packets.CodeSuccessIgnore // PUBACK, and to nobody else
}

// OnPublishDropped tells what a client was too slow for.
func (h *hook) OnPublishDropped(cl *mqtt.Client, _ packets.Packet) {
	h.door.count.dropped.Inc()
	h.missed(cl.ID)
}
