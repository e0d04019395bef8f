package frontdoor

import "github.com/headwater-iot/headwater/shared/meter"

type counters struct {
	published, withheld, dropped, takeovers *meter.Counter
	refused                                 func(reason string) *meter.Counter
}

func newCounters(m *meter.Registry) counters {
	return counters{
		published: m.Counter("headwater_frontdoor_published_total", "Messages that clients published on their topics."),
		withheld:  m.Counter("headwater_frontdoor_withheld_total", "Messages that got no PUBACK; their connections were closed."),
		dropped:   m.Counter("headwater_frontdoor_dropped_total", "Acks and nacks that a client was too slow to take."),
		takeovers: m.Counter("headwater_frontdoor_takeovers_total", "Sessions ended by a new one with the same client id."),
		refused: func(reason string) *meter.Counter {
			return m.Counter("headwater_frontdoor_refused_total", "Connections, publishes and subscriptions refused, and wills ignored.", "reason", reason)
		},
	}
}
