package uplink

import (
	"time"

	"github.com/headwater-iot/headwater/shared/health"
	"github.com/headwater-iot/headwater/shared/meter"
	"github.com/headwater-iot/headwater/shared/wire"
)

// meters are the instruments of an uplink.
type meters struct {
	connects, failures, hellos, bytes, resent, acks, hints, overrun, unreadable *meter.Counter

	connected, credit *meter.Gauge

	sent        [2]*meter.Counter // by Lane
	disconnects func(reason string) *meter.Counter
	nacks       func(reason wire.Reason) *meter.Counter
}

func newMeters(r *meter.Registry) *meters {
	lane := func(l Lane) *meter.Counter {
		return r.Counter("headwater_uplink_batches_sent_total", "Batches handed to the broker.", "lane", l.String())
	}
	return &meters{
		connects:   r.Counter("headwater_uplink_connects_total", "Connections to the broker that were made."),
		failures:   r.Counter("headwater_uplink_connect_failures_total", "Connections to the broker that were not made."),
		hellos:     r.Counter("headwater_uplink_hellos_total", "Hellos sent."),
		bytes:      r.Counter("headwater_uplink_sent_bytes_total", "Bytes of batches handed to the broker, envelope included."),
		resent:     r.Counter("headwater_uplink_batches_resent_total", "Batches sent again because they were not stored."),
		acks:       r.Counter("headwater_uplink_acks_total", "Acks that were applied."),
		hints:      r.Counter("headwater_uplink_hints_total", "Acks not applied: of another connection, or older than the last."),
		overrun:    r.Counter("headwater_uplink_inbox_overrun_total", "Messages of the gateway dropped because they came too fast."),
		unreadable: r.Counter("headwater_uplink_unreadable_total", "Messages of the gateway that could not be read."),
		connected:  r.Gauge("headwater_uplink_connected", "1 while connected to the broker."),
		credit:     r.Gauge("headwater_uplink_credit_bytes_per_second", "Rate of the backlog lane."),
		sent:       [2]*meter.Counter{Live: lane(Live), Backlog: lane(Backlog)},
		disconnects: func(reason string) *meter.Counter {
			return r.Counter("headwater_uplink_disconnects_total", "Connections that ended, by reason.", "reason", reason)
		},
		nacks: func(reason wire.Reason) *meter.Counter {
			return r.Counter("headwater_uplink_nacks_total", "Batches the gateway did not take.", "reason", string(knownReason(reason)))
		},
	}
}

// knownReason keeps a peer from inventing metric labels.
func knownReason(r wire.Reason) wire.Reason {
	switch r {
	case wire.NotNow, wire.HoleFirst, wire.BadVersion, wire.TooLarge, wire.BadIdentity, wire.ShareFull, wire.BadCRC:
		return r
	}
	return "unknown"
}

// conditions are what an operator sees of the uplink.
type conditions struct {
	board   *health.Board
	broker  *health.Condition
	gateway *health.Condition
	refused *health.Condition

	down bool // the broker was not reached the last time
}

func newConditions(b *health.Board) *conditions {
	return &conditions{
		board: b,
		// A broker that restarts is back in less than the holds.
		broker:  &health.Condition{Code: "broker-unreachable", Title: "The broker is not reached; readings are kept here", Severity: health.Warning, Hold: 30 * time.Second},
		gateway: &health.Condition{Code: "gateway-silent", Title: "The broker answers but the gateway does not; readings are kept here", Severity: health.Warning, Hold: 30 * time.Second},
		refused: &health.Condition{Code: "batch-refused", Title: "The gateway refuses batches; they are kept here", Severity: health.Error, Hold: 0},
	}
}

// unreachable raises broker-unreachable and reports whether it is news.
func (c *conditions) unreachable(detail string) (news bool) {
	c.board.Raise(c.broker, detail)
	news, c.down = !c.down, true
	return news
}

func (c *conditions) reachable() {
	c.board.Clear(c.broker)
	c.down = false
}
